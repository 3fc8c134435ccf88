using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Shares the pages of a dump out among its parts, by what is kept and not by what there is.</summary>
internal sealed class SplitPlan
{
    // For each window that has kept pages: its number, and the kept pages of those before it.
    private readonly List<(ulong Number, ulong Before)> _windows = [];
    private ulong _total;

    /// <summary>Hears of a window of the first pass; they come in ascending order.</summary>
    internal void Add(ulong number, ulong kept)
    {
        if (kept == 0)
            return;
        _windows.Add((number, _total));
        _total += kept;
    }

    /// <summary>Finds where the parts begin and end.</summary>
    /// <param name="maxPfn">One past the highest pfn.</param>
    /// <param name="windows">Gives the kept pages of a window.</param>
    /// <param name="parts">Number of parts.</param>
    /// <param name="blockPages">Parts begin at multiples of so many pages.</param>
    /// <returns>For each part its pages, ascending and without gaps from 0 to the plan's end, and the number of those that are kept.</returns>
    internal (PfnRange Pfns, long Kept)[] Share(ulong maxPfn, KeptWindows windows, int parts, ulong blockPages)
    {
        var result = new (PfnRange Pfns, long Kept)[parts];
        ulong start = 0, before = 0;
        for (int i = 0; i < parts; i++)
        {
            ulong end = maxPfn, upTo = _total;
            if (i < parts - 1)
                (end, upTo) = Boundary(maxPfn, windows, (ulong)((UInt128)_total * (ulong)(i + 1) / (ulong)parts), blockPages);
            if (end < start)
                (end, upTo) = (start, before);
            result[i] = (new(start, end), (long)(upTo - before));
            (start, before) = (end, upTo);
        }

        return result;
    }

    /// <summary>The multiple of the block that is nearest behind the page of a rank, and the kept pages before it.</summary>
    private (ulong Pfn, ulong Before) Boundary(ulong maxPfn, KeptWindows windows, ulong rank, ulong blockPages)
    {
        int index = IndexOf(rank);
        if (index < 0)
            return (0, 0);
        ulong[] kept = windows.Of(_windows[index].Number);
        ulong first = _windows[index].Number << PlanWindow.Shift;
        ulong count = _windows[index].Before;
        ulong pfn = first;
        for (int word = 0; word < kept.Length && count < rank; word++)
        {
            ulong bits = kept[word];
            for (; bits != 0 && count < rank; bits &= bits - 1, count++)
                pfn = first + (ulong)((word << 6) + System.Numerics.BitOperations.TrailingZeroCount(bits)) + 1;
        }

        ulong end = Math.Min((pfn + blockPages - 1) / blockPages * blockPages, maxPfn);
        return (end, CountBefore(windows, end));
    }

    /// <summary>Counts the kept pages before one.</summary>
    internal ulong CountBefore(KeptWindows windows, ulong pfn)
    {
        int low = 0, high = _windows.Count;
        ulong number = pfn >> PlanWindow.Shift;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_windows[middle].Number < number)
                low = middle + 1;
            else
                high = middle;
        }

        if (low == _windows.Count)
            return _total;
        if (_windows[low].Number != number)
            return _windows[low].Before;
        int inWindow = (int)(pfn & (PlanWindow.Pages - 1));
        return _windows[low].Before + (ulong)PageBits.Count(windows.Of(number), inWindow);
    }

    private int IndexOf(ulong rank)
    {
        int low = 0, high = _windows.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_windows[middle].Before < rank)
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }
}
