namespace Vmcore.Dumping;

/// <summary>
/// Remembers what the first pass decided, so that the second need not decide it again. Bounded: a window that does not fit is classified twice.
/// </summary>
internal sealed class PlanCache
{
    private static readonly ulong[] s_nothing = [];
    private readonly Dictionary<ulong, ulong[]> _kept = [];
    private long _budget;

    /// <summary>Creates a cache.</summary>
    /// <param name="budget">Bytes that it may hold.</param>
    internal PlanCache(long budget) => _budget = budget;

    /// <summary>Remembers a window's kept pages, if there is room.</summary>
    internal void Add(ulong number, ReadOnlySpan<ulong> kept)
    {
        bool empty = !kept.ContainsAnyExcept(0UL);
        int cost = 64 + (empty ? 0 : kept.Length * sizeof(ulong));
        if (_budget < cost)
            return;
        _budget -= cost;
        _kept[number] = empty ? s_nothing : kept.ToArray();
    }

    /// <summary>Gives back a window's kept pages.</summary>
    /// <returns>False if it was not remembered.</returns>
    internal bool TryGet(ulong number, Span<ulong> kept)
    {
        if (!_kept.TryGetValue(number, out ulong[]? bits))
            return false;
        if (bits.Length == 0)
            kept.Clear();
        else
            bits.CopyTo(kept);
        return true;
    }
}
