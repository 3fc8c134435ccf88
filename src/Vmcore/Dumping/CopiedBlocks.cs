using System.Runtime.InteropServices;

namespace Vmcore.Dumping;

/// <summary>
/// Where the blocks of a file went that are in the output already, so that pages that share a block go on sharing it. Blocks that follow each other in
/// both are one run: a part of a split dump has a few, however many pages it has.
/// </summary>
/// <remarks>Bounded: what a file would need more runs for, as only a damaged one does, is copied once for each page that names it.</remarks>
internal sealed class CopiedBlocks
{
    /// <summary>Runs that are remembered: 96 KiB.</summary>
    internal const int RememberedRuns = 4096;

    // Ascending by their start in the file.
    private readonly List<Run> _runs = [];

    /// <summary>Forgets all blocks: what comes next is of another file.</summary>
    internal void Clear() => _runs.Clear();

    /// <summary>Remembers a block that was copied.</summary>
    /// <param name="from">Byte offset in the file.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="to">Byte offset in the output.</param>
    internal void Add(long from, long length, long to)
    {
        int next = IndexAfter(from);
        if (next > 0 && _runs[next - 1] is var last && last.End == from && last.To + (last.End - last.From) == to)
            _runs[next - 1] = last with { End = from + length };
        else if (_runs.Count < RememberedRuns)
            _runs.Insert(next, new(from, from + length, to));
    }

    /// <summary>Finds a block in the output.</summary>
    /// <param name="from">Byte offset in the file.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="to">Byte offset in the output.</param>
    /// <returns>False if it is not there, as far as is known.</returns>
    internal bool TryFind(long from, long length, out long to)
    {
        int index = IndexAfter(from) - 1;
        bool found = index >= 0 && from <= _runs[index].End - length;
        to = found ? _runs[index].To + (from - _runs[index].From) : 0;
        return found;
    }

    // Most blocks are new, and follow the last one.
    private int IndexAfter(long from)
    {
        int low = _runs.Count > 0 && _runs[^1].From <= from ? _runs.Count : 0, high = _runs.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_runs[middle].From <= from)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Run(long From, long End, long To);
}
