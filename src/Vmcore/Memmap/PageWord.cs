using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmcore.Memmap;

/// <summary>What 64 neighbouring pages are, a bit a page, LSB first.</summary>
/// <param name="Unusual">Pages that <see cref="PageClassifier.Classify"/> has to be asked about; no other mask has them.</param>
/// <param name="Cache">Page cache without private data that goes, page by page.</param>
/// <param name="CachePrivate">Page cache with private data that goes, page by page.</param>
/// <param name="User">Anonymous pages that go, page by page.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct PageWord(ulong Unusual, ulong Cache, ulong CachePrivate, ulong User);

/// <summary>
/// The rules of <see cref="PageClassifier"/> for what most pages are: a single page that is anonymous, in the page cache, the kernel's own or a tail.
/// Without branches: on a machine full of such pages in random order, half of them would be guessed wrong. What could be more than a single page
/// (a free block, a compound page) or has a page type is left to <see cref="PageClassifier.Classify"/>.
/// </summary>
internal sealed class PageWordClassifier
{
    /// <summary>Pages in a word.</summary>
    internal const int Pages = 64;

    private readonly StructPageLayout _layout;
    private readonly ulong _unusualFlags;
    private readonly ulong _swapCache;
    private readonly ulong _tail;
    private readonly int _tailOffset;
    private readonly ulong _wantCache;
    private readonly ulong _wantPrivate;
    private readonly ulong _wantUser;

    private PageWordClassifier(StructPageLayout layout, DumpLevel level)
    {
        _layout = layout;
        _unusualFlags = layout.HeadMask | layout.HwPoison;
        _swapCache = layout.SwapCache | layout.SwapBacked;
        _tail = layout.CompoundHead >= 0 ? 1u : 0;
        _tailOffset = Math.Max(layout.CompoundHead, 0);
        _wantCache = (level & (DumpLevel.Cache | DumpLevel.CachePrivate)) != 0 ? ulong.MaxValue : 0;
        _wantPrivate = (level & DumpLevel.CachePrivate) != 0 ? ulong.MaxValue : 0;
        _wantUser = (level & DumpLevel.User) != 0 ? ulong.MaxValue : 0;
    }

    /// <summary>Creates a classifier.</summary>
    /// <param name="layout">The kernel's <c>struct page</c>.</param>
    /// <param name="level">The dump level.</param>
    /// <returns>Null if the kernel tells its page types in a way that this cannot tell from a count of mappings.</returns>
    internal static PageWordClassifier? TryCreate(StructPageLayout layout, DumpLevel level) =>
        IsTyped(layout.SlabType) && IsTyped(layout.BuddyType) && IsTyped(layout.OfflineType) && IsTyped(layout.HugetlbType) && IsTyped(layout.UnacceptedType)
            ? new(layout, level) : null;

    /// <summary>Classifies 64 pages.</summary>
    /// <param name="structs">Their structures. Where one could not be read, its bits are undefined.</param>
    internal PageWord Classify(ReadOnlySpan<byte> structs)
    {
        StructPageLayout layout = _layout;
        int size = layout.Size;
        if (structs.Length < Pages * size)
            throw new ArgumentException("Fewer than 64 structures.", nameof(structs));
        int flagsAt = layout.Flags, mapCountAt = layout.MapCount, mappingAt = layout.Mapping, tailAt = _tailOffset;
        ulong unusualFlags = _unusualFlags, slab = layout.Slab, lru = layout.Lru, swapCache = _swapCache, hasPrivate = layout.PrivateFlag;
        ulong unusual = 0, tails = 0, anonymous = 0, cache = 0, withPrivate = 0;
        // The layout has been checked: every offset lies inside the structure.
        ref byte page = ref MemoryMarshal.GetReference(structs);
        for (int i = 0; i < Pages; i++)
        {
            ulong flags = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref page, flagsAt));
            int mapCount = Unsafe.ReadUnaligned<int>(ref Unsafe.Add(ref page, mapCountAt));
            ulong mapping = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref page, mappingAt));
            ulong tail = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref page, tailAt));
            page = ref Unsafe.Add(ref page, size);
            unusual = (unusual >> 1) | (Bit(((flags & unusualFlags) != 0) | (mapCount < -1) | (flags == ulong.MaxValue)) << 63);
            tails = (tails >> 1) | (tail << 63);
            anonymous = (anonymous >> 1) | ((mapping & Bit((flags & slab) == 0)) << 63);
            cache = (cache >> 1) | (Bit(((flags & lru) != 0) | ((flags & swapCache) == swapCache)) << 63);
            withPrivate = (withPrivate >> 1) | (Bit((flags & hasPrivate) != 0) << 63);
        }

        // A tail stays unless its head says otherwise, whatever else it looks like.
        ulong plain = ~(tails & (0 - _tail));
        unusual &= plain;
        plain &= ~unusual;
        cache &= ~anonymous & _wantCache & plain;
        return new(unusual, cache & ~withPrivate, cache & withPrivate & _wantPrivate, anonymous & _wantUser & plain);
    }

    /// <summary>True if all values of the field that mark this type, seen as a signed number, are below −1, which a count of mappings never is.</summary>
    private static bool IsTyped(PageType type) => !type.IsKnown || (type.Value << type.Shift | ((1u << type.Shift) - 1)) is >= 1u << 31 and < uint.MaxValue;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Bit(bool value) => Unsafe.BitCast<bool, byte>(value);
}
