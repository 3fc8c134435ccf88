namespace Vmcore.IO;

/// <summary>Writes without what is zero, where a gap reads as zero: what is not written takes neither time nor room.</summary>
internal static class Holes
{
    /// <summary>Blocks of so many bytes, aligned in the file, are left out: file systems
    /// keep no smaller holes, and many small ones cost more than they save.</summary>
    internal const int BlockBytes = 16 * 1024;

    private const int FillBytes = 256 * 1024;

    /// <summary>Writes bytes, without whole blocks of zero if the target allows it.</summary>
    /// <param name="output">The target.</param>
    /// <param name="offset">Byte offset in it.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="written">Nothing has been written at this byte offset or beyond; before it, everything is written.</param>
    /// <returns>Bytes that were left out.</returns>
    /// <exception cref="FileAccessException">The target refused.</exception>
    internal static int Write(IByteSink output, long offset, ReadOnlySpan<byte> bytes, long written)
    {
        if (!output.GapsReadAsZero)
            written = long.MaxValue;
        int from = 0, leftOut = 0;
        for (int at = 0; at < bytes.Length;)
        {
            int step = Math.Min(BlockBytes - (int)((offset + at) & (BlockBytes - 1)), bytes.Length - at);
            if (offset + at >= written && !bytes.Slice(at, step).ContainsAnyExcept((byte)0))
            {
                output.Write(offset + from, bytes[from..at]);
                from = at + step;
                leftOut += step;
            }

            at += step;
        }

        output.Write(offset + from, bytes[from..]);
        return leftOut;
    }

    /// <summary>Writes zeroes: for a gap, where one does not read as zero.</summary>
    /// <param name="output">The target.</param>
    /// <param name="from">Byte offset of the first.</param>
    /// <param name="to">One past the last.</param>
    /// <exception cref="FileAccessException">The target refused.</exception>
    internal static void Fill(IByteSink output, long from, long to)
    {
        if (from >= to)
            return;
        Span<byte> zeroes = new byte[Math.Min(to - from, FillBytes)];
        for (; from < to; from += zeroes.Length)
        {
            zeroes = zeroes[..(int)Math.Min(to - from, zeroes.Length)];
            output.Write(from, zeroes);
        }
    }
}
