using System.Text;
using Vmcore.Architectures;
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
    /// <exception cref="VmcoreException">The vmlinux of <paramref name="options"/> cannot be read, or what describes the kernel is of another; or the file is
    /// an image of RAM, and no kernel in it says what of it is RAM.</exception>
    internal static DumpKernel Find(DumpFile file, CrashDumpOptions options)
    {
        var result = new DumpKernel();
        try
        {
            if (file.VmcoreInfo is null)
                KernelInMemory.Find(file, options.Vmlinux);
            if (options.Vmlinux is { } path)
                result.OpenVmlinux(path, file);
            result.VmcoreInfo = file.VmcoreInfo;
            if (result.VmcoreInfo is null)
                result.Problem = new(FindingCode.PagesNotClassified, $"{file.Name} doesn't contain vmcoreinfo.");
            else if (file.Architecture is null)
                throw new MissingInformationException($"{options.VmcoreInfoName}: it does not say of which architecture its kernel is");
            else
                result.Open(file, options);
            if (options.VmcoreInfo is { } given)
                result.Prove(given, file, options.VmcoreInfoName);
            if (file.IsImage && result.Unfiltered is not { IsVerified: true })
                throw new MissingInformationException($"{file.Name}: no kernel that describes itself is in this image, so that nothing says what of it is RAM, "
                    + "and what is pmem: it is not read. Is its address right? -i or -x may describe the kernel");
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    // A description of another kernel would make every answer wrong: it has to lead to that kernel's names.
    private void Prove(byte[] given, DumpFile file, string name)
    {
        VmcoreInfo info = VmcoreInfo.Parse(given);
        string? actual = (file.HasOwnVmcoreInfo ? file.VmcoreInfo!.OsRelease : null) ?? Unfiltered?.Utsname?.Release;
        string? own = file.HasOwnVmcoreInfo ? file.VmcoreInfo!.BuildId
            : Unfiltered is { } kernel ? KernelNotes.TryReadBuildId(kernel) : null;
        string? wrong = actual is not null && actual != info.OsRelease ? $"OSRELEASE is '{info.OsRelease}', but {file.Name} is of '{actual}'."
            : info.BuildId is { } id && own is not null && !string.Equals(id, own, StringComparison.OrdinalIgnoreCase)
                ? $"the build id is {id}, but {file.Name} is of a kernel with {own}."
            : actual is null && !file.HasOwnVmcoreInfo
                ? $"the kernel's release cannot be read from {file.Name} with these addresses: the file is of another boot or another kernel."
            : null;
        if (wrong is not null)
            throw new MissingInformationException($"{name}: {wrong}") { IsOtherKernel = true };
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
                throw new MissingInformationException($"{path}: {file.Name}: {fault}") { IsOtherKernel = true };
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

        if (file.IsImage && Unfiltered.IsVerified)
        {
            file.Restrict(ImageRanges.Of(Unfiltered, Vmlinux, file.Name));
            Unfiltered = Unfiltered.Over(file.Unfiltered);
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

    private void OpenVmlinux(string path, DumpFile file)
    {
        VmlinuxFile vmlinux = VmlinuxFile.Open(path, file.Unfiltered.Limits);
        try
        {
            if (file.VmcoreInfo is null)
                file.SetVmcoreInfo(Encoding.Latin1.GetBytes(VmcoreInfoWriter.Write(vmlinux)), file.Architecture ?? Architecture.Of(vmlinux.Machine, "")!);
            else if (vmlinux.Mismatch(file.VmcoreInfo, file.Name) is { } wrong)
                throw new MissingInformationException(wrong) { IsOtherKernel = true };
            Vmlinux = vmlinux;
        }
        finally
        {
            if (Vmlinux is null)
                vmlinux.Dispose();
        }
    }
}
