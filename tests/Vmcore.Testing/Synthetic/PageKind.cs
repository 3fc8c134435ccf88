namespace Vmcore.Testing;

/// <summary>What a page (or block of pages) of RAM is.</summary>
public enum PageKind
{
    /// <summary>Kernel memory without any mark: kept. Compound from order 1 on.</summary>
    KernelData,

    /// <summary>Like <see cref="KernelData"/>, but all zero; also what RAM is where nothing was placed.</summary>
    ZeroFilled,

    /// <summary>A block of the buddy allocator.</summary>
    Free,

    /// <summary>A free page on a per-cpu list: no mark tells, so it is kept.</summary>
    PerCpuFree,

    /// <summary>File cache on the LRU without PG_private.</summary>
    PageCache,

    /// <summary>File cache on the LRU with PG_private.</summary>
    PageCachePrivate,

    /// <summary>Swap cache of shared memory: not on the LRU, not anonymous.</summary>
    SwapCache,

    /// <summary>A page of a file system that uses the bit of PG_swapcache for itself, without PG_swapbacked: kept.</summary>
    OwnerPrivate,

    /// <summary>User memory; a transparent huge page from order 1 on.</summary>
    Anonymous,

    /// <summary>Anonymous and in the swap cache: user.</summary>
    AnonymousSwapCache,

    /// <summary>Merged by KSM: user.</summary>
    Ksm,

    /// <summary>Transparent huge page; order 9 unless another is given.</summary>
    AnonHuge,

    /// <summary>hugetlbfs page; order 9 unless another (18: 1 GiB) is given.</summary>
    Hugetlb,

    Slab,
    PageTable,
    Guard,
    Reserved,

    /// <summary>Poisoned kernel page.</summary>
    HwPoison,

    /// <summary>Poisoned anonymous page: user where user pages are excluded, otherwise hwpoison.</summary>
    HwPoisonAnonymous,

    /// <summary>PageOffline: hot-plugged but logically offline.</summary>
    Offline,

    /// <summary>Inflated balloon page: the same mark as <see cref="Offline"/>.</summary>
    Balloon,

    /// <summary>Memory of a confidential guest that was not accepted yet; order 10.</summary>
    Unaccepted,

    /// <summary>A struct page of all ones (never initialised).</summary>
    PoisonedStructPage,
}

/// <summary>What fills a placed page.</summary>
public enum PageFill
{
    /// <summary>Text or pseudo-random bytes as fits the kind.</summary>
    ByKind,

    /// <summary>All zero.</summary>
    Zero,
}

/// <summary>What a dumper has to do with a page.</summary>
public enum ExpectedVerdict
{
    Keep,

    /// <summary>Kept by its kind, but all zero while level bit 1 is set. kdump-compressed keeps it in bitmap 2.</summary>
    ZeroFilled,
    CacheNonPrivate,
    CachePrivate,
    User,
    Free,
    HwPoison,
    Offline,
    PmemMetadata,
    PmemUserData,

    /// <summary>The machine has no memory there.</summary>
    NoMemory,
}
