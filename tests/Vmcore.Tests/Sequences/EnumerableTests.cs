using CsCheck;
using Ours = Vmcore.Sequences.Enumerable;

namespace Vmcore.Tests.Sequences;

/// <summary>The queries of <c>src/Vmcore/Sequences</c> answer as those of System.Linq do.</summary>
public sealed class EnumerableTests
{
    /// <summary>A struct with few values, so that there are equals among them.</summary>
    private readonly record struct Pair(int Key, int Place);

    private static readonly Gen<Pair[]> s_pairs = Gen.Int[0, 5].Array[0, 20].Select(static keys => keys.Select(static (k, i) => new Pair(k, i)).ToArray());

    private static readonly Gen<(Pair[] Pairs, int Count)> s_pairsAndCount = Gen.Select(s_pairs, Gen.Int[-2, 22]);

    [Fact]
    public void SelectingAndFiltering() => s_pairs.Sample(static pairs =>
    {
        Same(pairs.Select(static p => p.Key * 2), Ours.Select(pairs, static p => p.Key * 2));
        Same(pairs.Select(static (p, i) => (p.Key, i)), Ours.Select(pairs, static (p, i) => (p.Key, i)));
        Same(pairs.Where(static p => p.Key > 2), Ours.Where(pairs, static p => p.Key > 2));
        Same(pairs.Where(static (p, i) => p.Key > i), Ours.Where(pairs, static (p, i) => p.Key > i));
        Same(pairs.Where(static p => p.Key > 2).Select(static p => p.Place), Ours.Select(Ours.Where(pairs, static p => p.Key > 2), static p => p.Place));
        Same(pairs.SelectMany(static p => new int[p.Key]), Ours.SelectMany(pairs, static p => new int[p.Key]));
        Same(pairs.SelectMany(static p => new int[p.Key], static (p, n) => p.Place + n),
            Ours.SelectMany(pairs, static p => new int[p.Key], static (p, n) => p.Place + n));
        object[] boxed = [.. pairs.Select(static p => p.Key > 2 ? (object)p : p.Key)];
        Same(boxed.OfType<Pair>(), Ours.OfType<Pair>(boxed));
        Same(boxed.OfType<Pair>().Cast<object>(), Ours.Cast<object>(Ours.OfType<Pair>(boxed)));
    });

    [Fact]
    public void SortingIsStable() => s_pairs.Sample(static pairs =>
    {
        Same(pairs.OrderBy(static p => p.Key), Ours.OrderBy(pairs, static p => p.Key));
        Same(pairs.OrderByDescending(static p => p.Key), Ours.OrderByDescending(pairs, static p => p.Key));
        Same(pairs.OrderBy(static p => p.Key % 2).ThenBy(static p => p.Key), Ours.ThenBy(Ours.OrderBy(pairs, static p => p.Key % 2), static p => p.Key));
        Same(pairs.OrderBy(static p => p.Key % 2).ThenByDescending(static p => p.Key % 3).ThenBy(static p => -p.Place),
            Ours.ThenBy(Ours.ThenByDescending(Ours.OrderBy(pairs, static p => p.Key % 2), static p => p.Key % 3), static p => -p.Place));
        Same(pairs.Select(static p => p.Key).Order(), Ours.Order(pairs.Select(static p => p.Key)));
        Same(pairs.Select(static p => p.Key).OrderDescending(), Ours.OrderDescending(pairs.Select(static p => p.Key)));
        string[] names = [.. pairs.Select(static p => p.Key % 2 == 0 ? $"a{p.Key}" : $"B{p.Key}")];
        Same(names.OrderBy(static n => n, StringComparer.Ordinal), Ours.OrderBy(names, static n => n, StringComparer.Ordinal));
    });

