using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Formats.Kdump;

/// <summary>
/// One bitmap of a kdump-compressed file, read in chunks as they are needed: the bitmaps of a machine with 24 TiB take
/// 800 MB each, and its capture kernel has 256. Bits beyond the end of the file are unknown. Safe for several threads.
/// </summary>
internal sealed class BitmapReader
{
    /// <summary>Bytes of a chunk: 128 Ki pages.</summary>
    public const int ChunkBytes = 16 * 1024;

    /// <summary>log2 of the pages of a chunk.</summary>
    public const int ChunkShift = 17;

    private const int SlotCount = 32;
    private const int StepBytes = 64;

    private readonly IByteSource _source;
    private readonly long _offset;
    private readonly ulong _maxMapNr;
    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly Lock _indexLock = new();

    // Number of set bits before each chunk, as far as anybody has asked. It never grows beyond the chunks that the file has.
    private readonly List<ulong> _bitsBefore = [0];

    /// <summary>Creates a reader.</summary>
    /// <param name="source">The file.</param>
    /// <param name="offset">Byte offset of the bitmap.</param>
    /// <param name="maxMapNr">Number of bits.</param>
    public BitmapReader(IByteSource source, long offset, ulong maxMapNr)
    {
        _source = source;
        _offset = offset;
        _maxMapNr = maxMapNr;
        ulong inFile = (ulong)Math.Max(0, source.Length - offset) * 8;
        ReadablePfns = Math.Min(maxMapNr, inFile);
        for (int i = 0; i < _slots.Length; i++)
            _slots[i] = new Slot();
    }

    /// <summary>One past the last pfn whose bit is in the file.</summary>
    public ulong ReadablePfns { get; }

    /// <summary>Gives a page's bit.</summary>
    /// <returns>Null if the file ends before it or fails there.</returns>
    public bool? Get(ulong pfn)
    {
        if (pfn >= ReadablePfns)
            return null;
        Slot slot = _slots[SlotOf(pfn)];
        lock (slot)
        {
            Load(slot, pfn >> ChunkShift);
            int at = (int)(pfn & ((1UL << ChunkShift) - 1));
            return at >= slot.ValidBytes * 8 ? null : (slot.Bytes![at >> 3] >> (at & 7) & 1) != 0;
        }
    }

    /// <summary>Counts the set bits of the pages before <paramref name="pfn"/>.</summary>
    /// <param name="pfn">A pfn below <see cref="ReadablePfns"/>.</param>
    public ulong CountBefore(ulong pfn)
    {
        ulong chunk = pfn >> ChunkShift;
        ulong count = BitsBeforeChunk(chunk);
        int at = (int)(pfn & ((1UL << ChunkShift) - 1));
        Slot slot = _slots[SlotOf(pfn)];
        lock (slot)
        {
            Load(slot, chunk);
            int step = at >> 3 >> 6;
            count += (uint)slot.CountBefore![step];
            ReadOnlySpan<byte> rest = slot.Bytes.AsSpan(step * StepBytes, StepBytes);
            int bits = at & ((StepBytes * 8) - 1);
            for (; bits >= 64; bits -= 64, rest = rest[8..])
                count += (uint)BitOperations.PopCount(BinaryPrimitives.ReadUInt64LittleEndian(rest));
            if (bits > 0)
                count += (uint)BitOperations.PopCount(BinaryPrimitives.ReadUInt64LittleEndian(rest) & ((1UL << bits) - 1));
        }

        return count;
    }

    /// <summary>Copies bits; those at and beyond the bitmap's end are 0.</summary>
    /// <param name="firstPfn">First page, a multiple of 8.</param>
    /// <param name="bits">Receives the bits, lowest bit first.</param>
    /// <returns>True if all that belong to the bitmap were in the file; those that were not are 0.</returns>
    public bool Read(ulong firstPfn, Span<byte> bits) => ReadBytes(firstPfn, bits) == bits.Length;

