namespace Vmcore.Memmap;

/// <summary>What the filter makes of a page. The order is that of the report.</summary>
public enum PageClass
{
    /// <summary>The kernel's own, or unknown: always kept.</summary>
    Kept,

    /// <summary>Filled with zero (dump level bit 1).</summary>
    Zero,

    /// <summary>Page cache without private data (bit 2).</summary>
    Cache,

    /// <summary>Page cache with private data (bit 4).</summary>
    CachePrivate,

    /// <summary>User process data: anonymous and hugetlb (bit 8).</summary>
    User,

    /// <summary>Free (bit 16).</summary>
    Free,

    /// <summary>Poisoned by a memory error: never read, at any level.</summary>
    HwPoison,

    /// <summary>Logically offline (ballooned): dropped at any level.</summary>
    Offline,

    /// <summary>Memmap and info blocks on pmem (bit 32).</summary>
    PmemMetadata,

    /// <summary>Everything else on pmem: dropped at any level.</summary>
    PmemUserData,

    /// <summary>Memmap that describes only pages that are left out themselves (-e).</summary>
    UnusedMemmap,
}

/// <summary>The bits of the dump level (<c>-d</c>).</summary>
[Flags]
public enum DumpLevel
{
    /// <summary>Nothing is dropped but what no level keeps.</summary>
    None = 0,

    /// <summary>Pages filled with zero.</summary>
    Zero = 1,

    /// <summary>Page cache without private data.</summary>
    Cache = 2,

    /// <summary>All page cache.</summary>
    CachePrivate = 4,

    /// <summary>User process data.</summary>
    User = 8,

    /// <summary>Free pages.</summary>
    Free = 16,

    /// <summary>pmem metadata.</summary>
    PmemMetadata = 32,

    /// <summary>Every bit.</summary>
    All = 63,
}

/// <summary>Numbers of pages by class.</summary>
public sealed class PageCounts
{
    private readonly ulong[] _counts = new ulong[(int)PageClass.UnusedMemmap + 1];

    /// <summary>Number of pages of a class.</summary>
    public ulong this[PageClass page]
    {
        get => _counts[(int)page];
        set => _counts[(int)page] = value;
    }

    /// <summary>Pages of every class but <see cref="PageClass.Kept"/>.</summary>
    public ulong Excluded
    {
        get
        {
            ulong sum = 0;
            for (int i = 1; i < _counts.Length; i++)
                sum += _counts[i];
            return sum;
        }
    }

    /// <summary>Gives the numbers that a dump's note has.</summary>
    /// <param name="leftOut">Pages of each class from <see cref="PageClass.Zero"/> on.</param>
    internal static PageCounts From(IReadOnlyList<ulong> leftOut)
    {
        var counts = new PageCounts();
        for (int i = 0; i < leftOut.Count; i++)
            counts[PageClass.Zero + i] = leftOut[i];
        return counts;
    }

    /// <summary>Adds the numbers of another count.</summary>
    public void Add(PageCounts other)
    {
        for (int i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
    }

    /// <summary>Sets every number to 0.</summary>
    public void Clear() => Array.Clear(_counts);
}
