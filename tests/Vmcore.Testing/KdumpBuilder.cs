using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Vmcore.Compression;

namespace Vmcore.Testing;

/// <summary>
/// Builds small kdump-compressed files byte by byte from the description of the format, without the code under test.
/// Pages that nobody mentions are holes.
/// </summary>
public sealed class KdumpBuilder
{
    private readonly SortedDictionary<ulong, byte[]?> _pages = [];
    private readonly Dictionary<ulong, (byte[] Block, uint Flags)> _blocks = [];

    public int BlockSize { get; init; } = 4096;

    public int Version { get; init; } = 6;

    public bool Diskdump { get; init; }

    /// <summary>False for an old file with one bitmap, which has no excluded pages.</summary>
    public bool TwoBitmaps { get; init; } = true;

    public ulong MaxMapNr { get; init; } = 64;

    public uint Status { get; init; }

    public byte[] Notes { get; init; } = [];

    /// <summary>Where in the notes the vmcoreinfo text is.</summary>
    public (int Offset, int Length) VmcoreInfo { get; init; }

    public string EraseInfo { get; init; } = "";

    /// <summary>How pages with a codec other than zlib are compressed.</summary>
    public Func<PageCodec, byte[], byte[]>? Compress { get; init; }

    public int SubHeaderBlocks => (104 + Notes.Length + BlockSize - 1) / BlockSize;

    public int BitmapBytes => (int)((MaxMapNr + ((ulong)BlockSize * 8) - 1) / ((ulong)BlockSize * 8)) * BlockSize;

    public int Bitmap1Offset => (1 + SubHeaderBlocks) * BlockSize;

    public int Bitmap2Offset => Bitmap1Offset + (TwoBitmaps ? BitmapBytes : 0);

    public int DescriptorsOffset => Bitmap2Offset + BitmapBytes;

    /// <summary>A page that has data.</summary>
    public KdumpBuilder Page(ulong pfn, byte[] page, PageCodec codec = PageCodec.None)
    {
        _pages[pfn] = page;
        _blocks[pfn] = (codec switch
        {
            PageCodec.None => page,
            PageCodec.Zlib => Zlib(page),
            _ => Compress!(codec, page),
        }, (uint)codec);
        return this;
    }

    /// <summary>A page with a block and flags that need not make sense.</summary>
    public KdumpBuilder Block(ulong pfn, byte[] block, uint flags)
    {
        _pages[pfn] = block;
        _blocks[pfn] = (block, flags);
        return this;
    }

    /// <summary>A page that a filter left out.</summary>
    public KdumpBuilder Excluded(ulong pfn)
    {
        _pages[pfn] = null;
        return this;
    }

    /// <summary>The whole dump as one file.</summary>
    public byte[] Build() => Build(split: false, 0, 0, Status);

    /// <summary>The part of a split dump that has the descriptors of [start, end).</summary>
    public byte[] BuildPart(ulong start, ulong end, uint status = 0) => Build(split: true, start, end, Status | status);

    public static byte[] Zlib(byte[] page)
    {
        using var target = new MemoryStream();
        using (var zlib = new ZLibStream(target, CompressionLevel.Fastest))
            zlib.Write(page);
        return target.ToArray();
    }

    /// <summary>A page that differs from that of any other pfn and compresses well.</summary>
    public static byte[] Pattern(ulong pfn, int size = 4096)
    {
        byte[] page = new byte[size];
        for (int i = 0; i < size; i += 64)
            BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(i), (pfn << 32) + (uint)i);
        return page;
    }

    private byte[] Build(bool split, ulong start, ulong end, uint status)
    {
        var data = new List<byte>();
        var descriptors = new List<byte>();
        ulong[] mine = [.. _blocks.Keys.Where(p => !split || (p >= start && p < end)).Order()];
        long dataOffset = DescriptorsOffset + (24L * mine.Length);
        foreach (ulong pfn in mine)
        {
            (byte[] block, uint flags) = _blocks[pfn];
            byte[] descriptor = new byte[24];
            BinaryPrimitives.WriteInt64LittleEndian(descriptor, dataOffset + data.Count);
            BinaryPrimitives.WriteInt32LittleEndian(descriptor.AsSpan(8), block.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(12), flags);
            descriptors.AddRange(descriptor);
            data.AddRange(block);
        }

        byte[] head = new byte[DescriptorsOffset];
        WriteHeader(head, status);
        WriteSubHeader(head.AsSpan(BlockSize), split, start, end, dataOffset + data.Count);
        Notes.CopyTo(head, BlockSize + 104);
        foreach ((ulong pfn, byte[]? block) in _pages)
        {
            head[Bitmap1Offset + (int)(pfn / 8)] |= (byte)(1 << (int)(pfn % 8));
            if (block is not null)
                head[Bitmap2Offset + (int)(pfn / 8)] |= (byte)(1 << (int)(pfn % 8));
        }

        return [.. head, .. descriptors, .. data, .. Encoding.ASCII.GetBytes(EraseInfo)];
    }

    private void WriteHeader(Span<byte> head, uint status)
    {
        Encoding.ASCII.GetBytes(Diskdump ? "DISKDUMP" : "KDUMP   ").CopyTo(head);
        I32(head, 8, Version);
        string[] names = ["Linux", "crashed", "6.1.0-test", "#1 SMP", "x86_64", "(none)"];
        for (int i = 0; i < names.Length; i++)
            Encoding.ASCII.GetBytes(names[i]).CopyTo(head[(12 + (65 * i))..]);
        I64(head, 408, 1_700_000_000);
        I32(head, 424, (int)status);
        I32(head, 428, BlockSize);
        I32(head, 432, SubHeaderBlocks);
        I32(head, 436, BitmapBytes / BlockSize * (TwoBitmaps ? 2 : 1));
        I32(head, 440, (int)(uint)Math.Min(MaxMapNr, uint.MaxValue));
        I32(head, 460, 2);
    }

    /// <summary>Writes rubbish into the fields that the version does not have, as old writers left them.</summary>
    private void WriteSubHeader(Span<byte> sub, bool split, ulong start, ulong end, long eraseInfo)
    {
        sub[..104].Fill(0xa5);
        I64(sub, 0, 0x1000000);
        if (Version >= 1)
            I32(sub, 8, 31);
        if (Version >= 2)
        {
            I32(sub, 12, split ? 1 : 0);
            I64(sub, 16, (long)start);
            I64(sub, 24, (long)end);
        }

        if (Version >= 3)
        {
            I64(sub, 32, VmcoreInfo.Length == 0 ? 0 : BlockSize + 104 + VmcoreInfo.Offset);
            I64(sub, 40, VmcoreInfo.Length);
        }

        if (Version >= 4)
        {
            I64(sub, 48, Notes.Length == 0 ? 0 : BlockSize + 104);
            I64(sub, 56, Notes.Length);
        }

        if (Version >= 5)
        {
            I64(sub, 64, EraseInfo.Length == 0 ? 0 : eraseInfo);
            I64(sub, 72, EraseInfo.Length);
        }

        if (Version >= 6)
        {
            I64(sub, 80, (long)start);
            I64(sub, 88, (long)end);
            I64(sub, 96, (long)MaxMapNr);
        }
    }

    private static void I32(Span<byte> target, int offset, int value) => BinaryPrimitives.WriteInt32LittleEndian(target[offset..], value);

    private static void I64(Span<byte> target, int offset, long value) => BinaryPrimitives.WriteInt64LittleEndian(target[offset..], value);
}
