using System.Buffers.Binary;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Types;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// What the kernel keeps of a page of pmem in its <c>struct page</c>, and how to read it: the file and the place in it, or how many files share it. Offsets
/// in bytes. Two eras: up to 6.14 each page tells for itself; since 6.15 a folio's head tells for all of it, and a reference count of 0 is idle.
/// </summary>
internal sealed class DaxPageLayout
{
    /// <summary>The mark in place of a mapping that says that several files share the page (6.0 to 6.14).</summary>
    private const ulong SharedMark = 1;

    private DaxPageLayout()
    {
    }

    /// <summary>True since 6.15: folios, idle at a reference count of 0.</summary>
    public bool HasFolios { get; private init; }

    /// <summary>The rest of the layout of struct page.</summary>
    public required StructPageLayout Page { get; init; }

    internal int Index { get; private init; }

    internal required IVirtualMemory Memory { get; init; }

    internal int ReferenceCount { get; private init; }

    internal int PageMap { get; private init; }

    /// <summary>Reads the layout.</summary>
    /// <param name="info">vmcoreinfo.</param>
    /// <param name="page">The layout of struct page.</param>
    /// <param name="types">The kernel's types; null to go by vmcoreinfo and by the layout that all kernels from 4.18 on share.</param>
    /// <param name="memory">The kernel's memory, which knows its pointers.</param>
    public static DaxPageLayout From(VmcoreInfo info, StructPageLayout page, KernelTypes? types, IVirtualMemory memory)
    {
        StructMembers? members = types is null ? null : new(types);
        int Member(string name, int otherwise) => members?.Optional("page", name) is { } offset and >= 0 && offset + 8 <= page.Size ? offset : otherwise;
        int folio = members?.Optional("folio", "pgmap") ?? -1;
        int Fit(int offset, int width) => offset >= 0 && offset + width <= page.Size ? offset : -1;
        return new()
        {
            Page = page,
            Memory = memory,
            HasFolios = folio >= 0,
            Index = Fit(Member("index", Member("__folio_index", page.Mapping + 8)), 8),
            ReferenceCount = Fit(info.Offset("page._refcount") ?? page.MapCount + 4, 4),
            PageMap = Fit(folio >= 0 ? folio : Member("pgmap", info.Offset("page.lru") ?? 8), 8),
        };
    }

    /// <summary>True if the page is the tail of a compound page: its head tells.</summary>
    internal bool IsTail(ReadOnlySpan<byte> page) => Page.CompoundHead >= 0 && (Word(page, Page.CompoundHead) & 1) != 0;

    /// <summary>The order of the compound page whose head this is; 0 if it is none, or if its order is impossible.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="pair">Its structure and the next one.</param>
    internal int OrderOf(ulong pfn, ReadOnlySpan<byte> pair)
    {
        if ((Word(pair, Page.Flags) & Page.HeadMask) == 0 || Page.CompoundOrder < 0 || Page.CompoundOrder >= pair.Length)
            return 0;
        int order = pair[Page.CompoundOrder];
        return order <= PageClassifier.LargestOrder && (pfn & ((1UL << order) - 1)) == 0 ? order : 0;
    }

    /// <summary>Reads the structure of a page that is no tail.</summary>
    /// <param name="page">The structure.</param>
    /// <param name="order">Order of the compound page that it is the head of.</param>
    internal DaxPage Read(ReadOnlySpan<byte> page, int order)
    {
        ulong flags = Word(page, Page.Flags), mapping = Word(page, Page.Mapping), index = Index >= 0 ? Word(page, Index) : 0;
        ulong map = PageMap >= 0 ? Word(page, PageMap) : 0;
        int references = ReferenceCount >= 0 ? BinaryPrimitives.ReadInt32LittleEndian(page[ReferenceCount..]) : 0;
        int maps = BinaryPrimitives.ReadInt32LittleEndian(page[Page.MapCount..]) + 1;

        // Of a large folio the number of maps is elsewhere, so pins cannot be told from them.
        bool pinned = HasFolios ? order == 0 && references > Math.Max(maps, 0) : references > 1;
        DaxPageState state = flags == ulong.MaxValue || !Memory.IsKernelAddress(map) ? DaxPageState.Foreign
            : mapping == 0 ? (HasFolios && index != 0 ? DaxPageState.Shared : IsIdle(references) ? DaxPageState.Idle : DaxPageState.InUse)
            : !HasFolios && mapping == SharedMark ? DaxPageState.Shared
            : (mapping & 7) == 0 && Memory.IsKernelAddress(mapping) ? DaxPageState.Mapped : DaxPageState.Foreign;

        // All ones is what was never written: no flag is set.
        return new(state, mapping, index, map, flags, references,
            pinned && state != DaxPageState.Foreign, flags != ulong.MaxValue && (flags & Page.HwPoison) != 0);
    }

    internal static ulong Word(ReadOnlySpan<byte> page, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(page[offset..]);

    private bool IsIdle(int references) => references <= (HasFolios ? 0 : 1);
}

/// <summary>What a page of pmem was used for at the crash.</summary>
public enum DaxPageState
{
    /// <summary>No process and no file has it mapped. It may still hold data: what is only read and written leaves no trace.</summary>
    Idle,

    /// <summary>It belongs to a file, or to a devdax device, and was mapped by a process.</summary>
    Mapped,

    /// <summary>Several files share it (reflink), and at least one was mapped.</summary>
    Shared,

    /// <summary>In use without a file: held by the kernel or a device.</summary>
    InUse,

    /// <summary>Its structure is not that of a page of pmem: never written, damaged, or of another kernel.</summary>
    Foreign,
}

/// <summary>The structure of one page of pmem, read.</summary>
/// <param name="State">What it is used for.</param>
/// <param name="Mapping">Virtual address of the address_space; meaningful if mapped.</param>
/// <param name="Index">Page of the file if mapped; number of files that share it if shared.</param>
/// <param name="PageMap">Virtual address of the dev_pagemap.</param>
/// <param name="Flags">The kernel's flags.</param>
/// <param name="References">Reference count.</param>
/// <param name="IsPinned">True if someone holds it besides page tables: direct I/O, RDMA.</param>
/// <param name="IsPoisoned">True if the memory failed.</param>
public readonly record struct DaxPage(DaxPageState State, ulong Mapping, ulong Index,
    ulong PageMap, ulong Flags, int References, bool IsPinned, bool IsPoisoned);
