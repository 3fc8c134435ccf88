using Vmcore.Kernel.Types;
using Vmcore.Memmap;

namespace Vmcore.Kernel.Slab;

/// <summary>What SLUB keeps of a cache.</summary>
/// <remarks>Source: mm/slab.h (struct kmem_cache), mm/slub.c (struct kmem_cache_order_objects, freelist_ptr_decode).</remarks>
internal sealed class SlubCache
{
    private const int OrderShift = 16;
    private const uint ObjectsMask = 0xffff;

    /// <summary>Per-CPU offset of its kmem_cache_cpu; 0 if the kernel has none (CONFIG_SLUB_TINY).</summary>
    internal ulong CpuSlab { get; private init; }

    /// <summary>Where an object that is free has the address of the next, in bytes from its start.</summary>
    internal uint Link { get; private init; }

    /// <summary>What these addresses are XORed with (CONFIG_SLAB_FREELIST_HARDENED); null if they are plain.</summary>
    internal ulong? Random { get; private init; }

    /// <summary>True if each CPU has sheaves of free objects (6.18 and later), which are on no slab's list.</summary>
    internal bool HasSheaves { get; private init; }

    private uint Usual { get; init; }

    private uint Smallest { get; init; }

    /// <summary>log2 of the pages of a slab with so many objects; null if the cache makes no such slabs.</summary>
    internal int? OrderOf(int objects)
    {
        uint kind = (Usual & ObjectsMask) == objects ? Usual : Smallest;
        return (kind & ObjectsMask) == objects && kind >> OrderShift <= PageClassifier.LargestOrder ? (int)(kind >> OrderShift) : null;
    }

    /// <summary>Reads it; null of another allocator (CONFIG_SLAB, CONFIG_SLOB).</summary>
    /// <param name="cache">The <c>struct kmem_cache</c>.</param>
    /// <exception cref="KernelObjectException">It cannot be read.</exception>
    internal static SlubCache? TryRead(KernelObject cache)
    {
        KernelType type = cache.Type;
        if (type.FindMember("oo") is null || type.FindMember("min") is null || type.FindMember("offset") is null)
            return null;
        return new()
        {
            CpuSlab = Number("cpu_slab") ?? 0,
            Link = (uint)cache.Member("offset").AsUInt64(),
            Random = Number("random"),
            HasSheaves = Number("cpu_sheaves") is > 0,
            Usual = (uint)cache.Member("oo").Member("x").AsUInt64(),
            Smallest = (uint)cache.Member("min").Member("x").AsUInt64(),
        };

        ulong? Number(string member) => type.FindMember(member) is null ? null : cache.Member(member).AsUInt64();
    }
}