    [Fact]
    public void SetsAndGroups() => Gen.Select(s_pairs, s_pairs).Sample(static (first, second) =>
    {
        IEnumerable<int> a = first.Select(static p => p.Key), b = second.Select(static p => p.Key + 2);
        Same(a.Distinct(), Ours.Distinct(a));
        Same(first.DistinctBy(static p => p.Key), Ours.DistinctBy(first, static p => p.Key));
        Same(a.Union(b), Ours.Union(a, b));
        Same(a.Except(b), Ours.Except(a, b));
        Same(a.Intersect(b), Ours.Intersect(a, b));
        Same(a.Concat(b), Ours.Concat(a, b));
        Same(a.Zip(b), Ours.Zip(a, b));
        Same(first.GroupBy(static p => p.Key).Select(static g => $"{g.Key}: {string.Join(' ', g)}"),
            Ours.Select(Ours.GroupBy(first, static p => p.Key), static g => $"{g.Key}: {string.Join(' ', g)}"));
        Assert.Equal(a.SequenceEqual(b), Ours.SequenceEqual(a, b));
        Assert.True(Ours.SequenceEqual(a, a));
        Assert.False(Ours.SequenceEqual(a, a.Append(1)));
        Assert.False(Ours.SequenceEqual(a.Append(1), a));
    });

    [Fact]
    public void Parts() => s_pairsAndCount.Sample(static (pairs, count) =>
    {
        Same(pairs.Take(count), Ours.Take(pairs, count));
        Same(pairs.Skip(count), Ours.Skip(pairs, count));
        Same(pairs.TakeLast(count), Ours.TakeLast(pairs, count));
        Same(pairs.SkipLast(count), Ours.SkipLast(pairs, count));
        Same(pairs.TakeWhile(p => p.Place < count), Ours.TakeWhile(pairs, p => p.Place < count));
        Same(pairs.SkipWhile(p => p.Place != count), Ours.SkipWhile(pairs, p => p.Place != count));
        Same(pairs.Reverse(), Ours.Reverse(pairs));
        Same(pairs.Append(new(count, 0)), Ours.Append(pairs, new(count, 0)));
        Same(pairs.Prepend(new(count, 0)), Ours.Prepend(pairs, new(count, 0)));
        Same(Enumerable.Range(count, pairs.Length), Ours.Range(count, pairs.Length));
        Same(Enumerable.Repeat(count, pairs.Length), Ours.Repeat(count, pairs.Length));
    });

    [Fact]
    public void Answers() => s_pairs.Sample(static pairs =>
    {
        foreach (IEnumerable<Pair> source in new[] { pairs, pairs.ToList(), pairs.Where(static _ => true) })
        {
            Assert.Equal(source.ToArray(), Ours.ToArray(source));
            Assert.Equal(source.ToList(), Ours.ToList(source));
            Assert.Equal(source.ToHashSet(), Ours.ToHashSet(source));
            Assert.Equal(source.ToDictionary(static p => p.Place), Ours.ToDictionary(source, static p => p.Place));
            Assert.Equal(source.ToDictionary(static p => p.Place, static p => p.Key), Ours.ToDictionary(source, static p => p.Place, static p => p.Key));
            Assert.Equal(source.Any(), Ours.Any(source));
            Assert.Equal(source.Any(static p => p.Key == 4), Ours.Any(source, static p => p.Key == 4));
            Assert.Equal(source.All(static p => p.Key != 4), Ours.All(source, static p => p.Key != 4));
            Assert.Equal(source.Contains(new(3, 3)), Ours.Contains(source, new(3, 3)));
            Assert.Equal(source.Count(), Ours.Count(source));
            Assert.Equal(source.Count(static p => p.Key == 4), Ours.Count(source, static p => p.Key == 4));
            Assert.Equal(source.LongCount(static p => p.Key == 4), Ours.LongCount(source, static p => p.Key == 4));
            Assert.Equal(source.Sum(static p => p.Key), Ours.Sum(source, static p => p.Key));
            Assert.Equal(source.Select(static p => 0.5 * p.Key).Sum(), Ours.Sum(source.Select(static p => 0.5 * p.Key)));
            Assert.Equal(source.Aggregate(7, static (sum, p) => (3 * sum) + p.Key), Ours.Aggregate(source, 7, static (sum, p) => (3 * sum) + p.Key));
        }
    });

