using System.Numerics;

namespace Vmcore.Sequences;

/// <summary>Queries that walk through a sequence and answer with one thing.</summary>
internal static partial class Enumerable
{
    internal static T[] ToArray<T>(this IEnumerable<T> source)
    {
        T[] items;
        if (source is ICollection<T> collection)
        {
            items = new T[collection.Count];
            collection.CopyTo(items, 0);
            return items;
        }

        items = new T[4];
        int count = 0;
        foreach (T item in source)
        {
            if (count == items.Length)
                Array.Resize(ref items, 2 * count);
            items[count++] = item;
        }

        Array.Resize(ref items, count);
        return items;
    }

    internal static List<T> ToList<T>(this IEnumerable<T> source) => new(source);

    internal static HashSet<T> ToHashSet<T>(this IEnumerable<T> source, IEqualityComparer<T>? comparer = null) => new(source, comparer);

    internal static Dictionary<TKey, T> ToDictionary<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull => source.ToDictionary(key, static t => t, comparer);

    internal static Dictionary<TKey, TValue> ToDictionary<T, TKey, TValue>(
        this IEnumerable<T> source, Func<T, TKey> key, Func<T, TValue> value, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull
    {
        var result = new Dictionary<TKey, TValue>(comparer);
        foreach (T item in source)
            result.Add(key(item), value(item));
        return result;
    }

    internal static bool Any<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> at = source.GetEnumerator();
        return at.MoveNext();
    }

    internal static bool Any<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T item in source)
        {
            if (predicate(item))
                return true;
        }

        return false;
    }

    internal static bool All<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T item in source)
        {
            if (!predicate(item))
                return false;
        }

        return true;
    }

    internal static bool Contains<T>(this IEnumerable<T> source, T value, IEqualityComparer<T>? comparer = null)
    {
        if (comparer is null && source is ICollection<T> collection)
            return collection.Contains(value);
        comparer ??= EqualityComparer<T>.Default;
        foreach (T item in source)
        {
            if (comparer.Equals(item, value))
                return true;
        }

        return false;
    }

    internal static bool SequenceEqual<T>(this IEnumerable<T> first, IEnumerable<T> second, IEqualityComparer<T>? comparer = null)
    {
        comparer ??= EqualityComparer<T>.Default;
        using IEnumerator<T> other = second.GetEnumerator();
        foreach (T item in first)
        {
            if (!other.MoveNext() || !comparer.Equals(item, other.Current))
                return false;
        }

        return !other.MoveNext();
    }

    internal static int Count<T>(this IEnumerable<T> source)
    {
        if (source is ICollection<T> collection)
            return collection.Count;
        int count = 0;
        foreach (T _ in source)
            count = checked(count + 1);
        return count;
    }

    internal static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).Count();

    internal static long LongCount<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).Sum(static _ => 1L);

    internal static T First<T>(this IEnumerable<T> source) => source.TryFirst(out T? first) ? first! : throw NoElement();

    internal static T First<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).First();

    internal static T? FirstOrDefault<T>(this IEnumerable<T> source) => source.TryFirst(out T? first) ? first : default;

    internal static T? FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).FirstOrDefault();

    internal static T FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate, T other) =>
        source.Where(predicate).TryFirst(out T? first) ? first! : other;

    internal static T Last<T>(this IEnumerable<T> source) => source.TryLast(out T? last) ? last! : throw NoElement();

    internal static T Last<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).Last();

    internal static T? LastOrDefault<T>(this IEnumerable<T> source) => source.TryLast(out T? last) ? last : default;

    internal static T? LastOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).LastOrDefault();

    internal static T Single<T>(this IEnumerable<T> source) => source.Take(2).ToArray() is [var only] ? only : throw NoElement();

    internal static T Single<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).Single();

    internal static T? SingleOrDefault<T>(this IEnumerable<T> source) =>
        source.Take(2).ToArray() switch { [] => default, [var only] => only, _ => throw NoElement() };

    internal static T? SingleOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate) => source.Where(predicate).SingleOrDefault();

    internal static T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> step)
    {
        using IEnumerator<T> at = source.GetEnumerator();
        T result = at.MoveNext() ? at.Current : throw NoElement();
        while (at.MoveNext())
            result = step(result, at.Current);
        return result;
    }

    internal static TResult Aggregate<T, TResult>(this IEnumerable<T> source, TResult seed, Func<TResult, T, TResult> step)
    {
        foreach (T item in source)
            seed = step(seed, item);
        return seed;
    }

    /// <summary>The sum of all elements.</summary>
    /// <exception cref="OverflowException">The sum is beyond the type's range.</exception>
    internal static T Sum<T>(this IEnumerable<T> source)
        where T : struct, INumber<T>
    {
        T sum = T.Zero;
        foreach (T item in source)
            sum = checked(sum + item);
        return sum;
    }

    /// <inheritdoc cref="Sum{T}(IEnumerable{T})"/>
    internal static TResult Sum<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector)
        where TResult : struct, INumber<TResult> => source.Select(selector).Sum();

    /// <summary>The greatest element, or the least one that is not null.</summary>
    /// <returns>Null for no elements, if the type has a null.</returns>
    /// <exception cref="InvalidOperationException">There are no elements, and the type has no null.</exception>
    internal static T? Max<T>(this IEnumerable<T> source) => source.MaxBy(static t => t);

    /// <inheritdoc cref="Max{T}(IEnumerable{T})"/>
    internal static TResult? Max<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector) => source.Select(selector).Max();

    /// <inheritdoc cref="Max{T}(IEnumerable{T})"/>
    internal static T? Min<T>(this IEnumerable<T> source) => source.MinBy(static t => t);

    /// <inheritdoc cref="Max{T}(IEnumerable{T})"/>
    internal static TResult? Min<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector) => source.Select(selector).Min();

    /// <summary>The first of the elements with the greatest key.</summary>
    /// <inheritdoc cref="Max{T}(IEnumerable{T})"/>
    internal static T? MaxBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key) => source.Extreme(key, greatest: true);

    /// <summary>The first of the elements with the least key that is not null.</summary>
    /// <inheritdoc cref="Max{T}(IEnumerable{T})"/>
    internal static T? MinBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key) => source.Extreme(key, greatest: false);

    private static T? Extreme<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, bool greatest)
    {
        using IEnumerator<T> at = source.GetEnumerator();
        if (!at.MoveNext())
            return default(T) is null ? default : throw NoElement();
        T extreme = at.Current;
        TKey extremeKey = key(extreme);
        while (at.MoveNext())
        {
            TKey next = key(at.Current);
            if (next is null || (extremeKey is not null && !IsBeyond(Comparer<TKey>.Default.Compare(next, extremeKey))))
                continue;
            extreme = at.Current;
            extremeKey = next;
        }

        return extreme;

        bool IsBeyond(int difference) => greatest ? difference > 0 : difference < 0;
    }

    private static bool TryFirst<T>(this IEnumerable<T> source, out T? first)
    {
        using IEnumerator<T> at = source.GetEnumerator();
        bool any = at.MoveNext();
        first = any ? at.Current : default;
        return any;
    }

    private static bool TryLast<T>(this IEnumerable<T> source, out T? last)
    {
        last = default;
        if (source is IReadOnlyList<T> list)
        {
            last = list.Count > 0 ? list[^1] : default;
            return list.Count > 0;
        }

        bool any = false;
        foreach (T item in source)
        {
            last = item;
            any = true;
        }

        return any;
    }

    private static InvalidOperationException NoElement() => new("the sequence does not have the one element that is asked for");
}
