using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Log;

/// <summary>
/// The lockless ring buffer of 5.10 and later: a ring of descriptors, a ring of their facts, and a ring of texts. A message counts if its
/// descriptor is committed or final and still carries its id, and the same id stands before its text (struct prb_data_block): a pointer
/// that went wild does not pass for texts. Layout: vmcoreinfo; kernel/printk/printk_ringbuffer.h.
/// </summary>
internal sealed class RingbufferLog : KernelLog
{
    private const int IdBits = 62;
    private const ulong IdMask = (1UL << IdBits) - 1;
    private const int Committed = 1;
    private const int Finalized = 2;

    private const int LargestTextBits = 31;

    // Before the text stands the descriptor's id.
    private const int TextPrefix = sizeof(ulong);

    private readonly Layout _layout;
    private readonly byte[] _descriptor;
    private readonly byte[] _facts;
    private readonly byte[] _text = new byte[TextPrefix + ushort.MaxValue];
    private readonly ulong _descriptors;
    private readonly ulong _infos;
    private readonly ulong _texts;
    private readonly int _descriptorBits;
    private readonly int _textBits;
    private readonly ulong _head;
    private readonly ulong _tail;
    private int _unreadable;
    private int _strange;

    private RingbufferLog(VmcoreInfo info, IVirtualMemory memory, Layout layout, ReadOnlySpan<byte> ring)
        : base(info, memory, LogFormat.Ringbuffer)
    {
        _layout = layout;
        _descriptor = new byte[layout.DescriptorSize];
        _facts = new byte[layout.InfoSize];
        ReadOnlySpan<byte> descriptors = ring[layout.DescRing..], texts = ring[layout.TextRing..];
        _descriptorBits = BinaryPrimitives.ReadInt32LittleEndian(descriptors[layout.CountBits..]);
        _descriptors = UInt64(descriptors, layout.Descs);
        _infos = UInt64(descriptors, layout.Infos);
        _head = UInt64(descriptors, layout.HeadId + layout.Counter) & IdMask;
        _tail = UInt64(descriptors, layout.TailId + layout.Counter) & IdMask;
        _textBits = BinaryPrimitives.ReadInt32LittleEndian(texts[layout.SizeBits..]);
        _texts = UInt64(texts, layout.Data);
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<VirtualRange> Buffers =>
    [
        Buffer(_descriptors, (ulong)_descriptor.Length << _descriptorBits),
        Buffer(_infos, (ulong)_facts.Length << _descriptorBits),
        Buffer(_texts, 1UL << _textBits),
    ];

    /// <summary>Reads the ring's head.</summary>
    internal static new KernelLog? TryOpen(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        if (Layout.From(info, memory.Limits, out problem) is not { } layout)
            return null;
        ulong pointer = info.Symbol("prb")!.Value;
        if (!memory.TryReadUInt64(pointer, out ulong address))
        {
            problem = Unreadable("the pointer prb", pointer);
            return null;
        }

        // Room behind the structure: an offset is checked against a limit, not against the structure's size.
        byte[] ring = new byte[2 * memory.Limits.LogStructureBytes];
        if (memory.Read(address, ring.AsSpan(0, layout.Size)) != MemoryStatus.Ok)
        {
            problem = Unreadable("the structure printk_ringbuffer", address);
            return null;
        }

        var log = new RingbufferLog(info, memory, layout, ring);
        if (log._descriptorBits < 1 || log._descriptorBits > memory.Limits.LogDescriptorBits || log._textBits is < 4 or > LargestTextBits)
        {
            problem = $"printk_ringbuffer at 0x{address:x} is damaged: count_bits {log._descriptorBits}, expected 1 to {memory.Limits.LogDescriptorBits}; "
                + $"size_bits {log._textBits}, expected 4 to {LargestTextBits}";
            return null;
        }

        return log;
    }

    /// <inheritdoc/>
    public override IEnumerable<LogRecord> Read(bool sinceClear = false)
    {
        ulong count = 1UL << _descriptorBits;
        ulong first = sinceClear ? ClearSequence() : 0;
        ulong messages = ((_head - _tail) & IdMask) + 1;
        ulong id = _tail;
        if (messages > count)
        {
            Lost++;
            Report($"the ids of the log's first and last message (0x{_tail:x}, 0x{_head:x}) are further apart than its {count} descriptors; "
                + $"the last {count} are looked at");
            id = (_head - count + 1) & IdMask;
            messages = count;
        }

        for (; messages > 0; messages--, id = (id + 1) & IdMask)
        {
            if (TryReadRecord(id, out LogRecord record) && record.Sequence >= first)
                yield return record;
        }

        ReportUnreadable(_unreadable);
        if (_strange > 0)
            Report($"{_strange} messages are lost: their texts are not where the ring says, for what stands there does not have their ids");
    }

    private static ulong UInt64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);

