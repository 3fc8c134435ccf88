using CsCheck;
using Linq = System.Linq.Enumerable;
using Ours = Vmcore.Sequences.Sequence;

namespace Vmcore.Tests.Sequences;

/// <summary>The operators give what those of System.Linq give.</summary>
public sealed class SequenceTests
{
    private static readonly Gen<(int[] Items, int Count)> s_input = Gen.Select(Gen.Int[-5, 5].Array[0, 12], Gen.Int[-2, 14]);

    [Fact]
    public void LazyOnes() => s_input.Sample(static input =>
    {
        (int[] items, int count) = input;
        Assert.Equal(Linq.Select(items, i => i * 2L), Ours.Select(items, i => i * 2L));
        Assert.Equal(Linq.Select(items, (x, i) => (x, i)), Ours.Select(items, (x, i) => (x, i)));
        Assert.Equal(Linq.SelectMany(items, i => new[] { i, -i }), Ours.SelectMany(items, i => new[] { i, -i }));
        Assert.Equal(Linq.Where(items, i => i > 0), Ours.Where(items, i => i > 0));
        Assert.Equal(Linq.Where(items, (x, i) => x > i), Ours.Where(items, (x, i) => x > i));
        Assert.Equal(Linq.OfType<string>(new object[] { 1, "a", count }), Ours.OfType<string>(new object[] { 1, "a", count }));
        Assert.Equal(Linq.Concat(items, [count]), Ours.Concat(items, [count]));
        Assert.Equal(Linq.Append(items, count), Ours.Append(items, count));
        Assert.Equal(Linq.Skip(items, count), Ours.Skip(items, count));
        Assert.Equal(Linq.Take(items, count), Ours.Take(items, count));
        Assert.Equal(Linq.TakeWhile(items, i => i < count), Ours.TakeWhile(items, i => i < count));
        Assert.Equal(Linq.TakeLast(items, count), Ours.TakeLast(items, count));
        Assert.Equal(Linq.SkipLast(items, Math.Max(count, 0)), Ours.SkipLast(items, Math.Max(count, 0)));
        Assert.Equal(Linq.Distinct(items), Ours.Distinct(items));
        Assert.Equal(Linq.Range(count, items.Length), Ours.Range(count, items.Length));
    });

    [Fact]
    public void OrdersAreStable() => s_input.Sample(static input =>
    {
        (int Value, int Place)[] items = [.. Linq.Select(input.Items, (x, i) => (x, i))];
        Assert.Equal(Linq.Order(input.Items), Ours.Order(input.Items));
        Assert.Equal(Linq.OrderBy(items, i => i.Value), Ours.OrderBy(items, i => i.Value));
        Assert.Equal(Linq.OrderByDescending(items, i => i.Value), Ours.OrderByDescending(items, i => i.Value));
        Assert.Equal(Linq.ThenBy(Linq.OrderBy(items, i => i.Value % 2), i => i.Value), Ours.OrderBy(items, i => i.Value % 2).ThenBy(i => i.Value));
        Assert.Equal(
            Linq.Select(Linq.GroupBy(input.Items, i => i % 3), g => (g.Key, string.Join(',', g))),
            Ours.Select(Ours.GroupBy(input.Items, i => i % 3), g => (g.Key, string.Join(',', g.Value))));
    });

    [Fact]
    public void Answers() => s_input.Sample(static input =>
    {
        (int[] items, int count) = input;
        Assert.Equal(Linq.Any(items), Ours.Any(items));
        Assert.Equal(Linq.Any(items, i => i == count), Ours.Any(items, i => i == count));
        Assert.Equal(Linq.All(items, i => i < count), Ours.All(items, i => i < count));
        Assert.Equal(Linq.Contains(items, count), Ours.Contains(items, count));
        Assert.Equal(Linq.SequenceEqual(items, Linq.Take(items, count)), Ours.SequenceEqual(items, Linq.Take(items, count)));
        Assert.Equal(items.Length, Ours.Count(items));
        Assert.Equal(Linq.Count(items, i => i > 0), Ours.Count(items, i => i > 0));
        Assert.Equal(Linq.FirstOrDefault(items), Ours.FirstOrDefault(items));
        Assert.Equal(Linq.FirstOrDefault(items, i => i > 3), Ours.FirstOrDefault(items, i => i > 3));
        Assert.Equal(Linq.FirstOrDefault(items, i => i > 3, count), Ours.FirstOrDefault(items, i => i > 3, count));
        Assert.Equal(Linq.LastOrDefault(items), Ours.LastOrDefault(items));
        Assert.Equal(Linq.LastOrDefault(items, i => i > 3), Ours.LastOrDefault(items, i => i > 3));
        Assert.Equal(Linq.Aggregate(items, 7L, (a, i) => (a * 3) + i), Ours.Aggregate(items, 7L, (a, i) => (a * 3) + i));
        Assert.Equal(Linq.Sum(items, i => (long)i), Ours.Sum(items, i => (long)i));
        (int, int)[] placed = [.. Linq.Select(items, (x, i) => (x, i))];
        Assert.Equal(Linq.ToDictionary(placed, p => p.Item2, p => p.Item1), Ours.ToDictionary(placed, p => p.Item2, p => p.Item1));
        if (items.Length == 0)
            return;
        Assert.Equal(Linq.First(items), Ours.First(items));
        Assert.Equal(Linq.Last(items), Ours.Last(items));
        Assert.Equal(Linq.Max(items), Ours.Max(items));
        Assert.Equal(Linq.MaxBy(placed, p => p.Item1), Ours.MaxBy(placed, p => p.Item1));
        Assert.Equal(Linq.Min(items, i => -i), Ours.Min(items, i => -i));
    });

    [Fact]
    public void NoItemsAndTooLargeSums()
    {
        Assert.Throws<InvalidOperationException>(static () => Ours.Max(Array.Empty<int>()));
        Assert.Throws<InvalidOperationException>(static () => Ours.First(Array.Empty<string>()));
        Assert.Throws<OverflowException>(static () => Ours.Sum(new[] { long.MaxValue, 1 }, i => i));
    }
}
