namespace Vmcore.Dumping;

/// <summary>
/// Remembers what the first pass decided, so that the second need not decide it again. Bounded: a window that does not fit is classified twice.
/// </summary>
internal sealed class PlanCache
{
    /// <summary>What an entry costs beside its bits, in bytes.</summary>
    private const int EntryBytes = 64;

    private readonly Dictionary<ulong, ulong[]> _kept = [];

    // One bit a window that keeps nothing, 64 to an entry: most of a large machine.
    private readonly Dictionary<ulong, ulong> _empty = [];
    private long _budget;

    /// <summary>Creates a cache.</summary>
    /// <param name="budget">Bytes that it may hold.</param>
    internal PlanCache(long budget) => _budget = budget;

    /// <summary>Remembers a window's kept pages, if there is room.</summary>
    internal void Add(ulong number, ReadOnlySpan<ulong> kept)
    {
        if (!kept.ContainsAnyExcept(0UL))
        {
            AddEmpty(number);
            return;
        }

        int cost = EntryBytes + (kept.Length * sizeof(ulong));
        if (_budget < cost)
            return;
        _budget -= cost;
        _kept[number] = kept.ToArray();
    }

    /// <summary>True if a window is known to keep nothing.</summary>
    internal bool IsEmpty(ulong number) => _empty.TryGetValue(number >> 6, out ulong bits) && (bits >> (int)(number & 63) & 1) != 0;

    /// <summary>Gives back a window's kept pages.</summary>
    /// <returns>False if it was not remembered.</returns>
    internal bool TryGet(ulong number, Span<ulong> kept)
    {
        if (IsEmpty(number))
        {
            kept.Clear();
            return true;
        }

        if (!_kept.TryGetValue(number, out ulong[]? bits))
            return false;
        bits.CopyTo(kept);
        return true;
    }

    private void AddEmpty(ulong number)
    {
        bool known = _empty.TryGetValue(number >> 6, out ulong bits);
        if (!known && _budget < EntryBytes)
            return;
        if (!known)
            _budget -= EntryBytes;
        _empty[number >> 6] = bits | (1UL << (int)(number & 63));
    }
}
