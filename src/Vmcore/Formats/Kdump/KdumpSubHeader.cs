using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Formats.Kdump;

/// <summary>The sub header of a kdump-compressed file: block 1. A file of an older version leaves the newer fields 0.</summary>
public sealed record KdumpSubHeader
{
    /// <summary>Bytes of the sub header; in files that Vmcore writes the ELF notes follow.</summary>
    internal const int Size = 104;

    /// <summary>Physical address at which the kernel is loaded, minus where it is linked: signed on x86_64, PHYS_OFFSET on arm64.</summary>
    public ulong PhysBase { get; init; }

    /// <summary>The dump level of the run that wrote the file (version 1).</summary>
    public int DumpLevel { get; init; }

    /// <summary>True if the file is one part of a split dump (version 2).</summary>
    public bool IsSplit { get; init; }

    /// <summary>First pfn of this part; meaningful only in a split dump (version 2).</summary>
    public ulong StartPfn { get; init; }

    /// <summary>One past the last pfn of this part; meaningful only in a split dump (version 2).</summary>
    public ulong EndPfn { get; init; }

    /// <summary>Byte offset of the vmcoreinfo text, 0 if there is none (version 3).</summary>
    public long VmcoreInfoOffset { get; init; }

    /// <summary>Bytes of the vmcoreinfo text (version 3).</summary>
    public long VmcoreInfoSize { get; init; }

    /// <summary>Byte offset of the ELF notes, 0 if there are none (version 4).</summary>
    public long NotesOffset { get; init; }

    /// <summary>Bytes of the ELF notes (version 4).</summary>
    public long NotesSize { get; init; }

    /// <summary>Byte offset of the list of erased data, 0 if there is none (version 5).</summary>
    public long EraseInfoOffset { get; init; }

    /// <summary>Bytes of the list of erased data (version 5).</summary>
    public long EraseInfoSize { get; init; }

    /// <summary>One past the highest pfn. In files before version 6 it is the header's value.</summary>
    public ulong MaxMapNr { get; init; }

    /// <summary>Reads and checks the sub header: the fields that the header's version has.</summary>
    /// <param name="source">The file.</param>
    /// <param name="header">Its main header.</param>
    /// <exception cref="DumpFormatException">It is cut off, or a field is impossible.</exception>
    internal static KdumpSubHeader Parse(IByteSource source, KdumpHeader header)
    {
        long at = header.BlockSize;
        Span<byte> bytes = stackalloc byte[Size];
        source.ReadExactly(at, bytes, "kdump sub header");
        int version = header.Version;
        bool wide = version >= 6;
        // A writer that knew no 64-bit field for it would leave 0 here.
        ulong maxMapNr = wide && UInt64(bytes, 96) is var pages and not 0 ? pages : header.MaxMapNr;
        var sub = new KdumpSubHeader
        {
            PhysBase = UInt64(bytes, 0),
            DumpLevel = version >= 1 ? BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]) : 0,
            IsSplit = version >= 2 && BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]) != 0,
            StartPfn = version >= 2 ? UInt64(bytes, wide ? 80 : 16) : 0,
            EndPfn = version >= 2 ? UInt64(bytes, wide ? 88 : 24) : 0,
            VmcoreInfoOffset = version >= 3 ? (long)UInt64(bytes, 32) : 0,
            VmcoreInfoSize = version >= 3 ? (long)UInt64(bytes, 40) : 0,
            NotesOffset = version >= 4 ? (long)UInt64(bytes, 48) : 0,
            NotesSize = version >= 4 ? (long)UInt64(bytes, 56) : 0,
            EraseInfoOffset = version >= 5 ? (long)UInt64(bytes, 64) : 0,
            EraseInfoSize = version >= 5 ? (long)UInt64(bytes, 72) : 0,
            MaxMapNr = maxMapNr,
        };
        header.CheckMaxMapNr(source, wide ? at + 96 : 440, maxMapNr);
        if (sub.IsSplit && (sub.StartPfn > sub.EndPfn || sub.EndPfn > maxMapNr))
            throw new DumpFormatException(source.Name, wide ? at + 80 : at + 16, "kdump start_pfn, end_pfn",
                $"0x{sub.StartPfn:x}, 0x{sub.EndPfn:x}", $"an ascending range that ends at or before 0x{maxMapNr:x}");
        CheckInside(source, at + 32, "kdump offset_vmcoreinfo, size_vmcoreinfo", sub.VmcoreInfoOffset, sub.VmcoreInfoSize, source.Length);
        CheckInside(source, at + 48, "kdump offset_note, size_note", sub.NotesOffset, sub.NotesSize, source.Length);
        // The list of erased data comes last, so a truncated file has lost it; that is no reason to lose the rest.
        CheckInside(source, at + 64, "kdump offset_eraseinfo, size_eraseinfo", sub.EraseInfoOffset, sub.EraseInfoSize, long.MaxValue);
        return sub;
    }

    /// <summary>Encodes the sub header in the layout of version 6.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes; only those are written.</param>
    internal void WriteTo(Span<byte> target)
    {
        target[..Size].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(target, PhysBase);
        BinaryPrimitives.WriteInt32LittleEndian(target[8..], DumpLevel);
        BinaryPrimitives.WriteInt32LittleEndian(target[12..], IsSplit ? 1 : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(target[16..], Math.Min(StartPfn, uint.MaxValue));
        BinaryPrimitives.WriteUInt64LittleEndian(target[24..], Math.Min(EndPfn, uint.MaxValue));
        BinaryPrimitives.WriteInt64LittleEndian(target[32..], VmcoreInfoOffset);
        BinaryPrimitives.WriteInt64LittleEndian(target[40..], VmcoreInfoSize);
        BinaryPrimitives.WriteInt64LittleEndian(target[48..], NotesOffset);
        BinaryPrimitives.WriteInt64LittleEndian(target[56..], NotesSize);
        BinaryPrimitives.WriteInt64LittleEndian(target[64..], EraseInfoOffset);
        BinaryPrimitives.WriteInt64LittleEndian(target[72..], EraseInfoSize);
        BinaryPrimitives.WriteUInt64LittleEndian(target[80..], StartPfn);
        BinaryPrimitives.WriteUInt64LittleEndian(target[88..], EndPfn);
        BinaryPrimitives.WriteUInt64LittleEndian(target[96..], MaxMapNr);
    }

    /// <summary>Makes the encoded sub header of a part that of a whole dump. Only the fields that its version has are changed.</summary>
    /// <param name="bytes">The sub header.</param>
    /// <param name="version">The header's version, 2 or later.</param>
    /// <param name="eraseOffset">Byte offset of the list of erased data.</param>
    /// <param name="eraseSize">Bytes of it.</param>
    internal static void SetWhole(Span<byte> bytes, int version, long eraseOffset, long eraseSize)
    {
        bytes[12..32].Clear();
        if (version >= 5)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes[64..], eraseOffset);
            BinaryPrimitives.WriteInt64LittleEndian(bytes[72..], eraseSize);
        }

        if (version >= 6)
            bytes[80..96].Clear();
    }

    private static void CheckInside(IByteSource source, long at, string what, long offset, long size, long end)
    {
        if (size == 0)
            return;
        if (offset <= 0 || size < 0 || offset > end - size)
            throw new DumpFormatException(source.Name, at, what, $"0x{offset:x}, 0x{size:x}", $"a range inside the file of 0x{source.Length:x} bytes");
    }

    private static ulong UInt64(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);
}
