using System.Collections;

namespace Vmcore.Sequences;

/// <summary>Elements of one key, in the order in which they came.</summary>
internal sealed class Group<TKey, T>(TKey key) : IEnumerable<T>
{
    private readonly List<T> _items = [];

    internal TKey Key => key;

    internal void Add(T item) => _items.Add(item);

    public IEnumerator<T> GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
