using System.Buffers.Binary;
using System.Globalization;

namespace Vmcore.Pmem;

/// <summary>What a namespace is for.</summary>
public enum PmemMode
{
    /// <summary>Not known: raw, sector (BTT), or without an info block that can be believed.</summary>
    Unknown,

    /// <summary>A block device with DAX: <c>/dev/pmemN</c>.</summary>
    FsDax,

    /// <summary>A character device: <c>/dev/daxN.M</c>.</summary>
    DevDax,

    /// <summary>Sector mode (BTT): no struct pages.</summary>
    Sector,
}

/// <summary>Where a namespace's memmap is (<c>ndctl --map</c>).</summary>
public enum PmemMap
{
    /// <summary>There is none, or it is not known.</summary>
    None = 0,

    /// <summary>In RAM.</summary>
    Memory = 1,

    /// <summary>On the pmem itself.</summary>
    Device = 2,
}

/// <summary>
/// The info block of an fsdax or devdax namespace (<c>struct nd_pfn_sb</c>), 4096 bytes at 4 KiB from the namespace's base.
/// All sizes and offsets are in bytes.
/// </summary>
public sealed class InfoBlock
{
    /// <summary>Length of the block.</summary>
    internal const int Size = 4096;

    /// <summary>Offset of the block from the namespace's base.</summary>
    internal const ulong Offset = 4096;

    /// <summary>What the kernel leaves free at the start of the namespace, with pages of 4 KiB.</summary>
    internal const ulong Reserve = 8192;

    private InfoBlock()
    {
    }

    /// <summary>fsdax or devdax, by the signature.</summary>
    public PmemMode Mode { get; private init; }

    /// <summary>Where the memmap is.</summary>
    public PmemMap Map { get; private init; }

    /// <summary>UUID of the fsdax or devdax instance.</summary>
    public Guid Uuid { get; private init; }

    /// <summary>UUID of the namespace; all zero without labels.</summary>
    public Guid ParentUuid { get; private init; }

    /// <summary>Version, major · 100 + minor.</summary>
    public int Version { get; private init; }

    /// <summary>Offset of the data from the namespace's base plus <see cref="StartPad"/>; what is before it is metadata and waste.</summary>
    public ulong DataOffset { get; private init; }

    /// <summary>Number of pages of data.</summary>
    public ulong DataPages { get; private init; }

    /// <summary>Bytes left out at the start (old kernels).</summary>
    public uint StartPad { get; private init; }

    /// <summary>Bytes left out at the end.</summary>
    public uint EndTruncation { get; private init; }

    /// <summary>Alignment of the data.</summary>
    public uint Alignment { get; private init; }

    /// <summary>Page size of the kernel that wrote it.</summary>
    public uint PageSize { get; private init; }

    /// <summary>Bytes reserved for each struct page.</summary>
    public ushort StructPageSize { get; private init; }

    /// <summary>Length of the namespace, from its base to its end.</summary>
    public ulong NamespaceSize => StartPad + DataOffset + (DataPages * PageSize) + EndTruncation;

