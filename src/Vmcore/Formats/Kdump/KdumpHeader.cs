using System.Buffers.Binary;
using System.Numerics;
using Vmcore.Compression;
using Vmcore.IO;

namespace Vmcore.Formats.Kdump;

/// <summary>The main header of a kdump-compressed file: block 0, in the layout of 64-bit little-endian machines.</summary>
public sealed record KdumpHeader
{
    /// <summary>Bytes of the header that hold fields.</summary>
    internal const int Size = 464;

    /// <summary>The version that Vmcore writes, and the newest one whose fields are known.</summary>
    internal const int CurrentVersion = 6;

    /// <summary>The first version that has parts.</summary>
    internal const int SplitVersion = 2;

    /// <summary>Byte offset of the status word.</summary>
    internal const int StatusOffset = 424;

    // Machines with pages of 4 KiB address at most 2^52 bytes, those with 64 KiB 2^56.
    private const ulong AddressablePages = 1UL << 40;

    /// <summary>True for the older <c>DISKDUMP</c> signature, false for <c>KDUMP</c>.</summary>
    public bool IsDiskdump { get; init; }

    /// <summary>Version of the format, 0 or more; each version only adds fields to the sub header.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>What the crashed kernel calls itself.</summary>
    public KdumpUtsname Utsname { get; init; } = KdumpUtsname.Empty;

    /// <summary>Time of the crash in seconds since 1970, 0 if unknown.</summary>
    public long TimestampSeconds { get; init; }

    /// <summary>Microseconds of the time of the crash. Always written as 0: some readers take other values for a 32-bit layout.</summary>
    public long TimestampMicroseconds { get; init; }

    /// <summary>The codec of the run that wrote the file, and whether the file is incomplete.</summary>
    public KdumpStatus Status { get; init; }

    /// <summary>The codec of the run that wrote the file; null if the file names none that exists.</summary>
    public PageCodec? Codec =>
        PageCodecs.TryFromFlags((uint)Status & (uint)(PageCodec.Zlib | PageCodec.Lzo | PageCodec.Snappy | PageCodec.Zstd), out PageCodec codec) ? codec : null;

    /// <summary>Page size in bytes: a power of two, 4096 to 262144.</summary>
    public int BlockSize { get; init; } = 4096;

    /// <summary>Blocks of the sub header and the notes.</summary>
    public int SubHeaderBlocks { get; init; }

    /// <summary>Blocks of both bitmaps together.</summary>
    public uint BitmapBlocks { get; init; }

    /// <summary>One past the highest pfn, clipped to 32 bits; from version 6 on the sub header has the real one.</summary>
    public uint MaxMapNr { get; init; }

    /// <summary>Blocks of RAM; diskdump only.</summary>
    public uint TotalRamBlocks { get; init; }

    /// <summary>Blocks of the dump device; diskdump only.</summary>
    public uint DeviceBlocks { get; init; }

    /// <summary>Blocks written; diskdump only.</summary>
    public uint WrittenBlocks { get; init; }

    /// <summary>The CPU that dumped; diskdump only.</summary>
    public uint CurrentCpu { get; init; }

    /// <summary>Number of CPUs that have register notes; readers want at least 1.</summary>
    public int CpuCount { get; init; } = 1;

    /// <summary>True if the file begins as a kdump-compressed or diskdump file does, of whatever byte order.</summary>
    internal static bool IsKdump(IByteSource source)
    {
        Span<byte> signature = stackalloc byte[8];
        return source.Read(0, signature) == signature.Length
            && (signature.SequenceEqual("KDUMP   "u8) || signature.SequenceEqual("DISKDUMP"u8));
    }

    /// <summary>Reads and checks the header.</summary>
    /// <param name="source">The file; a flattened one as a flattened source.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <exception cref="DumpFormatException">It is no kdump-compressed file, one of a 32-bit or big-endian machine, or a field is impossible.</exception>
    internal static KdumpHeader Parse(IByteSource source, ReadLimits? limits = null)
    {
        Span<byte> bytes = stackalloc byte[Size];
        source.ReadExactly(0, bytes, "kdump header");
        bool isDiskdump = bytes[..8].SequenceEqual("DISKDUMP"u8);
        if (!isDiskdump && !bytes[..8].SequenceEqual("KDUMP   "u8))
            throw new DumpFormatException(source.Name, 0, "kdump signature", "0x" + Convert.ToHexString(bytes[..8]), "KDUMP or DISKDUMP");

        int blockSize = Int32(bytes, 428);
        if (!IsValidBlockSize(blockSize))
            throw NotOurLayout(source, bytes, blockSize);
        var header = new KdumpHeader
        {
            IsDiskdump = isDiskdump,
            Version = Int32(bytes, 8),
            Utsname = KdumpUtsname.Parse(bytes.Slice(12, KdumpUtsname.Size)),
            TimestampSeconds = BinaryPrimitives.ReadInt64LittleEndian(bytes[408..]),
            TimestampMicroseconds = BinaryPrimitives.ReadInt64LittleEndian(bytes[416..]),
            Status = (KdumpStatus)UInt32(bytes, StatusOffset),
            BlockSize = blockSize,
            SubHeaderBlocks = Int32(bytes, 432),
            BitmapBlocks = UInt32(bytes, 436),
            MaxMapNr = UInt32(bytes, 440),
            TotalRamBlocks = UInt32(bytes, 444),
            DeviceBlocks = UInt32(bytes, 448),
            WrittenBlocks = UInt32(bytes, 452),
            CurrentCpu = UInt32(bytes, 456),
            CpuCount = Int32(bytes, 460),
        };
        header.Check(source, limits ?? ReadLimits.Default);
        return header;
    }

