using System.Buffers.Binary;
using System.IO.Compression;
using Vmcore.Compression;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>
/// The bytes of one debug section as the DWARF standard means them: decompressed (SHF_COMPRESSED with zlib or zstd, and the older .zdebug_*), and with
/// the relocations of a kernel module applied. An uncompressed section is read from the file as it is needed: that of a vmlinux has hundreds of megabytes.
/// </summary>
internal sealed class DebugSection
{
    /// <summary>Most bytes of a compressed section when unpacked, and of any section that is held in memory.</summary>
    internal const long ArrayBytes = 0x7fff_ff00;

    private const int CompressionHeaderSize = 24;
    private const uint TypeZlib = 1;
    private const uint TypeZstd = 2;

    private readonly IByteSource _source;
    private readonly long _offset;
    private readonly byte[]? _unpacked;
    private readonly Relocation[] _relocations;

    private DebugSection(string name, IByteSource source, long offset, long length, byte[]? unpacked, Relocation[] relocations)
    {
        Name = name;
        _source = source;
        _offset = offset;
        Length = length;
        _unpacked = unpacked;
        _relocations = relocations;
    }

    /// <summary>The section's name with the dot, as the standard has it.</summary>
    internal string Name { get; }

    /// <summary>Length in bytes, unpacked.</summary>
    internal long Length { get; }

    /// <summary>Opens a section.</summary>
    /// <param name="file">The file.</param>
    /// <param name="name">Name without prefix, for example <c>info</c>.</param>
    /// <param name="symbols">The file's symbols, for relocations; null if it has none to apply.</param>
    /// <param name="budget">What all compressed sections of the file may still have unpacked.</param>
    /// <returns>Null if the file has no such section.</returns>
    /// <exception cref="DumpFormatException">The section is damaged.</exception>
    internal static DebugSection? TryOpen(ElfObjectFile file, string name, ElfSymbols? symbols, UnpackBudget budget)
    {
        string full = ".debug_" + name;
        if (file.Find(full) is { HasBytes: true } section)
        {
            bool compressed = (section.Flags & ElfSection.FlagCompressed) != 0;
            byte[]? unpacked = compressed ? Unpack(file.Source, section, budget) : null;
            return new(full, file.Source, section.Offset, unpacked?.Length ?? section.Size,
                unpacked, symbols is null ? [] : ReadRelocations(file, section, symbols));
        }

        if (file.Find(".zdebug_" + name) is { HasBytes: true } old)
        {
            byte[] bytes = UnpackOld(file.Source, old, budget);
            return new(full, file.Source, 0, bytes.Length, bytes, symbols is null ? [] : ReadRelocations(file, old, symbols));
        }

        return null;
    }

    /// <summary>Reads bytes; the caller stays inside <see cref="Length"/>.</summary>
    internal void Read(long offset, Span<byte> buffer)
    {
        if (_unpacked is not null)
            _unpacked.AsSpan((int)offset, buffer.Length).CopyTo(buffer);
        else
            _source.ReadExactly(_offset + offset, buffer, Name);
        if (_relocations.Length > 0)
            Relocate(offset, buffer);
    }

    /// <summary>All of the section.</summary>
    /// <exception cref="DumpFormatException">It is larger than can be held in memory.</exception>
    internal byte[] ReadAll()
    {
        if (Length > ArrayBytes)
            throw new DumpFormatException(_source.Name, _offset, Name, $"{Length} bytes", $"at most {ArrayBytes} bytes");
        if (_unpacked is not null && _relocations.Length == 0)
            return _unpacked;
        byte[] bytes = new byte[Length];
        Read(0, bytes);
        return bytes;
    }

    private static byte[] Unpack(IByteSource source, ElfSection section, UnpackBudget budget)
    {
        Span<byte> header = stackalloc byte[CompressionHeaderSize];
        if (section.Size < CompressionHeaderSize)
            throw new DumpFormatException(source.Name, section.Offset, section.Name,
                $"{section.Size} bytes", $"a compression header of {CompressionHeaderSize} bytes");
        source.ReadExactly(section.Offset, header, section.Name);
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(header);
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        long packed = section.Size - CompressionHeaderSize;
        return type switch
        {
            TypeZlib => Inflate(source, section, section.Offset + CompressionHeaderSize, packed, size, budget),
            TypeZstd => Zstd(source, section, section.Offset + CompressionHeaderSize, packed, size, budget),
            _ => throw new DumpFormatException(source.Name, section.Offset, $"{section.Name} ch_type", $"{type}", "1 (zlib) or 2 (zstd)"),
        };
    }

