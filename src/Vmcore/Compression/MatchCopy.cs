using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Vmcore.Compression;

/// <summary>Copies matches of the LZ77 family: from the output written so far, where source and target may overlap.</summary>
internal static unsafe class MatchCopy
{
    private const int Chunk = 16;

    /// <summary>Copies a match. The caller has checked that [op - distance, op + length) lies in the output, which ends at outEnd.</summary>
    /// <param name="op">Where the copy goes.</param>
    /// <param name="distance">How many bytes before <paramref name="op"/> the match starts; at least 1.</param>
    /// <param name="length">Length in bytes; at least 1.</param>
    /// <param name="outEnd">End of the output. Bytes between the copy's end and this may be overwritten.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(byte* op, long distance, long length, byte* outEnd)
    {
        byte* from = op - distance;
        byte* end = op + length;

        // A chunk is read before it is written, so a distance of a chunk or more never reads what the same step writes.
        if (distance >= Chunk && outEnd - end >= Chunk)
        {
            do
            {
                Vector128.Store(Vector128.Load(from), op);
                op += Chunk;
                from += Chunk;
            }
            while (op < end);
            return;
        }

        CopySlow(op, distance, length);
    }

    private static void CopySlow(byte* op, long distance, long length)
    {
        if (distance == 1)
        {
            Unsafe.InitBlockUnaligned(op, op[-1], (uint)length);
            return;
        }

        byte* end = op + length;
        byte* from = op - distance;
        if (distance < 8)
        {
            // Write whole periods until the start lies 8 bytes or more behind; the rest can then go in words.
            long periods = (8 + distance - 1) / distance * distance;
            byte* stop = periods < length ? op + periods : end;
            while (op < stop)
                *op++ = *from++;
            from = op - periods;
        }

        while (end - op >= 8)
        {
            Unsafe.WriteUnaligned(op, Unsafe.ReadUnaligned<ulong>(from));
            op += 8;
            from += 8;
        }

        while (op < end)
            *op++ = *from++;
    }
}
