using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Log;

/// <summary>The log before 3.5: a ring of text. log_end counts every byte that was ever written; the ring's length is a power of two.</summary>
internal sealed class TextLog : KernelLog
{
    private readonly ulong _buffer;
    private readonly uint _length;
    private readonly uint _end;

    private TextLog(VmcoreInfo info, IVirtualMemory memory, ulong buffer, uint length, uint end)
        : base(info, memory, LogFormat.Text)
    {
        _buffer = buffer;
        _length = length;
        _end = end;
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<VirtualRange> Buffers => [Buffer(_buffer, _length)];

    /// <summary>Reads the ring's head.</summary>
    internal static new KernelLog? TryOpen(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        problem = null;
        ulong endAt = info.Symbol("log_end")!.Value;
        if (!memory.TryReadUInt64(info.Symbol("log_buf")!.Value, out ulong buffer))
            problem = Unreadable("the pointer log_buf", info.Symbol("log_buf")!.Value);
        else if (info.Symbol("log_buf_len") is not { } lengthAt || !memory.TryReadUInt32(lengthAt, out uint length)
            || length > LargestRing || !System.Numerics.BitOperations.IsPow2(length))
            problem = "log_buf_len is not known, cannot be read or is no power of two";
        else if (!memory.TryReadUInt32(endAt, out uint end))
            problem = Unreadable("log_end", endAt);
        else
            return new TextLog(info, memory, buffer, length, end);
        return null;
    }

    /// <inheritdoc/>
    public override IEnumerable<LogRecord> Read(bool sinceClear = false)
    {
        uint count = Math.Min(_end, _length);
        if (sinceClear)
        {
            if (Info.Symbol("logged_chars") is { } at && Memory.TryReadUInt32(at, out uint logged))
                count = Math.Min(count, logged);
            else
                Report("it is not known since when the log is cleared (logged_chars); all of it is shown", FindingCode.LogClearUnknown);
        }

        // A line that is longer than the buffer comes in pieces: the ring may have no newline at all.
        byte[] line = new byte[Memory.Limits.LogLineBytes];
        byte[] piece = new byte[4096];
        int used = 0;
        for (uint done = 0; done < count;)
        {
            uint index = unchecked(_end - count + done) & (_length - 1);
            int step = (int)Math.Min(Math.Min(count - done, _length - index), (uint)(piece.Length - (int)(index % (uint)piece.Length)));
            done += (uint)step;
            if (!TryRead(_buffer + index, piece.AsSpan(0, step)))
            {
                Lost++;
                continue;
            }

            for (int i = 0; i < step; i++)
            {
                bool ends = piece[i] == (byte)'\n';
                if (!ends)
                    line[used++] = piece[i];
                if (!ends && used < line.Length)
                    continue;
                yield return new() { Text = line.AsMemory(0, used), IsUnterminated = !ends };
                used = 0;
            }
        }

        if (used > 0)
            yield return new() { Text = line.AsMemory(0, used), IsUnterminated = true };
        if (Lost > 0)
            Report($"{Lost} pieces of the log could not be read");
    }
}
