namespace Vmcore.Kernel.Slab;

/// <summary>A cache of small objects of one size (<c>struct kmem_cache</c>).</summary>
/// <param name="Address">Virtual address of the structure.</param>
/// <param name="Name">Its name, as in /proc/slabinfo; caches that were merged share one. Empty if it cannot be read.</param>
/// <param name="ObjectSize">Bytes of an object, without what the allocator puts around it.</param>
/// <param name="Stride">Bytes from one object to the next.</param>
/// <param name="LeftPadding">Bytes of a slot that lie before its object (red zone); 0 where debugging is off.</param>
public sealed record SlabCache(ulong Address, string Name, uint ObjectSize, uint Stride, uint LeftPadding)
{
    /// <summary>What the allocator SLUB keeps of it; null of another allocator.</summary>
    internal SlubCache? Slub { get; init; }
}

/// <summary>A place for one object in a slab. Whether it is in use says <see cref="SlabCaches.StateOf"/>.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="Address">Virtual address of the object.</param>
/// <param name="Index">Its number in the slab, from 0.</param>
public sealed record SlabObject(SlabCache Cache, ulong Address, int Index);

/// <summary>Whether a place for an object is in use.</summary>
public enum SlabObjectState
{
    /// <summary>It cannot be proven: a list of free objects is damaged or not in the dump, or the allocator keeps others that are not read.</summary>
    Unknown,

    /// <summary>It is on a list of free objects: of its slab, or of a CPU.</summary>
    Free,

    /// <summary>It is on none of them, and all of them are whole.</summary>
    InUse,
}

/// <summary>Pages that a cache has cut into objects (<c>struct slab</c>; up to 5.16 <c>struct page</c>).</summary>
public sealed class SlabPages
{
    /// <summary>The cache.</summary>
    public required SlabCache Cache { get; init; }

    /// <summary>Virtual address of its structure, which is that of its first page.</summary>
    public required ulong Address { get; init; }

    /// <summary>Its first page.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>Virtual address of its first byte.</summary>
    public required ulong Start { get; init; }

    /// <summary>Places for objects.</summary>
    public required int Objects { get; init; }

    /// <summary>Bytes of its pages.</summary>
    public required ulong Bytes { get; init; }

    /// <summary>Virtual address of one of its objects.</summary>
    /// <param name="index">Its number, from 0.</param>
    public ulong AddressOf(int index) => Start + Cache.LeftPadding + ((ulong)index * Cache.Stride);

    /// <summary>Places that are not on the slab's own list of free objects; a CPU may have some of them on its list.</summary>
    internal int NotListed { get; init; }

    /// <summary>The first object of its list of free objects; 0 if that is empty.</summary>
    internal ulong FreeList { get; init; }

    /// <summary>True if a CPU allocates from it, and up to 6.7 if it is on a CPU's list of slabs.</summary>
    internal bool IsFrozen { get; init; }
}

/// <summary>How much of a cache is in use.</summary>
public sealed class SlabUse
{
    /// <summary>The cache.</summary>
    public required SlabCache Cache { get; init; }

    /// <summary>Its slabs.</summary>
    public long Slabs { get; internal set; }

    /// <summary>Bytes of their pages.</summary>
    public ulong Bytes { get; internal set; }

    /// <summary>Places for objects in them.</summary>
    public long Objects { get; internal set; }

    /// <summary>Those that are free, as far as that is proven.</summary>
    public long Free { get; internal set; }

    /// <summary>Those of which it cannot be told.</summary>
    public long Unknown { get; internal set; }

    /// <summary>Those that are in use.</summary>
    public long InUse => Objects - Free - Unknown;
}
