using Vmcore.Findings;
using Vmcore.Kernel.Vfs;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>What a page of pmem is there for.</summary>
public enum PmemPageKind
{
    /// <summary>It is not on pmem.</summary>
    NotPmem,

    /// <summary>Metadata: it holds the info block of its namespace.</summary>
    InfoBlock,

    /// <summary>Metadata: it holds struct pages of its namespace.</summary>
    Memmap,

    /// <summary>User data for which the kernel had no struct page: nothing tells of its use. Pages in no namespace are of this kind too.</summary>
    WithoutStructPage,

    /// <summary>In the space that the namespace sets aside in front of its data, where the kernel does not use it: what the media held before. To be kept
    /// as secret as user data.</summary>
    Reserved,

    /// <summary>User data.</summary>
    Data,

    /// <summary>Not known, since the table of struct pages, or the metadata of the namespace, cannot be read. To be kept as secret as user data.</summary>
    Unknown,
}

/// <summary>What one page of pmem was at the crash. It comes from the kernel's metadata; the page itself is never read.</summary>
public sealed class PmemPage
{
    internal PmemPage(ulong pfn, PmemPageKind kind, PmemNamespace? item) => (Pfn, Kind, Namespace) = (pfn, kind, item);

    /// <summary>The page.</summary>
    public ulong Pfn { get; }

    /// <summary>What it is there for.</summary>
    public PmemPageKind Kind { get; }

    /// <summary>The namespace that it is in; null if it is in none, or that is not known.</summary>
    public PmemNamespace? Namespace { get; }

    /// <summary>True if it may hold user data, which Vmcore neither shows nor copies.</summary>
    public bool IsUserData => Kind >= PmemPageKind.WithoutStructPage;

    /// <summary>The pages whose struct pages a <see cref="PmemPageKind.Memmap"/> page holds, from the first that begins in it on; one more may begin in it
    /// and end in the next. Null for other kinds, and if the memmap cannot be found.</summary>
    public PfnRange? Described { get; internal init; }

    /// <summary>How a page of <see cref="PmemPageKind.Data"/> was used; null for other kinds.</summary>
    public PmemPageUse? Use { get; internal init; }
}

/// <summary>How a page of user data was used at the crash.</summary>
public sealed class PmemPageUse
{
    internal PmemPageUse()
    {
    }

    /// <summary>False if its struct page is not in the dump, or not of the crash (<see cref="MemmapState.Overwritten"/>): then <see cref="Struct"/> is
    /// empty, and what is known comes from the files' page trees and the processes' page tables.</summary>
    public bool HasStruct { get; internal init; }

    /// <summary>What its struct page says, or that of the head of its compound page.</summary>
    public DaxPage Struct { get; internal init; }

    /// <summary>What it was used for: <see cref="DaxPage.State"/> of <see cref="Struct"/>, but where the files' own page trees know better. Since Linux 6.15 a
    /// page that lost its only file may look shared; then it is idle if no file names it. Without a struct page it is mapped or shared if
    /// <see cref="Owners"/> were found, and else null: it may have been idle, which is not known.</summary>
    public DaxPageState? State { get; internal init; }

    /// <summary>The first page of its compound page; the page itself if it is in none.</summary>
    public ulong Head { get; internal init; }

    /// <summary>log2 of the number of pages of that compound page; 0 if it is in none.</summary>
    public int Order { get; internal init; }

    /// <summary>The files or devices that it belongs to: of a mapped page first the one that its struct page names.</summary>
    public IReadOnlyList<PmemPageOwner> Owners { get; internal init; } = [];

    /// <summary>How many files share it: the kernel's own count up to 6.14; since 6.15 there is none, and it is the number of <see cref="Owners"/> that were
    /// found. Null unless the page is shared.</summary>
    public ulong? ShareCount { get; internal init; }

    /// <summary>True if <see cref="ShareCount"/> is the kernel's own (up to 6.14).</summary>
    public bool KernelCountsSharers { get; internal init; }

    /// <summary>What could not be found out; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems { get; internal init; } = [];
}

/// <summary>A file, or a devdax device, that a page belongs to.</summary>
public sealed class PmemPageOwner
{
    internal PmemPageOwner()
    {
    }

    /// <summary>Virtual address of its address_space.</summary>
    public ulong Mapping { get; internal init; }

    /// <summary>Which page of it, counted from 0.</summary>
    public ulong Index { get; internal init; }

    /// <summary>Its inode; null if the address_space cannot be followed to one.</summary>
    public KernelInode? Inode { get; internal init; }

    /// <summary>Where the file is; unknown for a device.</summary>
    public KernelPath Path { get; internal init; }

    /// <summary>Name of a devdax device, <c>dax0.1</c>; null for a file, and if it is not known.</summary>
    public string? Device { get; internal init; }

    /// <summary>Where processes map the page; <see cref="AddressIn"/> says at which address.</summary>
    public IReadOnlyList<PmemMapping> Mappers { get; internal init; } = [];

    /// <summary>Virtual address of the page in a process that maps it.</summary>
    /// <param name="mapper">One of <see cref="Mappers"/>.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    public ulong AddressIn(PmemMapping mapper, int pageShift)
    {
        ArgumentNullException.ThrowIfNull(mapper);
        return mapper.Area.Start + ((Index - mapper.Area.PageOffset) << pageShift);
    }
}