    /// <summary>Changes the status word of an encoded header.</summary>
    internal static void SetStatus(Span<byte> header, KdumpStatus status) => BinaryPrimitives.WriteUInt32LittleEndian(header[StatusOffset..], (uint)status);

    /// <summary>Encodes the header in the layout of version 6, with a fraction of a second of 0.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes; only those are written.</param>
    internal void WriteTo(Span<byte> target)
    {
        target[..Size].Clear();
        (IsDiskdump ? "DISKDUMP"u8 : "KDUMP   "u8).CopyTo(target);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], CurrentVersion);
        Utsname.WriteTo(target.Slice(12, KdumpUtsname.Size));
        BinaryPrimitives.WriteInt64LittleEndian(target[408..], TimestampSeconds);
        BinaryPrimitives.WriteUInt32LittleEndian(target[StatusOffset..], (uint)Status);
        BinaryPrimitives.WriteInt32LittleEndian(target[428..], BlockSize);
        BinaryPrimitives.WriteInt32LittleEndian(target[432..], SubHeaderBlocks);
        BinaryPrimitives.WriteUInt32LittleEndian(target[436..], BitmapBlocks);
        BinaryPrimitives.WriteUInt32LittleEndian(target[440..], MaxMapNr);
        BinaryPrimitives.WriteUInt32LittleEndian(target[444..], TotalRamBlocks);
        BinaryPrimitives.WriteUInt32LittleEndian(target[448..], DeviceBlocks);
        BinaryPrimitives.WriteUInt32LittleEndian(target[452..], WrittenBlocks);
        BinaryPrimitives.WriteUInt32LittleEndian(target[456..], CurrentCpu);
        BinaryPrimitives.WriteInt32LittleEndian(target[460..], CpuCount);
    }

    /// <summary>True for a page size that the format allows.</summary>
    internal static bool IsValidBlockSize(int blockSize) =>
        blockSize is >= 4096 and <= 262144 && BitOperations.IsPow2(blockSize);

    /// <summary>Checks the number of pages against the bitmaps' size.</summary>
    /// <param name="source">The file, for the error.</param>
    /// <param name="offset">Offset of the field in bytes, for the error.</param>
    /// <param name="maxMapNr">One past the highest pfn.</param>
    /// <exception cref="DumpFormatException">There are more pages than bits, or than any machine has.</exception>
    internal void CheckMaxMapNr(IByteSource source, long offset, ulong maxMapNr)
    {
        if (maxMapNr > AddressablePages)
            throw new DumpFormatException(source.Name, offset, "kdump max_mapnr", $"0x{maxMapNr:x} pages", $"at most 0x{AddressablePages:x}");
        if (KdumpLayout.BlocksOfOneBitmap(maxMapNr, BlockSize) > BitmapBlocks)
            throw new DumpFormatException(source.Name, offset, "kdump max_mapnr", $"{maxMapNr} pages",
                $"at most the {BitmapBlocks * (ulong)BlockSize * 8} bits of bitmap_blocks ({BitmapBlocks})");
    }

    private void Check(IByteSource source, ReadLimits limits)
    {
        if (Version < 0)
            throw new DumpFormatException(source.Name, 8, "kdump header_version", $"{Version}", "0 or more");
        if (SubHeaderBlocks < 1 || (1L + SubHeaderBlocks) * BlockSize > source.Length)
            throw new DumpFormatException(source.Name, 432, "kdump sub_hdr_size",
                $"{SubHeaderBlocks} blocks", $"at least 1, all inside the file of 0x{source.Length:x} bytes");
        if (CpuCount < 0 || CpuCount > limits.KdumpCpus)
            throw new DumpFormatException(source.Name, 460, "kdump nr_cpus", $"{CpuCount}", $"0 to {limits.KdumpCpus}");
        if (Version < 6)
            CheckMaxMapNr(source, 440, MaxMapNr);
    }

    /// <summary>Says why the page size makes no sense: often because the file is of another kind of machine.</summary>
    private static DumpFormatException NotOurLayout(IByteSource source, ReadOnlySpan<byte> bytes, int blockSize)
    {
        string? layout = null;
        if (IsValidBlockSize(BinaryPrimitives.ReadInt32BigEndian(bytes[428..])))
            layout = "the layout of a 64-bit big-endian machine";
        else if (IsValidBlockSize(Int32(bytes, 416)))
            layout = "the layout of a 32-bit machine";
        else if (IsValidBlockSize(BinaryPrimitives.ReadInt32BigEndian(bytes[416..])))
            layout = "the layout of a 32-bit big-endian machine";
        return layout is null
            ? new DumpFormatException(source.Name, 428, "kdump block_size", $"{blockSize}", "a power of two, 4096 to 262144")
            : new DumpFormatException(source.Name, 0, "kdump header", layout, "a dump of a 64-bit little-endian machine");
    }

    private static int Int32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadInt32LittleEndian(bytes[offset..]);

    private static uint UInt32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);
}