    /// <summary>Finds the first page of a range whose bit is set. What the file has a hole for is one step, and the rest is not looked at bit by bit.</summary>
    /// <returns>The page; the end of the range if no bit is set. Bits that cannot be read count as clear.</returns>
    public ulong NextSet(PfnRange range)
    {
        const int FewBytes = 512, ManyBytes = 256 * 1024;
        Span<byte> buffer = stackalloc byte[FewBytes];
        byte[]? many = null;
        ulong end = Math.Min(range.End, ReadablePfns), pfn = NextData(range.Start & ~7UL);
        while (pfn < end)
        {
            ReadBytes(pfn, buffer);
            if (pfn < range.Start)
                buffer[0] &= (byte)(0xff << (int)(range.Start - pfn));
            int at = buffer.IndexOfAnyExcept((byte)0);
            if (at >= 0)
                return Math.Min(pfn + ((ulong)at * 8) + (ulong)BitOperations.TrailingZeroCount(buffer[at]), range.End);
            pfn = NextData(pfn + ((ulong)buffer.Length * 8));
            buffer = many ??= new byte[(int)Math.Min(ManyBytes, (end / 8) + 1)];
        }

        return range.End;
    }

    /// <summary>First page from a multiple of 8 on of whose bits the file may have one that is set: what is before lies in a hole of the file.</summary>
    private ulong NextData(ulong pfn)
    {
        long at = _offset + (long)(pfn / 8);
        return pfn >= ReadablePfns || at < 0 ? pfn : pfn + ((ulong)(_source.NextData(at) - at) * 8);
    }

    /// <summary>As <see cref="Read"/>; returns the number of leading bytes that are known.</summary>
    private int ReadBytes(ulong firstPfn, Span<byte> bits)
    {
        bits.Clear();
        if (firstPfn >= _maxMapNr)
            return bits.Length;
        ulong wanted = Math.Min((ulong)bits.Length, (_maxMapNr - firstPfn + 7) / 8);
        Span<byte> target = bits[..(int)wanted];
        // Not through the slots: who reads in bulk reads each byte once.
        long at = _offset + (long)(firstPfn / 8);
        int read = at < 0 ? 0 : _source.Read(at, target);
        target[read..].Clear();
        int tail = (int)(_maxMapNr & 7);
        if (tail != 0 && wanted == (_maxMapNr - firstPfn + 7) / 8)
            target[^1] &= (byte)((1 << tail) - 1);
        return read == target.Length ? bits.Length : read;
    }

    private static int SlotOf(ulong pfn) => (int)(pfn >> ChunkShift) & (SlotCount - 1);

    private ulong BitsBeforeChunk(ulong chunk)
    {
        lock (_indexLock)
        {
            if (chunk >= (ulong)_bitsBefore.Count)
                ExtendIndex(chunk);
            return _bitsBefore[(int)chunk];
        }
    }

    private void ExtendIndex(ulong chunk)
    {
        const int Batch = 16;
        byte[] buffer = new byte[Batch * ChunkBytes];
        while ((ulong)_bitsBefore.Count <= chunk)
        {
            // Chunks in a hole of the file are counted without a look.
            ulong data = NextData((ulong)(_bitsBefore.Count - 1) << ChunkShift) >> ChunkShift;
            while ((ulong)_bitsBefore.Count <= Math.Min(chunk, data))
                _bitsBefore.Add(_bitsBefore[^1]);
            if ((ulong)_bitsBefore.Count > chunk)
                break;
            Read((ulong)(_bitsBefore.Count - 1) << ChunkShift, buffer);
            int chunks = (int)Math.Min(Batch, chunk + 1 - (ulong)_bitsBefore.Count);
            for (int i = 0; i < chunks; i++)
                _bitsBefore.Add(_bitsBefore[^1] + PopCount(buffer.AsSpan(i * ChunkBytes, ChunkBytes)));
        }
    }

    private void Load(Slot slot, ulong chunk)
    {
        if (slot.Bytes is not null && slot.Chunk == chunk)
            return;
        slot.Bytes ??= new byte[ChunkBytes];
        slot.CountBefore ??= new int[ChunkBytes / StepBytes];
        slot.ValidBytes = ReadBytes(chunk << ChunkShift, slot.Bytes);
        slot.Chunk = chunk;
        int sum = 0;
        for (int i = 0; i < slot.CountBefore.Length; i++)
        {
            slot.CountBefore[i] = sum;
            sum += (int)PopCount(slot.Bytes.AsSpan(i * StepBytes, StepBytes));
        }
    }

    private static ulong PopCount(ReadOnlySpan<byte> bytes)
    {
        ulong count = 0;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
            count += (uint)BitOperations.PopCount(word);
        return count;
    }

    private sealed class Slot
    {
        public byte[]? Bytes;
        public int[]? CountBefore;
        public int ValidBytes;
        public ulong Chunk;
    }
}
