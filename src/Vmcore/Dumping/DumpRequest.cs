using Vmcore.Formats.Elf;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>What is to be dumped, and how: an input and options that fit it. <see cref="PlanPass"/> decides by it which pages stay.</summary>
public sealed class DumpRequest
{
    private readonly OpenedDump _dump;
    private readonly DumpOptions _options;
    private readonly PmemLayout _pmem;
    private ulong? _dumpedMaxPfn;

    /// <summary>Creates a request.</summary>
    /// <param name="dump">The input.</param>
    /// <param name="options">What to leave out.</param>
    /// <exception cref="MissingInformationException">The level needs what the dump does not say, or an ELF dump cannot be made of it.</exception>
    public DumpRequest(OpenedDump dump, DumpOptions options)
    {
        _dump = dump;
        _options = options;
        _pmem = dump.Pmem;
        if (options.Output == DumpOutput.Elf)
            CheckElf(dump);
        const DumpLevel NeedsMemmap = DumpLevel.Cache | DumpLevel.CachePrivate | DumpLevel.User | DumpLevel.Free;
        if ((options.Level & NeedsMemmap) != 0 && dump.ClassificationProblem is { } problem)
            throw new MissingInformationException(problem.ToString());
        MaxPfn = dump.Coverage.MaxPfn;
    }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxPfn { get; }

    /// <summary>
    /// One past the highest pfn that a kdump-compressed dump knows of. pmem beyond the last section with a memmap is not: no page of it is ever in a dump, and
    /// makedumpfile, which takes the end of the sections for the end of the bitmaps (copy_bitmap_file), could not filter such a dump again. Memory at the end
    /// of which the input has no content, and the kernel no struct page, is not either: one field of a header would make a bitmap of 1 GiB.
    /// </summary>
    internal ulong DumpedMaxPfn => _dumpedMaxPfn ??= FindDumpedMaxPfn();

    /// <summary>The pmem that is gone by.</summary>
    public PmemLayout Pmem => _pmem;

    /// <summary>The input.</summary>
    public OpenedDump Dump => _dump;

    /// <summary>What the pages that stay are copied from.</summary>
    internal Memory.CrashMemory CopySource => _dump.CopySource(_options.IncludePmemUserData);

    /// <summary>The options.</summary>
    public DumpOptions Options => _options;

    /// <summary>The windows in which pages can exist, ascending. A window's first pfn is its number shifted left by <see cref="PlanWindow.Shift"/>.</summary>
    internal IEnumerable<ulong> Windows()
    {
        foreach (WindowRun run in Runs())
        {
            for (ulong i = 0; i < run.Count; i++)
                yield return run.Number + i;
        }
    }

    /// <summary>The same windows, those together that need no look.</summary>
    internal IEnumerable<WindowRun> Runs() => NewRuns().All();

    private WindowRuns NewRuns() => new(_dump, _options.IncludePmemUserData ? PfnRangeSet.Empty : _pmem.UserData);

    private ulong FindDumpedMaxPfn()
    {
        ulong last = NewRuns().End();
        PfnRangeSet userData = _pmem.UserData;
        if (_options.IncludePmemUserData || userData.Count == 0 || userData[userData.Count - 1].End < last || _dump.Memmap is not { Model: var model })
            return last;
        ulong end = userData[userData.Count - 1].Start;
        for (ulong pfn = end; pfn < last;)
        {
            bool described = model.TryGetStructPage(pfn, out _, out ulong runEnd);
            pfn = Math.Max(runEnd, pfn + 1);
            if (described)
                end = pfn;
        }

        const ulong Window = PlanWindow.Pages;
        return Math.Min(last, (end + Window - 1) & ~(Window - 1));
    }

    /// <summary>Finds out whether an ELF dump can be made, before anything is written.</summary>
    /// <param name="dump">The input.</param>
    /// <exception cref="MissingInformationException">It cannot.</exception>
    private static void CheckElf(OpenedDump dump)
    {
        if (dump.Loads.Count == 0 || dump.Elf is not { } elf)
            throw new MissingInformationException($"{dump.Name}: an ELF dump can only be made of an ELF file; leave out -E");
        // Each PT_LOAD is cut by itself, so the work grows with how often they overlap: a few times in a file that a tool wrote.
        ulong total = 0, file = (ulong)elf.Source.Length;
        foreach (ElfSegment load in dump.Loads)
            total += load.FileSize;
        if (total / dump.Limits.FileOverlap > file)
            throw new MissingInformationException($"{dump.Name}: the PT_LOADs overlap: "
                + $"they name {total} bytes of a file of {file}; an ELF dump of it cannot be made: leave out -E");
    }
}
