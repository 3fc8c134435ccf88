using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Log;

/// <summary>
/// The log of 3.5 to 5.9: records of varying length, one behind the other in a ring; a record of length 0 says that the next one is at the
/// ring's beginning. Layout: vmcoreinfo; kernel/printk/printk.c of these kernels.
/// </summary>
internal sealed class RecordLog : KernelLog
{
    private readonly string _type;
    private readonly ulong _buffer;
    private readonly uint _length;
    private readonly uint _next;
    private readonly int _timestampOffset;
    private readonly int _lengthOffset;
    private readonly int _textLengthOffset;
    private readonly int? _callerOffset;
    private readonly byte[] _head;
    private readonly byte[] _text = new byte[ushort.MaxValue];

    private RecordLog(VmcoreInfo info, IVirtualMemory memory, string type, ulong buffer, uint length, uint next, int size)
        : base(info, memory, LogFormat.Records)
    {
        _type = type;
        _buffer = buffer;
        _length = length;
        _next = next;
        _head = new byte[size];
        _timestampOffset = info.Offset(type + ".ts_nsec") ?? int.MaxValue - sizeof(ulong);
        _lengthOffset = info.Offset(type + ".len") ?? int.MaxValue - sizeof(ulong);
        _textLengthOffset = info.Offset(type + ".text_len") ?? int.MaxValue - sizeof(ulong);
        _callerOffset = info.Offset(type + ".caller_id");
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<VirtualRange> Buffers => [Buffer(_buffer, _length)];

    /// <summary>Reads the ring's head.</summary>
    internal static new KernelLog? TryOpen(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        // The structure was called log until 3.10.
        string type = info.Size("printk_log") is not null ? "printk_log" : "log";
        problem = null;
        if (info.Size(type) is not { } size || size is < 16 or > 1024)
            problem = $"vmcoreinfo has no usable SIZE({type})";
        else if (!memory.TryReadUInt64(info.Symbol("log_buf")!.Value, out ulong buffer))
            problem = Unreadable("the pointer log_buf", info.Symbol("log_buf")!.Value);
        else if (info.Symbol("log_buf_len") is not { } lengthAt || !memory.TryReadUInt32(lengthAt, out uint length) || length < size || length > LargestRing)
            problem = "log_buf_len is not known, cannot be read or is impossible";
        else if (info.Symbol("log_next_idx") is not { } nextAt || !memory.TryReadUInt32(nextAt, out uint next) || next > length)
            problem = "log_next_idx is not known, cannot be read or lies outside of the log";
        else
        {
            var log = new RecordLog(info, memory, type, buffer, length, next, size);
            if (Math.Max(log._timestampOffset + sizeof(ulong), Math.Max(log._lengthOffset, log._textLengthOffset) + sizeof(ushort)) <= size
                && (log._callerOffset ?? 0) + sizeof(uint) <= size)
                return log;
            problem = $"vmcoreinfo gives no members of {type}, or such as lie outside of it";
        }

        return null;
    }

    /// <inheritdoc/>
    public override IEnumerable<LogRecord> Read(bool sinceClear = false)
    {
        ulong? symbol = sinceClear ? Info.Symbol("clear_idx") : null;
        if (sinceClear && symbol is null)
            Report("vmcoreinfo does not say since when the log is cleared (clear_idx); all of it is shown", FindingCode.LogClearUnknown);
        symbol ??= Info.Symbol("log_first_idx");
        if (!Memory.TryReadUInt32(symbol!.Value, out uint at))
        {
            Lost++;
            Report(Unreadable("the index of the first message", symbol.Value));
            yield break;
        }

        bool wrapped = false;
        int unreadable = 0;
        while (at != _next)
        {
            if (at > _length - (uint)_head.Length)
            {
                Lost++;
                Report($"the log is damaged: a {_type} at 0x{at:x} lies outside of its 0x{_length:x} bytes; what follows is lost");
                yield break;
            }

            if (!TryRead(_buffer + at, _head))
            {
                // Without its length nobody knows where the next one is.
                Lost++;
                Report(Unreadable($"the {_type}", _buffer + at) + "; what follows is lost");
                yield break;
            }

            uint length = BinaryPrimitives.ReadUInt16LittleEndian(_head.AsSpan(_lengthOffset));
            if (length == 0)
            {
                if (wrapped)
                {
                    Lost++;
                    Report("the log is damaged: it wraps around twice; what follows is lost");
                    yield break;
                }

                wrapped = true;
                at = 0;
                continue;
            }

            if (length < _head.Length)
            {
                Lost++;
                Report($"the log is damaged: the {_type} at 0x{at:x} has {length} bytes, expected {_head.Length} or more; what follows is lost");
                yield break;
            }

            int text = (int)Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(_head.AsSpan(_textLengthOffset)),
                Math.Min(length, _length - at) - (uint)_head.Length);
            if (TryRead(_buffer + at + (uint)_head.Length, _text.AsSpan(0, text)))
                yield return Describe(text);
            else
                unreadable++;
            at += length;
        }

        Lost += unreadable;
        ReportUnreadable(unreadable);
    }

    private LogRecord Describe(int text)
    {
        // u16 len, u16 text_len, u16 dict_len, u8 facility, u8 flags and level
        int facility = _lengthOffset + 6;
        bool known = facility + 2 <= _head.Length;
        return new()
        {
            Timestamp = BinaryPrimitives.ReadUInt64LittleEndian(_head.AsSpan(_timestampOffset)),
            Facility = known ? _head[facility] : null,
            Level = known ? _head[facility + 1] >> 5 : null,
            CallerId = _callerOffset is { } caller ? BinaryPrimitives.ReadUInt32LittleEndian(_head.AsSpan(caller)) : null,
            Text = _text.AsMemory(0, text),
        };
    }
}
