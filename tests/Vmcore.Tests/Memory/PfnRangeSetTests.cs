using CsCheck;
using Vmcore.Ranges;

namespace Vmcore.Tests.Memory;

/// <summary>Range sets against sets of single pages.</summary>
public sealed class PfnRangeSetTests
{
    private static readonly Gen<PfnRange[]> s_ranges =
        Gen.Select(Gen.ULong[0, 200], Gen.ULong[0, 20]).Select(t => new PfnRange(t.Item1, t.Item1 + t.Item2)).Array[0, 15];

    [Fact]
    public void OperationsAreThoseOfSets() =>
        Gen.Select(s_ranges, s_ranges).Sample(t =>
        {
            PfnRangeSet a = PfnRangeSet.From(t.Item1), b = PfnRangeSet.From(t.Item2);
            SortedSet<ulong> x = Pages(t.Item1), y = Pages(t.Item2);
            Same(x, a);
            Same([.. x.Union(y)], a.Union(b));
            Same([.. x.Intersect(y)], a.Intersect(b));
            Same([.. x.Except(y)], a.Except(b));
            for (ulong pfn = 0; pfn < 230; pfn++)
            {
                Assert.Equal(x.Contains(pfn), a.Contains(pfn));
                int index = a.IndexAtOrAfter(pfn);
                Assert.True(index == a.Count || a[index].End > pfn);
                Assert.True(index == 0 || a[index - 1].End <= pfn);
            }

            foreach (PfnRange range in t.Item2)
                Same([.. x.Where(range.Contains)], a.Intersect(range));
        });

    [Fact]
    public void RangesAreSortedAndDoNotTouch() =>
        s_ranges.Sample(ranges =>
        {
            PfnRangeSet set = PfnRangeSet.From(ranges);
            for (int i = 0; i < set.Count; i++)
            {
                Assert.False(set[i].IsEmpty);
                Assert.True(i == 0 || set[i].Start > set[i - 1].End);
            }

            Assert.Equal(set.Count == 0, set.IsEmpty);
            Assert.Equal(set.ToArray(), Enumerable.Range(0, set.Count).Select(i => set[i]).ToArray());
        });

    [Fact]
    public void InvertedRangesAreEmpty()
    {
        Assert.True(PfnRangeSet.From([new(5, 3), new(7, 7)]).IsEmpty);
        Assert.Equal(0ul, new PfnRange(9, 2).Count);
        Assert.True(new PhysicalRange(9, 2).ToPfns(12).IsEmpty);
    }

    [Theory]
    [InlineData(0x1000, 0x2000, 1, 2)]
    [InlineData(0x1fff, 0x2001, 1, 3)]
    [InlineData(0x1001, 0x1002, 1, 2)]
    [InlineData(0x0, 0x1, 0, 1)]
    public void BytesTouchTheirPages(ulong start, ulong end, ulong first, ulong last) =>
        Assert.Equal(new PfnRange(first, last), new PhysicalRange(start, end).ToPfns(12));

    private static SortedSet<ulong> Pages(IEnumerable<PfnRange> ranges)
    {
        SortedSet<ulong> pages = [];
        foreach (PfnRange range in ranges)
        {
            for (ulong pfn = range.Start; pfn < range.End; pfn++)
                pages.Add(pfn);
        }

        return pages;
    }

    private static void Same(SortedSet<ulong> expected, PfnRangeSet set)
    {
        Assert.Equal(expected, Pages(set));
        Assert.Equal((ulong)expected.Count, set.PageCount);
    }
}
