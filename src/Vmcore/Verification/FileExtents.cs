namespace Vmcore.Verification;

/// <summary>
/// The parts of a file that are taken. Data of a dump lies in order, so it is one growing extent; where it does not, the extents are kept up to a limit,
/// and beyond it nothing more is said.
/// </summary>
internal sealed class FileExtents
{
    private const int Most = 1 << 20;

    private readonly List<(long Start, long End)> _extents = [];

    /// <summary>False once there were too many extents to keep.</summary>
    internal bool IsComplete { get; private set; } = true;

    /// <summary>Takes a part.</summary>
    /// <returns>False if any byte of it is taken already.</returns>
    internal bool TryTake(long start, long length)
    {
        long end = start + length;
        int at = FirstEndingAfter(start);
        if (at < _extents.Count && _extents[at].Start < end)
            return false;
        bool joinsBefore = at > 0 && _extents[at - 1].End == start, joinsAfter = at < _extents.Count && _extents[at].Start == end;
        if (joinsBefore && joinsAfter)
        {
            _extents[at - 1] = (_extents[at - 1].Start, _extents[at].End);
            _extents.RemoveAt(at);
        }
        else if (joinsBefore)
        {
            _extents[at - 1] = (_extents[at - 1].Start, end);
        }
        else if (joinsAfter)
        {
            _extents[at] = (start, _extents[at].End);
        }
        else if (_extents.Count < Most)
        {
            _extents.Insert(at, (start, end));
        }
        else
        {
            IsComplete = false;
        }

        return true;
    }

    private int FirstEndingAfter(long start)
    {
        if (_extents.Count == 0 || _extents[^1].End <= start)
            return _extents.Count;
        int low = 0, high = _extents.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_extents[middle].End <= start)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
