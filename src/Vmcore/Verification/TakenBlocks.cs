using Vmcore.IO;

namespace Vmcore.Verification;

/// <summary>
/// The blocks of a file that hold pages, so that a block that several pages share, as equal pages do, is told from one that lies across others. They are
/// kept up to a limit; what is beyond it counts as shared.
/// </summary>
internal sealed class TakenBlocks(ReadLimits limits)
{
    private readonly List<long> _starts = [];
    private readonly List<uint> _lengths = [];
    private readonly Dictionary<long, uint> _others = [];
    private bool _isComplete = true;

    /// <summary>Remembers a block.</summary>
    /// <param name="start">Byte offset in the file.</param>
    /// <param name="length">Bytes.</param>
    internal void Add(long start, uint length)
    {
        bool isInOrder = _starts.Count == 0 || _starts[^1] < start;
        if (isInOrder && _starts.Count < limits.VerifiedBlocks)
        {
            _starts.Add(start);
            _lengths.Add(length);
        }
        else if (_others.Count < limits.ScatteredBlocks)
        {
            _others[start] = length;
        }
        else
        {
            _isComplete = false;
        }
    }

    /// <summary>True if exactly this block was added, or if it cannot be known.</summary>
    internal bool Contains(long start, uint length)
    {
        int at = _starts.BinarySearch(start);
        return (at >= 0 && _lengths[at] == length) || (_others.TryGetValue(start, out uint other) && other == length) || !_isComplete;
    }
}
