namespace Vmcore.Sequences;

/// <summary>Queries that take a part of a sequence, or put sequences together.</summary>
internal static partial class Enumerable
{
    internal static IEnumerable<int> Range(int start, int count)
    {
        for (int i = 0; i < count; i++)
            yield return start + i;
    }

    internal static IEnumerable<T> Repeat<T>(T item, int count)
    {
        for (int i = 0; i < count; i++)
            yield return item;
    }

    internal static IEnumerable<T> Empty<T>() => [];

    internal static IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)
    {
        foreach (T item in first)
            yield return item;
        foreach (T item in second)
            yield return item;
    }

    internal static IEnumerable<T> Append<T>(this IEnumerable<T> source, T last) => source.Concat([last]);

    internal static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T first) => ((IEnumerable<T>)[first]).Concat(source);

    internal static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)
    {
        if (count <= 0)
            yield break;
        foreach (T item in source)
        {
            yield return item;
            if (--count == 0)
                yield break;
        }
    }

    internal static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T item in source)
        {
            if (!predicate(item))
                yield break;
            yield return item;
        }
    }

    internal static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)
    {
        T[] items = source.ToArray();
        for (int i = Math.Max(0, items.Length - Math.Max(0, count)); i < items.Length; i++)
            yield return items[i];
    }

    internal static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)
    {
        foreach (T item in source)
        {
            if (count-- <= 0)
                yield return item;
        }
    }

    internal static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        bool skipping = true;
        foreach (T item in source)
        {
            skipping = skipping && predicate(item);
            if (!skipping)
                yield return item;
        }
    }

    internal static IEnumerable<T> SkipLast<T>(this IEnumerable<T> source, int count)
    {
        T[] items = source.ToArray();
        for (int i = 0; i < items.Length - Math.Max(0, count); i++)
            yield return items[i];
    }

    internal static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)
    {
        T[] items = source.ToArray();
        for (int i = items.Length - 1; i >= 0; i--)
            yield return items[i];
    }

    /// <summary>Of an array too, which the compiler would else take for a span to be reversed in place.</summary>
    internal static IEnumerable<T> Reverse<T>(this T[] source) => ((IEnumerable<T>)source).Reverse();

    internal static IEnumerable<TResult> Zip<TFirst, TSecond, TResult>(
        this IEnumerable<TFirst> first, IEnumerable<TSecond> second, Func<TFirst, TSecond, TResult> result)
    {
        using IEnumerator<TSecond> other = second.GetEnumerator();
        foreach (TFirst item in first)
        {
            if (!other.MoveNext())
                yield break;
            yield return result(item, other.Current);
        }
    }

    internal static IEnumerable<(TFirst First, TSecond Second)> Zip<TFirst, TSecond>(this IEnumerable<TFirst> first, IEnumerable<TSecond> second) =>
        first.Zip(second, static (a, b) => (a, b));
}