    /// <summary>The number of the first message since the log was cleared: a plain word, or since 5.13 one of two that a counter chooses between.</summary>
    private ulong ClearSequence()
    {
        if (Info.Symbol("clear_seq") is not { } address)
        {
            Report("vmcoreinfo does not say since when the log is cleared (clear_seq); all of it is shown", FindingCode.LogClearUnknown);
            return 0;
        }

        bool known = Memory.TryReadUInt64(address, out ulong value);
        if (known && Info.Size("latched_seq") is not null)
            known = Memory.TryReadUInt64(address + (ulong)(Info.Offset("latched_seq.val") ?? sizeof(ulong)) + ((value & 1) * sizeof(ulong)), out value);
        if (known)
            return value;
        Report(Unreadable("clear_seq", address) + "; all of the log is shown", FindingCode.LogClearUnknown);
        return 0;
    }

    private bool TryReadRecord(ulong id, out LogRecord record)
    {
        record = default;
        ulong index = id & ((1UL << _descriptorBits) - 1);
        if (!TryRead(_descriptors + (index * (ulong)_descriptor.Length), _descriptor))
            return Lose(ref _unreadable);

        ulong state = UInt64(_descriptor, _layout.State + _layout.Counter);
        if ((state & IdMask) != id || (state >> IdBits) is not (Committed or Finalized))
            return false;
        if (!TryRead(_infos + (index * (ulong)_facts.Length), _facts))
            return Lose(ref _unreadable);

        byte levelAndFlags = _facts[_layout.TextLength + 3];
        record = new()
        {
            Sequence = UInt64(_facts, _layout.Sequence),
            Timestamp = UInt64(_facts, _layout.Timestamp),
            Facility = _facts[_layout.TextLength + 2],
            Level = levelAndFlags >> 5,
            FactsAddress = _infos + (index * (ulong)_facts.Length),
            CallerId = _layout.CallerId is { } caller ? BinaryPrimitives.ReadUInt32LittleEndian(_facts.AsSpan(caller)) : null,
        };
        if (!TryReadText(id, out int length, out bool dataless))
            return false;
        record = record with { Text = _text.AsMemory(TextPrefix, length), IsDataless = dataless };
        return true;
    }

    private bool Lose(ref int reason)
    {
        Lost++;
        reason++;
        return false;
    }

    private bool TryReadText(ulong id, out int length, out bool dataless)
    {
        ulong size = 1UL << _textBits, mask = size - 1;
        ulong begin = UInt64(_descriptor, _layout.TextBlock + _layout.Begin) & mask;
        ulong next = UInt64(_descriptor, _layout.TextBlock + _layout.Next) & mask;
        length = BinaryPrimitives.ReadUInt16LittleEndian(_facts.AsSpan(_layout.TextLength));
        dataless = begin == next;
        if (dataless)
        {
            length = 0;
            return true;
        }

        // A text that would cross the end of the ring stands at its beginning instead. One that ends exactly there does not wrap.
        if (begin > next)
            begin = next == 0 ? begin : 0;
        ulong end = next == 0 ? size : next;
        if (begin + TextPrefix > end)
            return Lose(ref _strange);
        length = (int)Math.Min((ulong)length, end - begin - TextPrefix);
        Span<byte> block = _text.AsSpan(0, TextPrefix + length);
        if (!TryRead(_texts + begin, block))
            return Lose(ref _unreadable);
        return (UInt64(block, 0) & IdMask) == id || Lose(ref _strange);
    }

