using System.Collections;

namespace Vmcore.Sequences;

/// <summary>A sequence in order: equal items stay as they were. It is sorted when it is read.</summary>
/// <param name="source">The items.</param>
/// <param name="comparison">Their order.</param>
internal sealed class OrderedSequence<T>(IEnumerable<T> source, Comparison<T> comparison) : IEnumerable<T>
{
    /// <summary>The order of keys.</summary>
    internal static Comparison<T> By<K>(Func<T, K> key, IComparer<K>? comparer)
    {
        comparer ??= Comparer<K>.Default;
        return (x, y) => comparer.Compare(key(x), key(y));
    }

    /// <summary>Orders those by another key that are equal so far.</summary>
    internal OrderedSequence<T> ThenBy<K>(Func<T, K> key, IComparer<K>? comparer = null)
    {
        Comparison<T> next = By(key, comparer);
        return new(source, (x, y) => comparison(x, y) is var order and not 0 ? order : next(x, y));
    }

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator()
    {
        T[] items = [.. source];
        int[] order = new int[items.Length];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;

        // Array.Sort is not stable: the place decides between equal ones.
        Array.Sort(order, (x, y) => comparison(items[x], items[y]) is var result and not 0 ? result : x - y);
        foreach (int i in order)
            yield return items[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
