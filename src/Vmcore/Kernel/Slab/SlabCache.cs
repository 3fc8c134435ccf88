namespace Vmcore.Kernel.Slab;

/// <summary>A cache of small objects of one size (<c>struct kmem_cache</c>).</summary>
/// <param name="Address">Virtual address of the structure.</param>
/// <param name="Name">Its name, as in /proc/slabinfo; caches that were merged share one. Empty if it cannot be read.</param>
/// <param name="ObjectSize">Bytes of an object, without what the allocator puts around it.</param>
/// <param name="Stride">Bytes from one object to the next.</param>
/// <param name="LeftPadding">Bytes of a slot that lie before its object (red zone); 0 where debugging is off.</param>
public sealed record SlabCache(ulong Address, string Name, uint ObjectSize, uint Stride, uint LeftPadding);

/// <summary>A place for one object in a slab. Whether it is in use is not known from it.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="Address">Virtual address of the object.</param>
/// <param name="Index">Its number in the slab, from 0.</param>
public sealed record SlabObject(SlabCache Cache, ulong Address, int Index);
