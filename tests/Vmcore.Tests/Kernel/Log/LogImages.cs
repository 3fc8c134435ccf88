using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Log;

namespace Vmcore.Tests.Kernel.Log;

/// <summary>Logs of the three kinds, laid out as the kernels do.</summary>
internal static class LogImages
{
    internal const ulong Texts = 0xffff_8880_0010_0000;
    private const ulong Prb = 0xffff_ffff_8200_0000;
    private const ulong Ring = 0xffff_ffff_8200_1000;
    private const ulong Descriptors = 0xffff_8880_0001_0000;
    private const ulong Infos = 0xffff_8880_0002_0000;
    private const ulong ClearSequence = 0xffff_ffff_8200_2000;
    private const ulong Words = 0xffff_ffff_8200_3000;

    internal static string Text(KernelLog log, LogTextStyle style, bool sinceClear = false)
    {
        using var stream = new MemoryStream();
        var writer = new LogTextWriter(stream, style);
        foreach (LogRecord record in log.Read(sinceClear))
            writer.Write(record);
        writer.Flush();
        return Encoding.Latin1.GetString(stream.ToArray());
    }

    /// <summary>A ring of 5.10 and later; messages that no longer fit push out the oldest, as in the kernel.</summary>
    internal sealed class Ringbuffer
    {
        private readonly byte[] _ring = new byte[88];
        private readonly byte[] _clear = new byte[24];
        private ulong _head;
        private ulong _sequence;
        private ulong _position;

        internal Ringbuffer(int countBits, int textBits, ulong firstId = 0x40)
        {
            Count = 1 << countBits;
            Size = 1UL << textBits;
            Descs = new byte[24 * Count];
            Facts = new byte[88 * Count];
            Data = new byte[Size];
            _head = firstId - 1;
            BinaryPrimitives.WriteInt32LittleEndian(_ring, countBits);
            Put(_ring, 8, Descriptors);
            Put(_ring, 16, Infos);
            Put(_ring, 32, firstId);
            BinaryPrimitives.WriteInt32LittleEndian(_ring.AsSpan(48), textBits);
            Put(_ring, 56, Texts);
        }

        internal byte[] Descs { get; }

        internal byte[] Facts { get; }

        internal byte[] Data { get; }

        internal byte[] Head => _ring;

        internal int Count { get; }

        internal ulong Size { get; }

        internal ulong Tail { get; set; } = 0x40;

        internal string ExtraKeys { get; set; } = "";

        internal void Add(string text, ulong nanoseconds, uint caller = 0, int level = 6, ulong state = 2)
        {
            byte[] bytes = Encoding.Latin1.GetBytes(text);
            ulong size = (ulong)((8 + bytes.Length + 7) & ~7);
            ulong begin = _position, next = begin + size;
            ulong at = begin;
            if (begin / Size != next / Size)
            {
                // Texts do not cross the end: all of it stands at the beginning of the next turn.
                next = (next / Size * Size) + size;
                at = next - size;
            }

            _position = next;
            _head++;
            Put(Data, (int)(at % Size), _head);
            bytes.CopyTo(Data, (int)(at % Size) + 8);
            Describe(begin, next, nanoseconds, bytes.Length, caller, level, state);
        }

        internal void AddDataless(ulong nanoseconds)
        {
            _head++;
            Describe(1, 1, nanoseconds, 0, 0, 6, 2);
        }

        internal void Clear(bool latched)
        {
            if (latched)
            {
                Put(_clear, 0, 3);
                Put(_clear, 16, _sequence);
                ExtraKeys = "SIZE(latched_seq)=24\nOFFSET(latched_seq.val)=8\n";
            }
            else
            {
                Put(_clear, 0, _sequence);
            }
        }

        internal VmcoreInfo Info() => VmcoreInfo.Parse(Encoding.ASCII.GetBytes($"""
            SYMBOL(prb)={Prb:x}
            SYMBOL(clear_seq)={ClearSequence:x}
            SIZE(printk_ringbuffer)=88
            OFFSET(printk_ringbuffer.desc_ring)=0
            OFFSET(printk_ringbuffer.text_data_ring)=48
            OFFSET(prb_desc_ring.count_bits)=0
            OFFSET(prb_desc_ring.descs)=8
            OFFSET(prb_desc_ring.infos)=16
            OFFSET(prb_desc_ring.head_id)=24
            OFFSET(prb_desc_ring.tail_id)=32
            SIZE(prb_desc)=24
            OFFSET(prb_desc.state_var)=0
            OFFSET(prb_desc.text_blk_lpos)=8
            OFFSET(prb_data_blk_lpos.begin)=0
            OFFSET(prb_data_blk_lpos.next)=8
            SIZE(printk_info)=88
            OFFSET(printk_info.seq)=0
            OFFSET(printk_info.ts_nsec)=8
            OFFSET(printk_info.text_len)=16
            OFFSET(printk_info.caller_id)=20
            OFFSET(prb_data_ring.size_bits)=0
            OFFSET(prb_data_ring.data)=8
            OFFSET(atomic_long_t.counter)=0
            {ExtraKeys}
            """));

