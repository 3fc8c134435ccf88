namespace Vmcore.IO;

// The search for persistent memory, and for who uses it.
public sealed partial class ReadLimits
{
    /// <summary>Entries of the kernel's list of pmem; the rest is left out, with a word on it.</summary>
    public int NvdimmEntries { get; init => field = Positive(value); } = 65536;

    /// <summary>Places that are looked at for the info block of a namespace.</summary>
    public int InfoBlockProbes { get; init => field = Positive(value); } = 65536;

    /// <summary>Info blocks that are believed: more namespaces than any machine has.</summary>
    public int InfoBlocks { get; init => field = Positive(value); } = 4096;

    /// <summary>Namespaces that are known by a name in the resource tree only.</summary>
    public int NamedNamespaces { get; init => field = Positive(value); } = 4096;

    /// <summary>Runs of sections of one kind; a damaged table could alternate for terabytes.</summary>
    public int SectionRuns { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Sections that are looked at for belonging to pmem.</summary>
    public int PmemSections { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Runs of a memmap on pmem; with more its page tables are damaged, with a word on it.</summary>
    public int MemmapRuns { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Runs of the memmap of one section: a damaged table could give one for each 4 KiB.</summary>
    public int MemmapRunsOfSection { get; init => field = Positive(value); } = 1024;

    /// <summary>Entries of page tables that are looked at for the memmap of pmem: that of 24 TiB in pages of 4 KiB, and some room.</summary>
    public long PageTableSteps { get; init => field = Positive(value); } = 1L << 27;

    /// <summary>Pages that are remembered as read while it is not known what is user data; with more, all of what was found is looked for again without
    /// that data.</summary>
    public int WatchedPages { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Files of a namespace, and mappings by processes, that are told; the rest is left out, with a word on it.</summary>
    public int PmemMappings { get; init => field = Positive(value); } = 1 << 17;

    /// <summary>Runs of pages of all files of a namespace.</summary>
    public int UsageRuns { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Runs of pages of one file.</summary>
    public int FileRuns { get; init => field = Positive(value); } = 4096;

    /// <summary>Runs of pages that files of a namespace share.</summary>
    public int SharedRuns { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Poisoned pages of a namespace that are listed; all are counted.</summary>
    public int PoisonedPages { get; init => field = Positive(value); } = 4096;

    /// <summary>Ranges of poisoned pages that are told, of all of the memory; all pages are counted. The kernel gives up long before so many fail.</summary>
    public int PoisonedRanges { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Runs of pages of pmem that the page tables of a process have for one mapping; with more, the answer has a gap.</summary>
    public int MappedRuns { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Entries of the page tables of processes that are looked at for pages of pmem, together: a terabyte in base pages has 2^28, some seconds. With
    /// more, the answer has a gap.</summary>
    public long ProcessTableSteps { get; init => field = Positive(value); } = 1 << 26;
}