    /// <summary>What asks for one element gives it, a default, or throws, as System.Linq does.</summary>
    [Fact]
    public void OneElement() => s_pairs.Sample(static pairs =>
    {
        foreach (IEnumerable<Pair> source in new[] { pairs, pairs.Where(static p => p.Key == 4) })
        {
            SameOrThrows(source.First, () => Ours.First(source));
            SameOrThrows(source.Last, () => Ours.Last(source));
            SameOrThrows(source.Single, () => Ours.Single(source));
            SameOrThrows(source.SingleOrDefault, () => Ours.SingleOrDefault(source));
            SameOrThrows(() => source.First(static p => p.Key == 3), () => Ours.First(source, static p => p.Key == 3));
            SameOrThrows(() => source.Last(static p => p.Key == 3), () => Ours.Last(source, static p => p.Key == 3));
            SameOrThrows(() => source.Single(static p => p.Key == 3), () => Ours.Single(source, static p => p.Key == 3));
            SameOrThrows(() => source.SingleOrDefault(static p => p.Key == 3), () => Ours.SingleOrDefault(source, static p => p.Key == 3));
            SameOrThrows(() => source.Max(static p => p.Key), () => Ours.Max(source, static p => p.Key));
            SameOrThrows(() => source.Min(static p => p.Key), () => Ours.Min(source, static p => p.Key));
            SameOrThrows(() => source.MaxBy(static p => p.Key), () => Ours.MaxBy(source, static p => p.Key));
            SameOrThrows(() => source.MinBy(static p => p.Key), () => Ours.MinBy(source, static p => p.Key));
            SameOrThrows(() => source.Select(static p => p.Key).Aggregate(Math.Max), () => Ours.Aggregate(source.Select(static p => p.Key), Math.Max));
            Assert.Equal(source.FirstOrDefault(), Ours.FirstOrDefault(source));
            Assert.Equal(source.LastOrDefault(), Ours.LastOrDefault(source));
            Assert.Equal(source.FirstOrDefault(static p => p.Key == 3), Ours.FirstOrDefault(source, static p => p.Key == 3));
            Assert.Equal(source.LastOrDefault(static p => p.Key == 3), Ours.LastOrDefault(source, static p => p.Key == 3));
            Assert.Equal(source.FirstOrDefault(static p => p.Key == 3, new(9, 9)), Ours.FirstOrDefault(source, static p => p.Key == 3, new(9, 9)));
        }

        int?[] nullable = [.. pairs.Select(static p => p.Key == 2 ? null : (int?)p.Key)];
        Assert.Equal(nullable.Max(), Ours.Max(nullable));
        Assert.Equal(nullable.Min(), Ours.Min(nullable));
    });

    [Fact]
    public void SumsDoNotWrap() => Assert.Throws<OverflowException>(static () => Ours.Sum([int.MaxValue, 1]));

    /// <summary>A query runs when it is enumerated, as often as it is, and gives its source's enumerator back.</summary>
    [Fact]
    public void QueriesAreLazyAndCanBeRepeated()
    {
        int asked = 0;
        var source = new List<int> { 3, 1, 2 };
        IEnumerable<int> query = Ours.OrderBy(Ours.Where(Ours.Select(source, n => { asked++; return n * 10; }), static n => n > 10), static n => n);
        Assert.Equal(0, asked);
        Assert.Equal([20, 30], query);
        source.Add(4);
        Assert.Equal([20, 30, 40], query);
        Assert.Equal(7, asked);
        using IEnumerator<int> first = query.GetEnumerator(), second = query.GetEnumerator();
        Assert.True(first.MoveNext() && first.MoveNext() && second.MoveNext());
        Assert.Equal((30, 20), (first.Current, second.Current));
    }

    [Fact]
    public void TheSourceIsDisposedOf()
    {
        int disposed = 0;
        Assert.Equal(10, Ours.First(Ours.Where(Ours.Select(Source(), static n => n * 10), static _ => true)));
        Assert.Equal(1, disposed);

        IEnumerable<int> Source()
        {
            try
            {
                yield return 1;
                yield return 2;
            }
            finally
            {
                disposed++;
            }
        }
    }

    private static void Same<T>(IEnumerable<T> theirs, IEnumerable<T> ours)
    {
        T[] expected = [.. theirs];
        Assert.Equal(expected, [.. ours]);
        Assert.Equal(expected, [.. ours]);
    }

    private static void SameOrThrows<T>(Func<T> theirs, Func<T> ours)
    {
        T expected;
        try
        {
            expected = theirs();
        }
        catch (InvalidOperationException)
        {
            Assert.Throws<InvalidOperationException>(() => { _ = ours(); });
            return;
        }

        Assert.Equal(expected, ours());
    }
}
