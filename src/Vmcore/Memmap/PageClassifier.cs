using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmcore.Memmap;

/// <summary>The answer for a page and, if it starts a block, for the whole block.</summary>
/// <param name="Class">The class; <see cref="PageClass.Kept"/> if the page stays.</param>
/// <param name="Pages">Number of pages that the answer is for, 1 or more.</param>
public readonly record struct PageVerdict(PageClass Class, ulong Pages);

/// <summary>
/// Decides from its <c>struct page</c> whether a page of RAM goes, and as what. Rules and their order are those of makedumpfile,
/// without the defects that docs/compatibility.md lists. pmem never comes here: it is decided by range.
/// </summary>
public sealed class PageClassifier
{
    /// <summary>Order of the largest pages that any machine has: 16 GiB in pages of 4 KiB. A damaged order must not take terabytes along.</summary>
    internal const int LargestOrder = 22;

    private readonly StructPageLayout _layout;
    private readonly DumpLevel _level;

    /// <summary>Creates a classifier.</summary>
    /// <param name="layout">The kernel's <c>struct page</c>.</param>
    /// <param name="level">The dump level.</param>
    public PageClassifier(StructPageLayout layout, DumpLevel level)
    {
        _layout = layout;
        _level = level;
    }

    /// <summary>Number of free blocks met whose order was impossible; they were kept.</summary>
    public long BadFreeOrders { get; private set; }

    /// <summary>True if classification can change anything at this level on this kernel.</summary>
    public bool IsNeeded => (_level & (DumpLevel.Cache | DumpLevel.CachePrivate | DumpLevel.User | DumpLevel.Free)) != 0
        || _layout.HwPoison != 0 || _layout.OfflineType.IsKnown;

    /// <summary>True if the structure is a compound page's tail: its head decides.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsTail(ReadOnlySpan<byte> page) =>
        _layout.CompoundHead >= 0 && (Word(page, _layout.CompoundHead) & 1) != 0;

    /// <summary>Classifies one page.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="pages">Its structure and, if there is one, the next page's, which holds a compound page's order.</param>
    public PageVerdict Classify(ulong pfn, ReadOnlySpan<byte> pages)
    {
        StructPageLayout layout = _layout;
        ulong flags = Word(pages, layout.Flags);
        if (IsTail(pages) || flags == ulong.MaxValue)
            return new(PageClass.Kept, 1); // All ones: a structure of offline memory that was never initialised.
        uint mapCount = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref MemoryMarshal.GetReference(pages), layout.MapCount));
        bool isSlab = layout.SlabType.IsKnown ? layout.SlabType.Matches(mapCount) : (flags & layout.Slab) != 0;
        if ((_level & DumpLevel.Free) != 0 && IsFree(pfn, pages, mapCount, isSlab, out PageVerdict free))
            return free;
        bool isAnonymous = !isSlab && (Word(pages, layout.Mapping) & 1) != 0;
        bool isCache = !isAnonymous && IsCache(flags);
        bool hasPrivate = (flags & layout.PrivateFlag) != 0;
        PageClass result;
        if (isCache && (_level & (DumpLevel.Cache | DumpLevel.CachePrivate)) != 0 && (!hasPrivate || (_level & DumpLevel.CachePrivate) != 0))
            result = hasPrivate ? PageClass.CachePrivate : PageClass.Cache;
        else if ((_level & DumpLevel.User) != 0 && (isAnonymous || IsHugetlb(flags, mapCount, pages)))
            result = PageClass.User;
        else if ((flags & layout.HwPoison) != 0)
            result = PageClass.HwPoison;
        else if (!isSlab && layout.OfflineType.Matches(mapCount))
            result = PageClass.Offline;
        else
            return new(PageClass.Kept, 1);
        return new(result, 1UL << CompoundOrder(pfn, flags, pages));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Word(ReadOnlySpan<byte> page, int offset) =>
        // StructPageLayout has checked that every offset lies inside the structure.
        Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref MemoryMarshal.GetReference(page), offset));

    private bool IsFree(ulong pfn, ReadOnlySpan<byte> pages, uint mapCount, bool isSlab, out PageVerdict verdict)
    {
        verdict = default;
        if (_layout.BuddyType.Matches(mapCount) && !isSlab && _layout.Private >= 0)
        {
            ulong order = Word(pages, _layout.Private);
            if (order >= (ulong)_layout.FreeAreas || (pfn & ((1UL << (int)order) - 1)) != 0)
            {
                BadFreeOrders++;
                verdict = new(PageClass.Kept, 1);
                return true;
            }

            verdict = new(PageClass.Free, 1UL << (int)order);
            return true;
        }

        if (_layout.UnacceptedType.Matches(mapCount))
        {
            verdict = new(PageClass.Free, 1UL << (_layout.FreeAreas - 1));
            return true;
        }

        return false;
    }

    private bool IsCache(ulong flags) =>
        (flags & _layout.Lru) != 0
        || ((flags & _layout.SwapCache) != 0 && (_layout.SwapBacked == 0 || (flags & _layout.SwapBacked) != 0));

    private bool IsHugetlb(ulong flags, uint mapCount, ReadOnlySpan<byte> pages)
    {
        if (_layout.HugetlbType.IsKnown)
            return _layout.HugetlbType.Matches(mapCount);
        if ((flags & _layout.HeadMask) == 0 || pages.Length < 2 * _layout.Size)
            return false;
        if (_layout.HugetlbFlag >= 0)
            return (Word(pages, _layout.Size + _layout.Flags) >> _layout.HugetlbFlag & 1) != 0;
        return _layout.HugetlbDestructor >= 0 && pages[_layout.CompoundDestructor] == _layout.HugetlbDestructor;
    }

    private int CompoundOrder(ulong pfn, ulong flags, ReadOnlySpan<byte> pages)
    {
        if ((flags & _layout.HeadMask) == 0 || pages.Length < 2 * _layout.Size)
            return 0;
        int order = pages[_layout.CompoundOrder];
        return order > LargestOrder || (pfn & ((1UL << order) - 1)) != 0 ? 0 : order;
    }
}