    private static byte[] UnpackOld(IByteSource source, ElfSection section, UnpackBudget budget)
    {
        Span<byte> header = stackalloc byte[12];
        if (section.Size < header.Length)
            throw new DumpFormatException(source.Name, section.Offset, section.Name, $"{section.Size} bytes", "a header of 12 bytes");
        source.ReadExactly(section.Offset, header, section.Name);
        if (!header.StartsWith("ZLIB"u8))
            throw new DumpFormatException(source.Name, section.Offset, section.Name, Convert.ToHexString(header[..4]), "the bytes ZLIB");
        ulong size = BinaryPrimitives.ReadUInt64BigEndian(header[4..]);
        return Inflate(source, section, section.Offset + header.Length, section.Size - header.Length, size, budget);
    }

    private static byte[] Inflate(IByteSource source, ElfSection section, long offset, long packed, ulong size, UnpackBudget budget)
    {
        budget.Charge(source, section, packed, size);
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)size);
        try
        {
            using var stream = new ZLibStream(new ForwardStream(source, offset, packed), CompressionMode.Decompress);
            stream.ReadExactly(bytes);
        }
        // The end of the data, or a preset dictionary that they ask for, is an IOException.
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new DumpFormatException(source.Name, offset, section.Name, "damaged zlib data", $"{size} bytes of it");
        }

        return bytes;
    }

    private static unsafe byte[] Zstd(IByteSource source, ElfSection section, long offset, long packed, ulong size, UnpackBudget budget)
    {
        budget.Charge(source, section, packed, size);
        if (packed > ArrayBytes)
            throw new DumpFormatException(source.Name, offset, section.Name, $"{packed} compressed bytes", $"at most {ArrayBytes}");
        byte[] input = new byte[packed], bytes = GC.AllocateUninitializedArray<byte>((int)size);
        source.ReadExactly(offset, input, section.Name);
        using LibZstd.DecompressionContext context = LibZstd.CreateDecompressionContext();
        fixed (byte* i = input, o = bytes)
        {
            nuint written = LibZstd.Decompress(context, o, (nuint)bytes.Length, i, (nuint)input.Length);
            if (LibZstd.IsError(written) != 0 || written != (nuint)bytes.Length)
                throw new DumpFormatException(source.Name, offset, section.Name, "damaged zstd data", $"{size} bytes of it");
        }

        return bytes;
    }

    private static Relocation[] ReadRelocations(ElfObjectFile file, ElfSection target, ElfSymbols symbols)
    {
        const int EntrySize = 24;
        ElfSection? table = file.Sections.FirstOrDefault(s => s.Type == ElfSection.TypeRela && s.Info == (uint)target.Index && s.HasBytes);
        if (table is null)
            return [];
        if (table.Size > ArrayBytes)
            throw new DumpFormatException(file.Source.Name, table.Offset, table.Name, $"{table.Size} bytes", $"at most {ArrayBytes}");
        byte[] entries = new byte[table.Size - (table.Size % EntrySize)];
        file.Source.ReadExactly(table.Offset, entries, table.Name);
        var result = new List<Relocation>(entries.Length / EntrySize);
        for (int at = 0; at < entries.Length; at += EntrySize)
        {
            ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(at)), info = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(at + 8));
            ulong addend = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(at + 16));
            if (offset < long.MaxValue && Width(file.Machine, (uint)info) is var width and > 0)
                result.Add(new((long)offset, unchecked(symbols.ValueAt((uint)(info >> 32)) + addend), width));
        }

        result.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
        return [.. result];
    }

    // Bytes of the field that a relocation of absolute kind fills; other kinds do not occur in debug sections.
    private static int Width(ElfMachine machine, uint type) => (machine, type) switch
    {
        (ElfMachine.X86_64, 1) or (ElfMachine.AArch64, 257) or (ElfMachine.RiscV, 2) => 8,
        (ElfMachine.X86_64, 10 or 11) or (ElfMachine.AArch64, 258) or (ElfMachine.RiscV, 1) => 4,
        _ => 0,
    };

    private void Relocate(long offset, Span<byte> buffer)
    {
        int low = 0, high = _relocations.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_relocations[middle].Offset + 8 <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        Span<byte> value = stackalloc byte[8];
        for (int i = low; i < _relocations.Length && _relocations[i].Offset < offset + buffer.Length; i++)
        {
            Relocation relocation = _relocations[i];
            BinaryPrimitives.WriteUInt64LittleEndian(value, relocation.Value);
            for (int b = 0; b < relocation.Width; b++)
            {
                long at = relocation.Offset + b - offset;
                if (at >= 0 && at < buffer.Length)
                    buffer[(int)at] = value[b];
            }
        }
    }

    private readonly record struct Relocation(long Offset, ulong Value, int Width);
}
