using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>What of an image of RAM is memory: an image says nothing of it, the resource tree of its kernel does (kernel/resource.c).</summary>
internal static class ImageRanges
{
    private const string Ram = "System RAM", Crash = "Crash kernel";

    /// <summary>RAM and pmem of a kernel; not the crash kernel's area, which no vmcore has.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="vmlinux">Its vmlinux; null if there is none.</param>
    /// <param name="name">The image, for messages.</param>
    /// <returns>Half-open ranges of physical addresses, in order, without overlaps.</returns>
    /// <exception cref="MissingInformationException">The resource tree cannot be read.</exception>
    internal static List<PhysicalRange> Of(CrashedKernel kernel, VmlinuxFile? vmlinux, string name)
    {
        if (PmemSearch.Resources(kernel, vmlinux) is not { } tree)
        {
            throw new MissingInformationException($"{name}: what of this image is RAM, and what is pmem, says the kernel's resource tree, which cannot be "
                + "read: it is not read without. -x VMLINUX brings the symbol that leads to it");
        }

        List<PhysicalRange> memory = [], result = [];
        foreach (KernelResource node in tree.All())
        {
            if (node.Name.StartsWith(Ram, StringComparison.Ordinal) || PmemRanges.IsPmem(node))
                memory.Add(node.Range);
        }

        List<PhysicalRange> crash = CrashKernelOf(tree);
        ulong done = 0;
        foreach (PhysicalRange range in memory.OrderBy(static r => r.Start))
        {
            ulong at = Math.Max(range.Start, done);
            foreach (PhysicalRange hole in crash.Where(h => h.End > at && h.Start < range.End).OrderBy(static h => h.Start))
            {
                if (hole.Start > at)
                    result.Add(new(at, hole.Start));
                at = Math.Max(at, hole.End);
            }

            if (at < range.End)
                result.Add(new(at, range.End));
            done = Math.Max(done, range.End);
        }

        return result;
    }

    /// <summary>Where a kernel has room for the one that captures its crash; empty if its resource tree does not say.</summary>
    /// <param name="kernel">The kernel.</param>
    internal static List<PhysicalRange> CrashKernelOf(CrashedKernel kernel) => PmemSearch.Resources(kernel, null) is { } tree ? CrashKernelOf(tree) : [];

    private static List<PhysicalRange> CrashKernelOf(ResourceTree tree) =>
        [.. tree.All().Where(static n => n.Name.StartsWith(Crash, StringComparison.Ordinal)).Select(static n => n.Range)];
}