    /// <summary>Reads and checks a block.</summary>
    /// <param name="block">4096 bytes.</param>
    /// <param name="namespaceBase">Physical address of the namespace.</param>
    /// <param name="structPageSize">SIZE(page) of the crashed kernel; 0 if not known.</param>
    /// <param name="problem">Receives null if there is a good block or none at all; otherwise which field is wrong, with both values.</param>
    /// <returns>Null if there is no valid block.</returns>
    internal static InfoBlock? TryParse(ReadOnlySpan<byte> block, ulong namespaceBase, int structPageSize, out string? problem)
    {
        problem = null;
        PmemMode mode = block.StartsWith("NVDIMM_PFN_INFO\0"u8) ? PmemMode.FsDax
            : block.StartsWith("NVDIMM_DAX_INFO\0"u8) ? PmemMode.DevDax : PmemMode.Unknown;
        if (mode == PmemMode.Unknown)
            return null;
        ulong stored = BinaryPrimitives.ReadUInt64LittleEndian(block[4088..]), computed = Checksum(block);
        int major = BinaryPrimitives.ReadUInt16LittleEndian(block[52..]), minor = BinaryPrimitives.ReadUInt16LittleEndian(block[54..]);
        ulong dataOffset = BinaryPrimitives.ReadUInt64LittleEndian(block[56..]);
        var result = new InfoBlock
        {
            Mode = mode,
            Map = (PmemMap)BinaryPrimitives.ReadUInt32LittleEndian(block[72..]),
            Uuid = new Guid(block.Slice(16, 16), bigEndian: true),
            ParentUuid = new Guid(block.Slice(32, 16), bigEndian: true),
            Version = (major * 100) + minor,
            DataOffset = dataOffset,
            DataPages = BinaryPrimitives.ReadUInt64LittleEndian(block[64..]),
            StartPad = minor >= 1 ? BinaryPrimitives.ReadUInt32LittleEndian(block[76..]) : 0,
            EndTruncation = minor >= 1 ? BinaryPrimitives.ReadUInt32LittleEndian(block[80..]) : 0,
            Alignment = minor >= 2 && BinaryPrimitives.ReadUInt32LittleEndian(block[84..]) is var align and not 0 ? align : AlignmentOf(dataOffset),
            PageSize = minor >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(block[88..]) : 4096,
            StructPageSize = minor >= 4 ? BinaryPrimitives.ReadUInt16LittleEndian(block[92..]) : (ushort)64,
        };
        problem = stored != computed ? Text("checksum", $"0x{stored:x}", $"0x{computed:x}")
            : result.Check(namespaceBase, structPageSize, major);
        return problem is null ? result : null;
    }

    /// <summary>Fletcher-64 over the block with its checksum field taken as 0.</summary>
    internal static ulong Checksum(ReadOnlySpan<byte> block)
    {
        uint low = 0;
        ulong high = 0;
        for (int at = 0; at < Size; at += 4)
        {
            low += at < 4088 ? BinaryPrimitives.ReadUInt32LittleEndian(block[at..]) : 0;
            high += low;
        }

        return (high << 32) | low;
    }

    private static uint AlignmentOf(ulong dataOffset) =>
        dataOffset is > 0 and <= uint.MaxValue ? 1u << System.Numerics.BitOperations.Log2((uint)dataOffset) : 4096;

    private static string Text(string field, string found, string expected) => $"{field}: found {found}, expected {expected}";

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    private string? Check(ulong namespaceBase, int structPageSize, int major)
    {
        if (major != 1)
            return Text("version", major.ToString(CultureInfo.InvariantCulture), "1");
        if (Map is not (PmemMap.Memory or PmemMap.Device))
            return Text("mode", ((uint)Map).ToString(CultureInfo.InvariantCulture), "1 (memory) or 2 (device)");
        if (PageSize is < 4096 or > 1 << 20 || !System.Numerics.BitOperations.IsPow2(PageSize))
            return Text("page_size", Hex(PageSize), "a power of two from 4 KiB to 1 MiB");
        if (Map == PmemMap.Device && StructPageSize < structPageSize)
            return Text("page_struct_size", StructPageSize.ToString(CultureInfo.InvariantCulture), $"at least SIZE(page)={structPageSize}");
        if (DataOffset < Reserve || DataOffset % PageSize != 0 || DataOffset >= 1UL << 52)
            return Text("dataoff", Hex(DataOffset), "a multiple of the page size, at least 0x2000, below 2^52");
        if (DataPages == 0 || DataPages >= (1UL << 52) / PageSize)
            return Text("npfns", Hex(DataPages), "1 to 2^52 bytes");
        if (!System.Numerics.BitOperations.IsPow2(Alignment) || (namespaceBase + StartPad + DataOffset) % Alignment != 0)
            return Text("align", Hex(Alignment), $"a power of two that divides base + start_pad + dataoff = {Hex(namespaceBase + StartPad + DataOffset)}");
        return namespaceBase + NamespaceSize < namespaceBase || namespaceBase + NamespaceSize > 1UL << 56
            ? Text("end of the namespace", Hex(namespaceBase + NamespaceSize), "below 2^56") : null;
    }
}
