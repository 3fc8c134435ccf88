namespace Vmcore.Sequences;

/// <summary>Elements in the order of a key, those of equal keys in the order in which they came.</summary>
internal abstract class Sorted<T>(IEnumerable<T> source, Sorted<T>? before) : Sequence<T>
{
    private T[]? _items;
    private int[] _order = [];
    private int _next;

    internal IEnumerable<T> Source => source;

    /// <summary>The keys that count before this one.</summary>
    protected Sorted<T>? Before => before;

    public override bool MoveNext()
    {
        if (_items is null)
            Sort(_items = source.ToArray());
        if (_next == _order.Length)
            return false;
        Current = _items[_order[_next++]];
        return true;
    }

    /// <summary>Asks for the keys of all elements, each once.</summary>
    protected abstract void Take(T[] items);

    protected abstract int Compare(int left, int right);

    // What is sorted are the elements' numbers, whatever the elements are: one sort in the executable, not one for each kind of element and key.
    private void Sort(T[] items)
    {
        for (Sorted<T>? keys = this; keys is not null; keys = keys.Before)
            keys.Take(items);
        _order = new int[items.Length];
        for (int i = 0; i < _order.Length; i++)
            _order[i] = i;
        _order.AsSpan().Sort(InOrder);
    }

    private int InOrder(int left, int right) => Difference(left, right) is var difference and not 0 ? difference : left.CompareTo(right);

    private int Difference(int left, int right) => before?.Difference(left, right) is { } difference and not 0 ? difference : Compare(left, right);
}

internal sealed class Sorted<T, TKey>(IEnumerable<T> source, Func<T, TKey> key, IComparer<TKey>? comparer, bool descending, Sorted<T>? before)
    : Sorted<T>(source, before)
{
    private readonly IComparer<TKey> _comparer = comparer ?? Comparer<TKey>.Default;
    private TKey[] _keys = [];

    protected override Sequence<T> Again() => new Sorted<T, TKey>(Source, key, _comparer, descending, Before);

    protected override void Take(T[] items)
    {
        _keys = new TKey[items.Length];
        for (int i = 0; i < items.Length; i++)
            _keys[i] = key(items[i]);
    }

    protected override int Compare(int left, int right) =>
        descending ? _comparer.Compare(_keys[right], _keys[left]) : _comparer.Compare(_keys[left], _keys[right]);
}
