using System.Buffers.Binary;
using Vmcore.Kernel.Identity;

namespace Vmcore.Memmap;

/// <summary>
/// Where the fields of <c>struct page</c> are and what their values mean on the crashed kernel, each taken from the vmcoreinfo keys
/// that are there. Offsets are in bytes from the start of the structure; −1 where the kernel has no such thing.
/// </summary>
/// <remarks>Kernels 4.19 to 7.3. Later eras win when a kernel carries keys of two.</remarks>
public sealed class StructPageLayout
{
    private const int Absent = -1;

    private StructPageLayout()
    {
    }

    /// <summary>SIZE(page) in bytes.</summary>
    public int Size { get; private init; }

    /// <summary>Offset of flags (64 bits).</summary>
    internal int Flags { get; private init; }

    /// <summary>Offset of mapping (64 bits).</summary>
    internal int Mapping { get; private init; }

    /// <summary>Offset of _mapcount or page_type (32 bits).</summary>
    internal int MapCount { get; private init; }

    /// <summary>Offset of private (64 bits): a free block's order.</summary>
    internal int Private { get; private init; } = Absent;

    /// <summary>Offset of compound_head (≤ 7.0) or compound_info (≥ 7.1), 64 bits; bit 0 marks a tail.</summary>
    internal int CompoundHead { get; private init; } = Absent;

    /// <summary>Offset of the order counted from the head's structure; 8 bits.</summary>
    internal int CompoundOrder { get; private init; } = Absent;

    /// <summary>Offset of the destructor number counted from the head's structure; 8 bits. Up to 6.5.</summary>
    internal int CompoundDestructor { get; private init; } = Absent;

    /// <summary>Destructor number of a hugetlb page; up to 6.5.</summary>
    internal int HugetlbDestructor { get; private init; } = Absent;

    /// <summary>Bit of the first tail's flags that marks a hugetlb page; 6.6 to 6.8.</summary>
    internal int HugetlbFlag { get; private init; } = Absent;

    /// <summary>Mask of the flags bits of which one marks a compound head.</summary>
    internal ulong HeadMask { get; private init; }

    /// <summary>Mask of PG_lru.</summary>
    internal ulong Lru { get; private init; }

    /// <summary>Mask of PG_private.</summary>
    internal ulong PrivateFlag { get; private init; }

    /// <summary>Mask of PG_swapcache.</summary>
    internal ulong SwapCache { get; private init; }

    /// <summary>Mask of PG_swapbacked; 0 if the kernel does not say.</summary>
    internal ulong SwapBacked { get; private init; }

    /// <summary>Mask of PG_slab; 0 if slab is a page type (6.10 and later).</summary>
    internal ulong Slab { get; private init; }

    /// <summary>Mask of PG_hwpoison; 0 if the kernel has none.</summary>
    internal ulong HwPoison { get; private init; }

    /// <summary>Page type of slab pages (6.10 and later).</summary>
    internal PageType SlabType { get; private init; }

    /// <summary>Page type of free pages, on the first page of each block.</summary>
    internal PageType BuddyType { get; private init; }

    /// <summary>Page type of logically offline pages (5.1 and later).</summary>
    internal PageType OfflineType { get; private init; }

    /// <summary>Page type of hugetlb pages (6.9 and later).</summary>
    internal PageType HugetlbType { get; private init; }

    /// <summary>Page type of unaccepted memory (6.16 and later).</summary>
    internal PageType UnacceptedType { get; private init; }

    /// <summary>Number of buddy orders: LENGTH(zone.free_area), 11 if the kernel does not say.</summary>
    internal int FreeAreas { get; private init; } = 11;

    /// <summary>Reads the layout from vmcoreinfo.</summary>
    /// <exception cref="MissingInformationException">A key that every kernel exports is absent or impossible.</exception>
    internal static StructPageLayout From(VmcoreInfo info)
    {
        int size = info.Size("page") is { } s and >= 32 and <= 256 && s % 8 == 0 ? s
            : throw new MissingInformationException($"vmcoreinfo: SIZE(page) is '{info.Get("SIZE(page)") ?? "absent"}', "
                + "expected a multiple of 8 from 32 to 256: pages cannot be classified");
        bool slabIsType = info.Number("PAGE_SLAB_MAPCOUNT_VALUE") is not null;
        (int order, int destructor) = CompoundFields(info, size);
        int lru = Bit(info, "PG_lru", 5), @private = Bit(info, "PG_private", 11), swapCache = Bit(info, "PG_swapcache", 15);
        int swapBacked = Bit(info, "PG_swapbacked", swapCache < @private ? @private + 6 : Absent);
        return new()
        {
            Size = size,
            Flags = Required(info, "page.flags", size, 8),
            Mapping = Required(info, "page.mapping", size, 8),
            MapCount = Required(info, "page._mapcount", size, 4),
            Private = Field(info, "page.private", size, 8),
            CompoundHead = Math.Max(Field(info, "page.compound_head", size, 8), Field(info, "page.compound_info", size, 8)),
            CompoundOrder = order,
            CompoundDestructor = destructor,
            HugetlbDestructor = destructor >= 0 && info.Number("HUGETLB_PAGE_DTOR") is { } d and >= 0 and < 256 ? (int)d : Absent,
            HugetlbFlag = info.Number("PG_hugetlb") is { } h and >= 0 and < 64 ? (int)h : Absent,
            HeadMask = HeadMaskOf(info),
            Lru = 1UL << lru,
            PrivateFlag = 1UL << @private,
            SwapCache = 1UL << swapCache,
            SwapBacked = swapBacked >= 0 ? 1UL << swapBacked : 0,
            // Without the key an old kernel has bit 7; a new one has another flag there.
            Slab = slabIsType ? 0 : 1UL << Bit(info, "PG_slab", 7),
            HwPoison = info.Number("PG_hwpoison") is { } p and >= 0 and < 64 ? 1UL << (int)p : 0,
            SlabType = PageType.From(info.Number("PAGE_SLAB_MAPCOUNT_VALUE")),
            BuddyType = PageType.From(info.Number("PAGE_BUDDY_MAPCOUNT_VALUE")),
            OfflineType = PageType.From(info.Number("PAGE_OFFLINE_MAPCOUNT_VALUE")),
            HugetlbType = PageType.From(info.Number("PAGE_HUGETLB_MAPCOUNT_VALUE")),
            UnacceptedType = PageType.From(info.Number("PAGE_UNACCEPTED_MAPCOUNT_VALUE")),
            FreeAreas = info.Length("zone.free_area") is { } n and > 0 and <= 32 ? n : 11,
        };
    }

