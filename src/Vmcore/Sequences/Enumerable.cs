using System.Collections;

namespace Vmcore.Sequences;

/// <summary>
/// The queries of System.Linq, by their names and with their results, in little code. Its own are compiled anew for each struct, each query as half a dozen
/// classes with twenty methods for what it might be asked next: that was a seventh of the executable. The projects of src have no reference to
/// System.Linq; what is missing here is added when it is needed.
/// </summary>
internal static partial class Enumerable
{
    internal static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector) =>
        new Selected<T, TResult>(source, selector);

    internal static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, int, TResult> selector)
    {
        int i = 0;
        foreach (T item in source)
            yield return selector(item, i++);
    }

    internal static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate) => new Filtered<T>(source, predicate);

    internal static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> predicate)
    {
        int i = 0;
        foreach (T item in source)
        {
            if (predicate(item, i++))
                yield return item;
        }
    }

    internal static IEnumerable<TResult> SelectMany<T, TResult>(this IEnumerable<T> source, Func<T, IEnumerable<TResult>> selector)
    {
        foreach (T item in source)
        {
            foreach (TResult part in selector(item))
                yield return part;
        }
    }

    internal static IEnumerable<TResult> SelectMany<T, TPart, TResult>(
        this IEnumerable<T> source, Func<T, IEnumerable<TPart>> selector, Func<T, TPart, TResult> result)
    {
        foreach (T item in source)
        {
            foreach (TPart part in selector(item))
                yield return result(item, part);
        }
    }

    internal static IEnumerable<T> OfType<T>(this IEnumerable source)
    {
        foreach (object? item in source)
        {
            if (item is T wanted)
                yield return wanted;
        }
    }

    internal static IEnumerable<T> Cast<T>(this IEnumerable source)
    {
        foreach (object? item in source)
            yield return (T)item!;
    }

    internal static Sorted<T> Order<T>(this IEnumerable<T> source, IComparer<T>? comparer = null) =>
        new Sorted<T, T>(source, static t => t, comparer, descending: false, before: null);

    internal static Sorted<T> OrderDescending<T>(this IEnumerable<T> source, IComparer<T>? comparer = null) =>
        new Sorted<T, T>(source, static t => t, comparer, descending: true, before: null);

    internal static Sorted<T> OrderBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new Sorted<T, TKey>(source, key, comparer, descending: false, before: null);

    internal static Sorted<T> OrderByDescending<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new Sorted<T, TKey>(source, key, comparer, descending: true, before: null);

    internal static Sorted<T> ThenBy<T, TKey>(this Sorted<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new Sorted<T, TKey>(source.Source, key, comparer, descending: false, source);

    internal static Sorted<T> ThenByDescending<T, TKey>(this Sorted<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new Sorted<T, TKey>(source.Source, key, comparer, descending: true, source);

    /// <summary>Groups in the order of their first elements. Unlike that of System.Linq it takes no null for a key.</summary>
    internal static IEnumerable<Group<TKey, T>> GroupBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull
    {
        var groups = new Dictionary<TKey, Group<TKey, T>>(comparer);
        var inOrder = new List<Group<TKey, T>>();
        foreach (T item in source)
        {
            TKey k = key(item);
            if (!groups.TryGetValue(k, out Group<TKey, T>? group))
            {
                groups.Add(k, group = new(k));
                inOrder.Add(group);
            }

            group.Add(item);
        }

        foreach (Group<TKey, T> group in inOrder)
            yield return group;
    }

    internal static IEnumerable<T> Distinct<T>(this IEnumerable<T> source, IEqualityComparer<T>? comparer = null) => source.Except([], comparer);

    internal static IEnumerable<T> DistinctBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IEqualityComparer<TKey>? comparer = null)
    {
        var seen = new HashSet<TKey>(comparer);
        foreach (T item in source)
        {
            if (seen.Add(key(item)))
                yield return item;
        }
    }

    internal static IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T>? comparer = null) =>
        first.Concat(second).Except([], comparer);

    internal static IEnumerable<T> Except<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T>? comparer = null)
    {
        var seen = new HashSet<T>(second, comparer);
        foreach (T item in first)
        {
            if (seen.Add(item))
                yield return item;
        }
    }

    internal static IEnumerable<T> Intersect<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T>? comparer = null)
    {
        var wanted = new HashSet<T>(second, comparer);
        foreach (T item in first)
        {
            if (wanted.Remove(item))
                yield return item;
        }
    }
}
