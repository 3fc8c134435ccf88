using System.Collections;

namespace Vmcore.Sequences;

/// <summary>A lazy sequence that is its own first enumerator. Whatever does not depend on what it is made of is here, once for each kind of element.</summary>
internal abstract class Sequence<T> : IEnumerable<T>, IEnumerator<T>
{
    private int _taken;

    public T Current { get; protected set; } = default!;

    object? IEnumerator.Current => Current;

    /// <summary>The same sequence at its start, for whoever enumerates it a second time.</summary>
    protected abstract Sequence<T> Again();

    public abstract bool MoveNext();

    public IEnumerator<T> GetEnumerator() => Interlocked.Exchange(ref _taken, 1) == 0 ? this : Again().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    void IEnumerator.Reset() => throw new NotSupportedException();

    public virtual void Dispose()
    {
    }
}

/// <summary>A sequence of one other.</summary>
internal abstract class Sequence<TSource, T>(IEnumerable<TSource> source) : Sequence<T>
{
    private IEnumerator<TSource>? _at;

    protected IEnumerable<TSource> Source => source;

    /// <summary>Where the source is; it is asked when the first element is wanted, and not before.</summary>
    protected IEnumerator<TSource> At => _at ??= source.GetEnumerator();

    public override void Dispose() => _at?.Dispose();
}

internal sealed class Selected<TSource, T>(IEnumerable<TSource> source, Func<TSource, T> selector) : Sequence<TSource, T>(source)
{
    protected override Sequence<T> Again() => new Selected<TSource, T>(Source, selector);

    public override bool MoveNext()
    {
        if (!At.MoveNext())
            return false;
        Current = selector(At.Current);
        return true;
    }
}

internal sealed class Filtered<T>(IEnumerable<T> source, Func<T, bool> predicate) : Sequence<T, T>(source)
{
    protected override Sequence<T> Again() => new Filtered<T>(Source, predicate);

    public override bool MoveNext()
    {
        while (At.MoveNext())
        {
            T item = At.Current;
            if (predicate(item))
            {
                Current = item;
                return true;
            }
        }

        return false;
    }
}
