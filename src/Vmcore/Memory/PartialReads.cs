namespace Vmcore.Memory;

/// <summary>Reads of which it is not known beforehand how far they can go.</summary>
public static class PartialReads
{
    /// <summary>Reads as many bytes from <paramref name="address"/> on as there are without a gap.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">A virtual address.</param>
    /// <param name="buffer">Receives them; what lies behind them in it may have changed too.</param>
    /// <returns>Number of bytes at the start of <paramref name="buffer"/> that were read.</returns>
    public static int ReadPrefix(this IVirtualMemory memory, ulong address, Span<byte> buffer)
    {
        // The last byte of the address space is given up, so that an end never wraps.
        ulong room = ulong.MaxValue - address;
        if (room < (ulong)buffer.Length)
            buffer = buffer[..(int)room];
        if (buffer.IsEmpty || memory.Read(address, buffer) == MemoryStatus.Ok)
            return buffer.Length;

        // Pages first, then smaller pieces of the page that fails: segments may end anywhere.
        int done = 0;
        foreach (int unit in (ReadOnlySpan<int>)[4096, 64, 1])
        {
            while (done < buffer.Length)
            {
                ulong at = address + (ulong)done;
                int step = Math.Min(unit - (int)(at & ((ulong)unit - 1)), buffer.Length - done);
                if (memory.Read(at, buffer.Slice(done, step)) != MemoryStatus.Ok)
                    break;
                done += step;
            }
        }

        return done;
    }
}