    /// <summary>Offsets and sizes in bytes, all of them checked against <see cref="ReadLimits.LogStructureBytes"/>.</summary>
    private sealed record Layout
    {
        public int Size { get; private init; }

        public int DescRing { get; private init; }

        public int TextRing { get; private init; }

        public int CountBits { get; private init; }

        public int Descs { get; private init; }

        public int Infos { get; private init; }

        public int HeadId { get; private init; }

        public int TailId { get; private init; }

        public int DescriptorSize { get; private init; }

        public int State { get; private init; }

        public int Counter { get; private init; }

        public int TextBlock { get; private init; }

        public int Begin { get; private init; }

        public int Next { get; private init; }

        public int InfoSize { get; private init; }

        public int Sequence { get; private init; }

        public int Timestamp { get; private init; }

        public int TextLength { get; private init; }

        public int? CallerId { get; private init; }

        public int SizeBits { get; private init; }

        public int Data { get; private init; }

        public static Layout? From(VmcoreInfo info, ReadLimits limits, out string? problem)
        {
            string? missing = null;
            int Get(int? value, string key)
            {
                if (value is { } known && known <= limits.LogStructureBytes / 4)
                    return known;
                missing ??= key;
                return 0;
            }

            int Offset(string member) => Get(info.Offset(member), $"OFFSET({member})");
            int Size(string type) => Get(info.Size(type), $"SIZE({type})");
            var layout = new Layout
            {
                Size = Size("printk_ringbuffer"),
                DescRing = Offset("printk_ringbuffer.desc_ring"),
                TextRing = Offset("printk_ringbuffer.text_data_ring"),
                CountBits = Offset("prb_desc_ring.count_bits"),
                Descs = Offset("prb_desc_ring.descs"),
                Infos = Offset("prb_desc_ring.infos"),
                HeadId = Offset("prb_desc_ring.head_id"),
                TailId = Offset("prb_desc_ring.tail_id"),
                DescriptorSize = Size("prb_desc"),
                State = Offset("prb_desc.state_var"),
                Counter = Offset("atomic_long_t.counter"),
                TextBlock = Offset("prb_desc.text_blk_lpos"),
                Begin = Offset("prb_data_blk_lpos.begin"),
                Next = Offset("prb_data_blk_lpos.next"),
                InfoSize = Size("printk_info"),
                Sequence = Offset("printk_info.seq"),
                Timestamp = Offset("printk_info.ts_nsec"),
                TextLength = Offset("printk_info.text_len"),
                CallerId = info.Offset("printk_info.caller_id"),
                SizeBits = Offset("prb_data_ring.size_bits"),
                Data = Offset("prb_data_ring.data"),
            };
            const int Word = sizeof(ulong);
            bool fits = layout.State + layout.Counter + Word <= layout.DescriptorSize
                && layout.TextBlock + Math.Max(layout.Begin, layout.Next) + Word <= layout.DescriptorSize
                && Math.Max(layout.Sequence, layout.Timestamp) + Word <= layout.InfoSize && layout.TextLength + sizeof(uint) <= layout.InfoSize
                && (layout.CallerId ?? 0) + sizeof(uint) <= layout.InfoSize;
            problem = missing is not null ? $"vmcoreinfo has no usable {missing}"
                : fits ? null : "vmcoreinfo gives members of prb_desc or printk_info that lie outside of them";
            return problem is null ? layout : null;
        }
    }
}