    /// <summary>True if a structure is a slab's: of its head, or of a slab of one page.</summary>
    /// <param name="page">The structure.</param>
    internal bool IsSlab(ReadOnlySpan<byte> page) =>
        SlabType.IsKnown ? SlabType.Matches(BinaryPrimitives.ReadUInt32LittleEndian(page[MapCount..]))
            : (BinaryPrimitives.ReadUInt64LittleEndian(page[Flags..]) & Slab) != 0;

    /// <summary>True if the memory of a page failed. Each page says it for itself, tails and pages of free blocks too.</summary>
    /// <param name="page">The page's own structure.</param>
    internal bool IsPoisoned(ReadOnlySpan<byte> page)
    {
        // All ones: a structure of offline memory that was never initialised.
        ulong flags = BinaryPrimitives.ReadUInt64LittleEndian(page[Flags..]);
        return (flags & HwPoison) != 0 && flags != ulong.MaxValue;
    }

    /// <summary>Where the structure is that decides for a page: its own, or that of the head of its compound page.</summary>
    /// <param name="address">Virtual address of the page's structure.</param>
    /// <param name="page">The structure.</param>
    /// <remarks>The word is the head's address with bit 0 set; since 7.1 it may be a mask to apply to the tail's own address instead (compound_info,
    /// include/linux/page-flags.h), which is told from an address by how little it clears.</remarks>
    internal ulong HeadOf(ulong address, ReadOnlySpan<byte> page)
    {
        if (CompoundHead < 0 || BinaryPrimitives.ReadUInt64LittleEndian(page[CompoundHead..]) is var word && (word & 1) == 0)
            return address;
        ulong value = word & ~1UL, cleared = unchecked(0 - value);
        return ulong.IsPow2(cleared) && cleared <= (ulong)Size << PageClassifier.LargestOrder ? address & value : value;
    }

    private static (int Order, int Destructor) CompoundFields(VmcoreInfo info, int size)
    {
        // 6.9 and later, and 6.6 to 6.8: the order is the low byte of the first tail's flags.
        if (info.Number("PAGE_HUGETLB_MAPCOUNT_VALUE") is not null || info.Number("PG_hugetlb") is not null)
            return (size + Required(info, "page.flags", size, 8), Absent);

        // 6.3 to 6.5: counted from the head.
        if (info.Offset("folio._folio_order") is { } folioOrder && folioOrder < 2 * size)
            return (folioOrder, info.Offset("folio._folio_dtor") is { } d && d < 2 * size ? d : Absent);

        // 4.19 to 6.2: in the first tail.
        int order = Field(info, "page.compound_order", size, 1), destructor = Field(info, "page.compound_dtor", size, 1);
        if (order >= 0)
            return (size + order, destructor >= 0 ? size + destructor : Absent);

        // A kernel without hugetlb exports no hugetlb key, and since 6.6 no order either: then it is the flags byte.
        return (size + Required(info, "page.flags", size, 8), Absent);
    }

    private static ulong HeadMaskOf(VmcoreInfo info) =>
        info.Number("PG_head_mask") is { } mask and not 0 ? unchecked((ulong)mask) : 0;

    private static int Bit(VmcoreInfo info, string name, int otherwise) =>
        info.Number(name) is { } value and >= 0 and < 64 ? (int)value : otherwise;

    private static int Field(VmcoreInfo info, string member, int size, int width) =>
        info.Offset(member) is { } offset && offset + width <= size ? offset : Absent;

    private static int Required(VmcoreInfo info, string member, int size, int width)
    {
        int offset = Field(info, member, size, width);
        return offset >= 0 ? offset
            : throw new MissingInformationException($"vmcoreinfo: OFFSET({member}) is '{info.Get($"OFFSET({member})") ?? "absent"}', "
                + $"expected an offset within SIZE(page)={size}: pages cannot be classified");
    }
}

/// <summary>A value of <c>_mapcount</c>/<c>page_type</c> that marks a kind of page.</summary>
/// <param name="Value">The value to compare with.</param>
/// <param name="Shift">Bits of the field to drop first: 24 since 6.12, where the low 24 bits belong to the page's owner.</param>
/// <param name="IsKnown">False if the kernel has no such type.</param>
internal readonly record struct PageType(uint Value, int Shift, bool IsKnown)
{
    /// <summary>Makes a type from an exported NUMBER.</summary>
    public static PageType From(long? exported)
    {
        if (exported is not { } value || value is < int.MinValue or > uint.MaxValue)
            return default;
        uint word = unchecked((uint)value);
        // Since 6.12 the type is the whole top byte (0xf0 and up); before, one cleared bit of many.
        int shift = (word & 0xffffff) == 0 ? 24 : 0;
        return new(word >> shift, shift, true);
    }

    /// <summary>True if the field marks a page of this type.</summary>
    public bool Matches(uint mapCount) => IsKnown && mapCount >> Shift == Value;
}
