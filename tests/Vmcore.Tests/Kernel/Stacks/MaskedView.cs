using Vmcore.Formats.Elf;
using Vmcore.Kernel;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Tests.Kernel.Stacks;

/// <summary>A real dump of which pages or notes are missing.</summary>
internal static class MaskedView
{
    /// <summary>Opens a whole dump; skips the test where there is none.</summary>
    public static CrashDump Open(string name)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_FIXTURES") ?? "", name + ".vmcore");
        Assert.SkipUnless(File.Exists(path), "VMCORE_FIXTURES names no folder with it");
        return CrashDump.Open(path);
    }

    /// <summary>Its kernel, as if some of its pages, or notes, were not there. Null if the kernel cannot be found then.</summary>
    public static KernelView? Of(CrashDump dump, IEnumerable<PfnRange> hidden, IReadOnlyList<ElfNote>? notes = null, byte[]? area = null)
    {
        var memory = new WithoutPages(dump.Memory, PfnRangeSet.From(hidden));
        if (CrashedKernel.TryOpen(memory, dump.VmcoreInfo!, dump.Architecture, dump.Loads, out _,
            static (info, memory, names) => KernelSymbols.TryFindSome(info, memory, names)) is not { } kernel)
            return null;
        return new(new()
        {
            Name = "masked",
            Memory = memory,
            Kernel = kernel,
            VmcoreInfo = dump.VmcoreInfo,
            Loads = dump.Loads,
            NoteArea = area ?? dump.KernelView.NoteArea,
            Notes = notes ?? dump.KernelView.Notes,
        });
    }
}
