using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>
/// The crashed machine's physical memory as one dump has it, page by page. A raw vmcore and a filtered dump look alike from above.
/// </summary>
/// <remarks>May be read from several threads at once.</remarks>
public abstract class CrashMemory : IPhysicalMemory
{
    /// <summary>Creates the memory.</summary>
    /// <param name="pageShift">log2 of the page size in bytes, 12 to 20.</param>
    /// <param name="limits">The bounds on what is believed of what the memory says.</param>
    private protected CrashMemory(int pageShift, ReadLimits limits)
    {
        Limits = limits;
        ArgumentOutOfRangeException.ThrowIfLessThan(pageShift, 12);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pageShift, 20);
        PageShift = pageShift;
    }

    /// <summary>log2 of the page size in bytes.</summary>
    public int PageShift { get; }

    /// <inheritdoc/>
    public ReadLimits Limits { get; }

    /// <summary>Page size in bytes.</summary>
    public int PageSize => 1 << PageShift;

    /// <summary>One past the highest pfn that the dump knows of.</summary>
    public abstract ulong MaxPfn { get; }

    /// <summary>Ranges outside of which there is no page; an upper bound that costs nothing to walk.</summary>
    public abstract PfnRangeSet Extents { get; }

    /// <summary>Says for a block of pages which exist on the machine and which have their content in the dump.</summary>
    /// <param name="firstPfn">First pfn, a multiple of 64.</param>
    /// <param name="exists">Receives one bit a page, LSB first: the dump covers the page, be it excluded or not.</param>
    /// <param name="present">Receives one bit a page: its content (or a part, for a
    /// partial page) is in the dump. Same length as <paramref name="exists"/>.</param>
    public abstract void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present);

    /// <summary>
    /// Tells which pages have their content nowhere although the input says that they have: it was cut short, a part of it is missing, or they could not be
    /// read when it was written. <see cref="GetPages"/> has them as present, since they are pages that the dump should have; reading one says what it is.
    /// </summary>
    /// <param name="firstPfn">First pfn, a multiple of 64.</param>
    /// <param name="present">The pages with content, as <see cref="GetPages"/> gives them; those that are lost are cleared.</param>
    internal virtual void ClearLost(ulong firstPfn, Span<ulong> present)
    {
    }

    /// <summary>Tells whether the input has the content of all pages of a range, if that can be told without looking at each.</summary>
    /// <param name="range">The pages.</param>
    /// <returns>True if all are there; false if not, or if only <see cref="GetPages"/> can tell.</returns>
    public virtual bool HasAll(PfnRange range) => false;

    /// <summary>The pages that have their content (or a part, for a partial page) in the dump, ascending. Costs no more than the pages that exist.</summary>
    public IEnumerable<ulong> PresentPages()
    {
        const int Words = 512;
        ulong[] exists = new ulong[Words], present = new ulong[Words];
        foreach (PfnRange range in Extents)
        {
            for (ulong first = range.Start & ~63UL; first < range.End; first += 64 * Words)
            {
                first = AbsentUntil(new(Math.Max(first, range.Start), range.End)) & ~63UL;
                GetPages(first, exists, present);
                for (ulong pfn = Math.Max(first, range.Start); pfn < Math.Min(first + (64 * Words), range.End); pfn++)
                {
                    if ((present[(pfn - first) / 64] >> (int)(pfn % 64) & 1) != 0)
                        yield return pfn;
                }
            }
        }
    }

    /// <summary>Tells up to where the input has no content at all, if that can be told without looking at each page:
    /// one step, however large the range.</summary>
    /// <param name="range">The pages. Those that do not exist have no content.</param>
    /// <returns>One past the last page, from the start of the range on, without content; the start if it has content, or only
    /// <see cref="GetPages"/> can tell.</returns>
    public virtual ulong AbsentUntil(PfnRange range) => range.Start;

    /// <summary>Tells up to where all pages read as zero, if that can be told without reading them: an image of RAM with holes.</summary>
    /// <param name="range">The pages, inside one of <see cref="Extents"/>.</param>
    /// <returns>One past the last page, from the start of the range on, that is there and zero; the start if only reading can tell.</returns>
    internal virtual ulong ZeroUntil(PfnRange range) => range.Start;

    /// <summary>True if every page in <see cref="Extents"/> exists, so that one without content is one that was left out or lies beyond a cut.</summary>
    internal virtual bool ExtentsExist => true;

    /// <summary>Tells up to where there is no page at all, if that can be told without looking at each: one step, however large the range.</summary>
    /// <param name="range">The pages, inside one of <see cref="Extents"/>.</param>
    /// <returns>One past the last page, from the start of the range on, that does not exist; the start if it does,
    /// or only <see cref="GetPages"/> can tell.</returns>
    internal virtual ulong HoleUntil(PfnRange range) => range.Start;

    /// <summary>Reads one whole page; the part of a partial page that nothing covers is zero.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="page">Receives the page, <see cref="PageSize"/> bytes; zero-filled where it cannot be read.</param>
    /// <returns><see cref="MemoryStatus.Ok"/>, or why there is no content.</returns>
    public abstract MemoryStatus ReadPage(ulong pfn, Span<byte> page);

    /// <summary>Reads neighbouring pages at once where that is cheaper than one by one.</summary>
    /// <param name="pfn">First page.</param>
    /// <param name="pages">Receives a whole number of pages.</param>
    /// <returns>Number of pages read from the start of the buffer, all of them whole and good; 0 if <see cref="ReadPage"/> must say more.</returns>
    public abstract int ReadPages(ulong pfn, Span<byte> pages);

    /// <inheritdoc/>
    public abstract MemoryStatus Read(ulong address, Span<byte> buffer);
}
