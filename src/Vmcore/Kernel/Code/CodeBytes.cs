using Vmcore.Architectures;
using Vmcore.Memory;

namespace Vmcore.Kernel.Code;

/// <summary>Bytes of code, and which of them the dump does not have.</summary>
internal sealed class CodeBytes
{
    private const ulong Grain = 4 << 10; // No machine has smaller pages.

    private readonly byte[] _bytes;
    private readonly List<(int Start, int End, MemoryStatus Why)> _gaps = [];

    /// <summary>Bytes that are all there.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="start">Virtual address of the first.</param>
    internal CodeBytes(byte[] bytes, ulong start) => (_bytes, Start, Length) = (bytes, start, bytes.Length);

    /// <summary>Reads them.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="start">Virtual address of the first.</param>
    /// <param name="length">Number of bytes in which instructions may begin.</param>
    /// <param name="tail">Bytes behind them, into which the last one may reach.</param>
    internal CodeBytes(KernelAddressSpace memory, ulong start, int length, int tail)
    {
        (_bytes, Start, Length) = (new byte[length + tail], start, length);
        for (int at = 0; at < _bytes.Length;)
        {
            int step = (int)Math.Min(Grain - ((start + (ulong)at) & (Grain - 1)), (ulong)(_bytes.Length - at));
            MemoryStatus status = memory.Read(start + (ulong)at, _bytes.AsSpan(at, step));
            if (status != MemoryStatus.Ok && _gaps.Count > 0 && _gaps[^1].End == at && _gaps[^1].Why == status)
                _gaps[^1] = (_gaps[^1].Start, at + step, status);
            else if (status != MemoryStatus.Ok)
                _gaps.Add((at, at + step, status));
            at += step;
        }
    }

    /// <summary>Virtual address of the first byte.</summary>
    internal ulong Start { get; }

    /// <summary>Number of bytes in which instructions may begin.</summary>
    internal int Length { get; }

    /// <summary>The bytes from an offset to the next that cannot be read.</summary>
    /// <param name="at">The offset.</param>
    /// <param name="why">Why the byte at the offset cannot be read.</param>
    /// <param name="end">Offset of the end of what can, or cannot, be read.</param>
    internal ReadOnlyMemory<byte> From(int at, out MemoryStatus why, out int end)
    {
        why = MemoryStatus.Ok;
        end = _bytes.Length;
        foreach ((int gap, int behind, MemoryStatus status) in _gaps)
        {
            if (at >= behind)
                continue;
            (end, why) = at < gap ? (gap, MemoryStatus.Ok) : (behind, status);
            break;
        }

        return why == MemoryStatus.Ok ? _bytes.AsMemory(at, end - at) : default;
    }

    /// <summary>True if bytes are missing before an address.</summary>
    internal bool HasGapBefore(ulong address) => _gaps.Count > 0 && Start + (ulong)_gaps[0].End <= address;

    /// <summary>Where the code goes on behind what is missing before an address.</summary>
    internal ulong EndOfGapBefore(ulong address) => Start + (ulong)_gaps.FindLast(g => Start + (ulong)g.End <= address).End;
}
