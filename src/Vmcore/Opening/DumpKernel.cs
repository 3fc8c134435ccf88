using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memmap;

namespace Vmcore.Opening;

/// <summary>
/// The kernel in the file of a dump, found through all that the file has of memory, before it is known what of that is pmem. Who reads on through it is the
/// search for pmem (<see cref="PmemSearch"/>); everybody else takes it over the memory that may be shown (<see cref="CrashedKernel.Over"/>).
/// </summary>
internal sealed class DumpKernel : IDisposable
{
    private DumpKernel()
    {
    }

    /// <summary>vmcoreinfo with the addresses of the kernel that ran; null if there is none.</summary>
    internal VmcoreInfo? VmcoreInfo { get; private set; }

    /// <summary>The vmlinux that was given; null if none was.</summary>
    internal VmlinuxFile? Vmlinux { get; private set; }

    /// <summary>The kernel over unfiltered memory; null if its address space cannot be found.</summary>
    internal CrashedKernel? Unfiltered { get; private set; }

    /// <summary>The layout of struct page; null if vmcoreinfo does not give it.</summary>
    internal StructPageLayout? PageLayout { get; private set; }

    /// <summary>Why pages cannot be classified; null if they can.</summary>
    internal Finding? Problem { get; private set; }

    /// <summary>Finds the kernel.</summary>
    /// <param name="file">The file; it is told what is wrong.</param>
    /// <param name="options">How it is opened.</param>
    /// <exception cref="VmcoreException">The vmlinux of <paramref name="options"/> cannot be read, or is of another kernel.</exception>
    internal static DumpKernel Find(DumpFile file, CrashDumpOptions options)
    {
        var result = new DumpKernel();
        if (file.VmcoreInfo is null)
            LookInMemory(file);
        if (options.Vmlinux is { } path)
            result.OpenVmlinux(path, file);
        result.VmcoreInfo = file.VmcoreInfo;
        if (result.VmcoreInfo is null)
            result.Problem = new(FindingCode.PagesNotClassified, $"{file.Name} doesn't contain vmcoreinfo.");
        else
            result.Open(file, options);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => Vmlinux?.Dispose();

    private void Open(DumpFile file, CrashDumpOptions options)
    {
        // A description made from a vmlinux does not know where the kernel ran: that is in the dump's memory.
        if ((options.VmcoreInfo is not null || Vmlinux is not null) && file.Architecture.IsLinked(VmcoreInfo!))
        {
            if (LinkedKernel.TryRelocate(VmcoreInfo!, file.Architecture, file.Unfiltered, out string? fault) is { } found)
                VmcoreInfo = VmcoreInfo.Parse(found);
            else if (options.Vmlinux is { } path)
                throw new MissingInformationException($"{path}: {file.Name}: {fault}");
            else
                file.AddProblem(FindingCode.KernelNotLocated, fault!);
        }

        Unfiltered = CrashedKernel.TryOpen(file.Unfiltered, VmcoreInfo!, file.Architecture, file.Loads, out string? problem,
            static (info, memory, names) => KernelSymbols.TryFindSome(info, memory, names));
        if (problem is not null)
            file.AddProblem(FindingCode.KernelDoubtful, problem);
        if (Unfiltered is null)
        {
            Problem = new(FindingCode.PagesNotClassified, $"{file.Name}: {problem}");
            return;
        }

        try
        {
            PageLayout = StructPageLayout.From(VmcoreInfo!);
            if (MemmapReader.TryOpen(Unfiltered, file.Unfiltered.PageShift, out problem) is null)
                Problem = new(FindingCode.PagesNotClassified, $"{file.Name}: {problem}");
        }
        catch (MissingInformationException e)
        {
            Problem = new(FindingCode.PagesNotClassified, $"{file.Name}: {e.Message}");
        }
    }

    // The kernel that the text describes has to be there: its names are read through its page tables. What kernels before it, or files, left is not taken.
    private static void LookInMemory(DumpFile file)
    {
        foreach (byte[] text in VmcoreInfoSearch.Find(file.Unfiltered))
        {
            if (CrashedKernel.TryOpen(file.Unfiltered, VmcoreInfo.Parse(text), file.Architecture, file.Loads, out _) is not { IsVerified: true })
                continue;
            file.SetVmcoreInfo(text);
            return;
        }
    }

    private void OpenVmlinux(string path, DumpFile file)
    {
        VmlinuxFile vmlinux = VmlinuxFile.Open(path, file.Unfiltered.Limits);
        try
        {
            if (file.VmcoreInfo is null)
                file.SetVmcoreInfo(Encoding.Latin1.GetBytes(VmcoreInfoWriter.Write(vmlinux)));
            else if (vmlinux.Mismatch(file.VmcoreInfo, file.Name) is { } wrong)
                throw new MissingInformationException(wrong);
            Vmlinux = vmlinux;
        }
        finally
        {
            if (Vmlinux is null)
                vmlinux.Dispose();
        }
    }
}
