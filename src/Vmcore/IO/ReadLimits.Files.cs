namespace Vmcore.IO;

// Files: kdump-compressed files, flattened streams, ELF files, rules and manifests.
public sealed partial class ReadLimits
{
    /// <summary>Bytes before the bitmaps of a split dump whose parts are joined: headers and notes are copied. A dump with more is refused.</summary>
    public long SplitHeaderBytes { get; init => field = Positive(value); } = 128L << 20;

    /// <summary>CPUs that the header of a kdump-compressed file may claim; a header with more is refused.</summary>
    public int KdumpCpus { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Bytes of vmcoreinfo, which the kernel keeps in a page or two, and of the list of erased data in a kdump-compressed file; a longer one is
    /// left out.</summary>
    public int KdumpTextBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Records of a flattened stream that do not follow on each other: so many take about 1 GB, and describe terabytes. A stream with more is
    /// refused.</summary>
    public int FlattenedRecords { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>How many times the bytes of an ELF file may be named by its PT_LOADs; the kernel's text is there twice. A file with more is refused by the
    /// dumper.</summary>
    public ulong FileOverlap { get; init => field = Positive(value); } = 64;

    /// <summary>Bytes of a symbol table of a vmlinux or module, and of its names; a file with more is refused.</summary>
    public long SymbolTableBytes { get; init => field = Positive(value); } = 512L << 20;

    /// <summary>Bytes of a section's name; a longer one is cut.</summary>
    public int SectionNameBytes { get; init => field = Positive(value); } = 256;

    /// <summary>Bytes of the names of all sections; sections with names beyond have none.</summary>
    public int SectionNamesBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Bytes of a manifest that a dump is verified against; a longer one is refused.</summary>
    public long ManifestBytes { get; init => field = Positive(value); } = 256L << 20;

    /// <summary>Blocks of pages whose places a verification remembers: 64 GiB of pages, in 200 MB. Overlaps beyond are not looked for, and the report says
    /// so.</summary>
    public int VerifiedBlocks { get; init => field = Positive(value); } = 1 << 24;

    /// <summary>Of those, the ones that are not in ascending order.</summary>
    public int ScatteredBlocks { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Bytes of a file of erase rules; a longer one is refused.</summary>
    public int EraseRulesBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Files of modules below a sysroot that are looked at for the one that a rule names.</summary>
    public int ModuleFolders { get; init => field = Positive(value); } = 100_000;

    /// <summary>Bytes that one rule may erase at one place; a size read from memory that is above is an error.</summary>
    public long ErasedBytes { get; init => field = Positive(value); } = 1L << 30;

    /// <summary>Bytes of a string that a rule erases without saying a size.</summary>
    public int ErasedStringBytes { get; init => field = Positive(value); } = 1024;

    /// <summary>Elements of a list or array that a rule goes through; one with more is an error.</summary>
    public int ErasedElements { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Places that all rules together may erase; more are an error.</summary>
    public int ErasedRanges { get; init => field = Positive(value); } = 4 << 20;

    /// <summary>Characters of the list of what was erased; what comes after is erased, and not listed.</summary>
    public int EraseTextCharacters { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Pointers to pointers that a rule follows at one place.</summary>
    public int PointerChain { get; init => field = Positive(value); } = 8;

    /// <summary>Runs of pages that could not be read, as they are listed; all pages are counted.</summary>
    public int LostRanges { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Runs of frames of the memmap that are looked at for being unused (-e); where there are more, the rest stays in the dump.</summary>
    public int UnusedMemmapRanges { get; init => field = Positive(value); } = 1 << 20;
}
