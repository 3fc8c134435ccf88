namespace Vmcore.Testing;

/// <summary>Kernel versions between which the layout or encoding of <c>struct page</c>, or a vmcoreinfo key, changed.</summary>
public enum KernelEra
{
    V4_19,
    V5_4,
    V5_10,
    V5_15,
    V6_1,
    V6_3,
    V6_6,
    V6_9,
    V6_10,
    V6_11,
    V6_12,
    V6_16,
    V7_1,
}

/// <summary>How one era encodes pages. Bits are positions in <c>page.flags</c>; types are words of <c>page._mapcount</c>.</summary>
public sealed record EraProfile
{
    private const uint LowBits = 0, HighBits = 1, TopByte = 2;

    private EraProfile(KernelEra era) => Era = era;

    public KernelEra Era { get; }

    public required string Release { get; init; }

    public required int Lru { get; init; }

    public required int Private { get; init; }

    public required int SwapCache { get; init; }

    public required int SwapBacked { get; init; }

    public required int Reserved { get; init; }

    public required int Head { get; init; }

    public required int HwPoison { get; init; }

    public required int Waiters { get; init; }

    public required int Uptodate { get; init; }

    /// <summary>PG_slab, or -1 where slab is a page type.</summary>
    public int Slab { get; init; } = -1;

    /// <summary>PG_hugetlb in the flags of the first tail, or -1.</summary>
    public int HugetlbBit { get; init; } = -1;

    public required uint BuddyType { get; init; }

    /// <summary>Offline or balloon.</summary>
    public required uint OfflineType { get; init; }

    public required uint TableType { get; init; }

    public required uint GuardType { get; init; }

    /// <summary>Hugetlb as a page type, or 0.</summary>
    public uint HugetlbType { get; init; }

    /// <summary>Slab as a page type, or 0.</summary>
    public uint SlabType { get; init; }

    /// <summary>Unaccepted memory as a page type, or 0.</summary>
    public uint UnacceptedType { get; init; }

    public bool OfflineExported => Era >= KernelEra.V5_4;

    public bool UnacceptedExported => Era >= KernelEra.V6_16;

    /// <summary>Order and destructor bytes lie at offset 17 and 16 of the first tail; otherwise the order is the low byte of its flags.</summary>
    public bool OrderInBytes => Era < KernelEra.V6_6;

    /// <summary>Sections know sub-sections of 2 MiB, so that a section may be populated in part.</summary>
    public bool HasSubsections => Era >= KernelEra.V5_4;

    public bool HasTaintFlag => Era >= KernelEra.V5_15;

    /// <summary>Bytes of <c>struct rcu_head</c> before the sub-section map.</summary>
    public int SubsectionMapOffset => Era >= KernelEra.V6_9 ? 16 : 0;

    /// <summary>Devdax of 2 MiB alignment is made of compound pages.</summary>
    public bool CompoundDevdax => Era >= KernelEra.V6_1;

    /// <summary>An idle DAX page has a reference count of 0.</summary>
    public bool DaxFolios => Era >= KernelEra.V6_16;

    public static EraProfile Of(KernelEra era) => era switch
    {
        KernelEra.V4_19 => Old(era, "4.19.0-synthetic") with
        {
            Lru = 5,
            Slab = 8,
            SwapCache = 9,
            Reserved = 11,
            Private = 12,
            Head = 15,
            SwapBacked = 18,
            HwPoison = 22,
            Uptodate = 3,
        },
        KernelEra.V5_4 => Old(era, "5.4.0-synthetic"),
        KernelEra.V5_10 => Old(era, "5.10.0-synthetic"),
        KernelEra.V5_15 => Old(era, "5.15.0-synthetic"),
        KernelEra.V6_1 => Old(era, "6.1.0-synthetic"),
        KernelEra.V6_3 => Old(era, "6.3.0-synthetic"),
        KernelEra.V6_6 => Middle(era, "6.6.0-synthetic") with { HugetlbBit = 8 },
        KernelEra.V6_9 => Middle(era, "6.9.0-synthetic") with { HugetlbType = ~0x800u },
        KernelEra.V6_10 => New(era, "6.10.0-synthetic", LowBits) with { SwapCache = 11, SwapBacked = 18, HwPoison = 21 },
        KernelEra.V6_11 => New(era, "6.11.0-synthetic", HighBits) with { SwapCache = 11, SwapBacked = 18, HwPoison = 21 },
        KernelEra.V6_12 => New(era, "6.12.0-synthetic", TopByte),
        KernelEra.V6_16 => New(era, "6.16.0-synthetic", TopByte),
        KernelEra.V7_1 => New(era, "7.1.0-synthetic", TopByte),
        _ => throw new ArgumentOutOfRangeException(nameof(era)),
    };

    private static EraProfile Old(KernelEra era, string release) => new(era)
    {
        Release = release,
        Uptodate = 2,
        Lru = 4,
        Waiters = 7,
        Slab = 9,
        SwapCache = 10,
        Reserved = 12,
        Private = 13,
        Head = 16,
        SwapBacked = 19,
        HwPoison = 23,
        BuddyType = ~0x80u,
        OfflineType = ~0x100u,
        TableType = ~0x200u,
        GuardType = ~0x400u,
    };

    private static EraProfile Middle(KernelEra era, string release) => Old(era, release) with
    {
        Uptodate = 3,
        Lru = 5,
        Head = 6,
        Slab = 11,
        SwapCache = 12,
        Reserved = 14,
        Private = 15,
    };

    private static EraProfile New(KernelEra era, string release, uint encoding) => new(era)
    {
        Release = release,
        Uptodate = 3,
        Lru = 5,
        Head = 6,
        Waiters = 7,
        SwapCache = 10,
        Reserved = 13,
        Private = 14,
        SwapBacked = 17,
        HwPoison = 20,
        BuddyType = Type(encoding, 0),
        OfflineType = Type(encoding, 1),
        TableType = Type(encoding, 2),
        GuardType = Type(encoding, 3),
        HugetlbType = Type(encoding, 4),
        SlabType = Type(encoding, 5),
        UnacceptedType = encoding == TopByte ? Type(encoding, 7) : 0,
    };

    private static uint Type(uint encoding, int index) => encoding switch
    {
        LowBits => ~(0x80u << index),
        HighBits => ~(0x40000000u >> index),
        _ => (0xf0u + (uint)index) << 24,
    };
}
