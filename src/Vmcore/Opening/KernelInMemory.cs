using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>
/// The kernel of a dump that does not say which it is, by the vmcoreinfo that the kernel keeps in its memory. What it describes has to be there: its names are
/// read through its page tables. All memory is looked through, since another kernel may describe itself as well: the one that captures the crash, or one that
/// ran before a restart that left memory alone.
/// </summary>
internal static class KernelInMemory
{
    /// <summary>Finds the kernel, and tells the file; it stays without vmcoreinfo if there is none.</summary>
    /// <param name="file">The file.</param>
    /// <param name="vmlinux">File of the vmlinux that was given, which decides between several; null for none.</param>
    /// <exception cref="VmcoreException">Nothing says which of several kernels is meant, or the vmlinux cannot be read.</exception>
    internal static void Find(DumpFile file, string? vmlinux)
    {
        List<Candidate> proven = Proven(file);

        // What captures a crash lies in memory that the crashed kernel set aside for it.
        List<PhysicalRange> crash = proven.Count > 1 ? [.. proven.SelectMany(static c => ImageRanges.CrashKernelOf(c.Kernel))] : [];
        proven.RemoveAll(c => crash.Exists(r => r.Contains(c.Found.Address)));
        if (proven.Count > 1 && vmlinux is not null)
        {
            using VmlinuxFile described = VmlinuxFile.Open(vmlinux, file.Unfiltered.Limits);
            List<Candidate> matching = proven.FindAll(c => described.Mismatch(c.Kernel.VmcoreInfo, file.Name) is null);
            proven = matching.Count > 0 ? matching : proven;
        }

        if (proven.Count > 1)
        {
            string kernels = string.Join(", ", proven.Select(static c =>
                string.Create(CultureInfo.InvariantCulture, $"{c.Kernel.VmcoreInfo.OsRelease} at 0x{c.Found.Address:x}")));
            throw new MissingInformationException($"{file.Name}: several kernels describe themselves in this memory ({kernels}), and nothing says which of "
                + "them crashed: -i VMCOREINFO or -x VMLINUX does");
        }

        if (proven is [var one])
            file.SetVmcoreInfo(one.Found.Text, one.Architecture);
    }

    private static List<Candidate> Proven(DumpFile file)
    {
        List<Candidate> proven = [];
        int tried = 0;
        foreach (FoundVmcoreInfo next in VmcoreInfoSearch.Find(file.Unfiltered))
        {
            tried++;
            var info = VmcoreInfo.Parse(next.Text);

            // A crash appends its time to the note; copies from before it are of the same kernel.
            int same = proven.FindIndex(c => Begins(c.Found.Text, next.Text) || Begins(next.Text, c.Found.Text));
            if ((same >= 0 && Begins(proven[same].Found.Text, next.Text))
                || (file.Architecture ?? Architecture.ProvenBy(info)) is not { } architecture
                || CrashedKernel.TryOpen(file.Unfiltered, info, architecture, file.Loads, out _) is not { IsVerified: true } kernel)
                continue;
            var candidate = new Candidate(next, kernel, architecture);
            if (same >= 0)
                proven[same] = candidate;
            else
                proven.Add(candidate);
        }

        if (tried == file.Unfiltered.Limits.VmcoreInfoCandidates)
            file.AddProblem(FindingCode.KernelSearchEnded, tried);
        return proven;
    }

    private static bool Begins(byte[] text, byte[] start) => text.AsSpan().StartsWith(start.AsSpan().TrimEnd((byte)0));

    private sealed class Candidate(FoundVmcoreInfo found, CrashedKernel kernel, Architecture architecture)
    {
        internal FoundVmcoreInfo Found { get; } = found;

        internal CrashedKernel Kernel { get; } = kernel;

        internal Architecture Architecture { get; } = architecture;
    }
}