        internal FakeVirtualMemory Memory()
        {
            Put(_ring, 24, _head & ((1UL << 62) - 1));
            Put(_ring, 32, Tail);
            byte[] pointer = new byte[8];
            Put(pointer, 0, Ring);
            return new FakeVirtualMemory().Add(Prb, pointer).Add(Ring, _ring).Add(Descriptors, Descs)
                .Add(Infos, Facts).Add(Texts, Data).Add(ClearSequence, _clear);
        }

        private void Describe(ulong begin, ulong next, ulong nanoseconds, int length, uint caller, int level, ulong state)
        {
            int index = (int)(_head & (ulong)(Count - 1));
            Put(Descs, index * 24, (_head & ((1UL << 62) - 1)) | (state << 62));
            Put(Descs, (index * 24) + 8, begin);
            Put(Descs, (index * 24) + 16, next);
            Put(Facts, index * 88, _sequence++);
            Put(Facts, (index * 88) + 8, nanoseconds);
            BinaryPrimitives.WriteUInt16LittleEndian(Facts.AsSpan((index * 88) + 16), (ushort)length);
            Facts[(index * 88) + 19] = (byte)(level << 5);
            BinaryPrimitives.WriteUInt32LittleEndian(Facts.AsSpan((index * 88) + 20), caller);
            if (_sequence > (ulong)Count)
                Tail++;
        }
    }

    /// <summary>A log of 3.5 to 5.9.</summary>
    internal sealed class Records
    {
        private readonly int _headSize;
        private readonly bool _oldName;

        internal Records(int length, bool caller = false, bool oldName = false)
        {
            Ring = new byte[length];
            _headSize = caller ? 24 : 16;
            _oldName = oldName;
        }

        internal byte[] Ring { get; }

        internal uint First { get; set; }

        internal uint Next { get; set; }

        internal uint Clear { get; set; }

        internal int Add(string text, ulong nanoseconds, uint caller = 0, int level = 6)
        {
            byte[] bytes = Encoding.Latin1.GetBytes(text);
            int size = (_headSize + bytes.Length + 7) & ~7;
            if ((int)Next + size + _headSize > Ring.Length)
            {
                Ring.AsSpan((int)Next, Math.Min(_headSize, Ring.Length - (int)Next)).Clear();
                Next = 0;
            }

            int at = (int)Next;
            Put(Ring, at, nanoseconds);
            BinaryPrimitives.WriteUInt16LittleEndian(Ring.AsSpan(at + 8), (ushort)size);
            BinaryPrimitives.WriteUInt16LittleEndian(Ring.AsSpan(at + 10), (ushort)bytes.Length);
            Ring[at + 15] = (byte)(level << 5);
            if (_headSize > 16)
                BinaryPrimitives.WriteUInt32LittleEndian(Ring.AsSpan(at + 16), caller);
            bytes.CopyTo(Ring, at + _headSize);
            Next += (uint)size;
            return at;
        }

        internal VmcoreInfo Info()
        {
            string type = _oldName ? "log" : "printk_log";
            return VmcoreInfo.Parse(Encoding.ASCII.GetBytes($"""
                SYMBOL(log_buf)={Words:x}
                SYMBOL(log_buf_len)={Words + 8:x}
                SYMBOL(log_first_idx)={Words + 12:x}
                SYMBOL(log_next_idx)={Words + 16:x}
                SYMBOL(clear_idx)={Words + 20:x}
                SIZE({type})={_headSize}
                OFFSET({type}.ts_nsec)=0
                OFFSET({type}.len)=8
                OFFSET({type}.text_len)=10
                OFFSET({type}.dict_len)=12
                {(_headSize > 16 ? $"OFFSET({type}.caller_id)=16" : "")}
                """));
        }

        internal FakeVirtualMemory Memory()
        {
            byte[] words = new byte[24];
            Put(words, 0, Texts);
            BinaryPrimitives.WriteInt32LittleEndian(words.AsSpan(8), Ring.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(words.AsSpan(12), First);
            BinaryPrimitives.WriteUInt32LittleEndian(words.AsSpan(16), Next);
            BinaryPrimitives.WriteUInt32LittleEndian(words.AsSpan(20), Clear);
            return new FakeVirtualMemory().Add(Words, words).Add(Texts, Ring);
        }
    }

    /// <summary>A log before 3.5: <paramref name="written"/> is everything that was ever logged.</summary>
    internal static (VmcoreInfo Info, FakeVirtualMemory Memory) PlainText(string written, int length, int loggedChars)
    {
        byte[] ring = new byte[length], words = new byte[24];
        for (int i = 0; i < written.Length; i++)
            ring[i & (length - 1)] = (byte)written[i];
        Put(words, 0, Texts);
        BinaryPrimitives.WriteInt32LittleEndian(words.AsSpan(8), length);
        BinaryPrimitives.WriteInt32LittleEndian(words.AsSpan(12), written.Length);
        BinaryPrimitives.WriteInt32LittleEndian(words.AsSpan(16), loggedChars);
        VmcoreInfo info = VmcoreInfo.Parse(Encoding.ASCII.GetBytes($"SYMBOL(log_buf)={Words:x}\nSYMBOL(log_buf_len)={Words + 8:x}\n"
            + $"SYMBOL(log_end)={Words + 12:x}\nSYMBOL(logged_chars)={Words + 16:x}\n"));
        return (info, new FakeVirtualMemory().Add(Words, words).Add(Texts, ring));
    }

    private static void Put(byte[] bytes, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);
}
