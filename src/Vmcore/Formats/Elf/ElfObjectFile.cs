using System.Buffers.Binary;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>One section of an ELF file.</summary>
/// <param name="Index">Number in the section table.</param>
/// <param name="Name">Name; empty if it has none, cut at 256 bytes.</param>
/// <param name="Type">sh_type.</param>
/// <param name="Flags">sh_flags.</param>
/// <param name="Address">sh_addr.</param>
/// <param name="Offset">sh_offset in bytes.</param>
/// <param name="Size">sh_size in bytes: inside the file, unless the section has no bits there.</param>
/// <param name="Link">sh_link.</param>
/// <param name="Info">sh_info.</param>
internal sealed record ElfSection(int Index, string Name, uint Type, ulong Flags, ulong Address, long Offset, long Size, uint Link, uint Info)
{
    internal const uint TypeProgram = 1;
    internal const uint TypeSymbols = 2;
    internal const uint TypeRela = 4;
    internal const uint TypeNote = 7;
    internal const uint TypeNoBits = 8;
    internal const ulong FlagAlloc = 2;
    internal const ulong FlagCompressed = 0x800;

    /// <summary>True if the file has the section's bytes.</summary>
    public bool HasBytes => Type != TypeNoBits && Size > 0;
}

/// <summary>
/// An ELF-64 little-endian file with sections: a vmlinux, a module, or a file with their debug information. Nothing of it is trusted: sections that
/// do not lie in the file are refused.
/// </summary>
internal sealed class ElfObjectFile : IDisposable
{
    private readonly List<ElfSection> _sections = [];

    private ElfObjectFile(IByteSource source, ReadLimits limits) => (Source, Limits) = (source, limits);

    /// <summary>The file.</summary>
    public IByteSource Source { get; }

    /// <summary>The bounds on what the file may ask for.</summary>
    public ReadLimits Limits { get; }

    /// <summary>e_type: 1 relocatable, 2 executable, 3 shared.</summary>
    public int Type { get; private set; }

    /// <summary>True for a file that the linker has not put addresses into: a kernel module.</summary>
    public bool IsRelocatable => Type == 1;

    /// <summary>e_machine.</summary>
    public ElfMachine Machine { get; private set; }

    /// <summary>The sections in the order of the table.</summary>
    public IReadOnlyList<ElfSection> Sections => _sections;

    /// <summary>Opens a file by its path.</summary>
    /// <exception cref="FileAccessException">The file cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">It is no ELF-64 little-endian file with sections.</exception>
    public static ElfObjectFile Open(string path, ReadLimits? limits = null) => Open(FileSource.Open(path), limits);

    /// <summary>Reads the section table.</summary>
    /// <param name="source">The file; it is owned from now on, also if opening fails.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <exception cref="DumpFormatException">It is no ELF-64 little-endian file with sections.</exception>
    public static ElfObjectFile Open(IByteSource source, ReadLimits? limits = null)
    {
        try
        {
            var file = new ElfObjectFile(source, limits ?? ReadLimits.Default);
            file.Parse();
            return file;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>The first section of a name; null if there is none.</summary>
    public ElfSection? Find(string name) => _sections.Find(s => s.Name == name);

    /// <summary>Reads bytes by their link-time address, out of the sections that are loaded.</summary>
    /// <param name="address">Link-time virtual address.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <returns>The bytes read; fewer than asked for where the section ends, none if no section of the file has the address.</returns>
    public int Read(ulong address, Span<byte> buffer)
    {
        foreach (ElfSection section in _sections)
        {
            if (section is not { HasBytes: true } || (section.Flags & (ElfSection.FlagAlloc | ElfSection.FlagCompressed)) != ElfSection.FlagAlloc)
                continue;
            if (address < section.Address || address - section.Address >= (ulong)section.Size)
                continue;
            ulong inside = address - section.Address;
            return Source.Read(section.Offset + (long)inside, buffer[..(int)Math.Min((ulong)buffer.Length, (ulong)section.Size - inside)]);
        }

        return 0;
    }

    /// <summary>The build id (note NT_GNU_BUILD_ID) in lower-case hexadecimal digits; null if there is none.</summary>
    public string? ReadBuildId()
    {
        // Sections may name the same bytes: what is read counts, whether a note was found in it or not.
        long budget = Limits.ObjectNoteBytes;
        foreach (ElfSection section in _sections)
        {
            if (section is not { Type: ElfSection.TypeNote, HasBytes: true } || section.Size > budget)
                continue;
            budget -= section.Size;
            byte[] bytes = new byte[section.Size];
            if (Source.Read(section.Offset, bytes) != bytes.Length)
                continue;
            if (ElfNotes.FindBuildId(bytes) is { } id)
                return id;
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => Source.Dispose();

    private void Parse()
    {
        Span<byte> header = stackalloc byte[ElfConstants.HeaderSize];
        int read = Source.Read(0, header);
        if (read < header.Length || !header.StartsWith("\u007fELF\u0002\u0001"u8))
            throw new DumpFormatException(Source.Name, 0, "ELF header",
                read == 0 ? "an empty file" : $"bytes {Convert.ToHexString(header[..Math.Min(read, 8)])}",
                "a 64-bit little-endian ELF file: a vmlinux, not a compressed vmlinuz");
        Type = BinaryPrimitives.ReadUInt16LittleEndian(header[16..]);
        Machine = (ElfMachine)BinaryPrimitives.ReadUInt16LittleEndian(header[18..]);
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        int entrySize = BinaryPrimitives.ReadUInt16LittleEndian(header[58..]);
        ulong count = BinaryPrimitives.ReadUInt16LittleEndian(header[60..]);
        uint names = BinaryPrimitives.ReadUInt16LittleEndian(header[62..]);
        if (table == 0)
            throw new DumpFormatException(Source.Name, 40, "ELF header e_shoff", "0", "a file with sections");
        if (entrySize < ElfConstants.SectionHeaderSize)
            throw new DumpFormatException(Source.Name, 58, "ELF header e_shentsize", $"{entrySize}", $"{ElfConstants.SectionHeaderSize}");
        Span<byte> first = stackalloc byte[ElfConstants.SectionHeaderSize];
        if (table > (ulong)Source.Length || Source.Read((long)table, first) != first.Length)
            throw new DumpFormatException(Source.Name, 40, "ELF header e_shoff", $"0x{table:x}",
                $"the section table inside the file of 0x{Source.Length:x} bytes: it is truncated");
        if (count == 0)
            count = BinaryPrimitives.ReadUInt64LittleEndian(first[32..]);
        if (names == 0xffff)
            names = BinaryPrimitives.ReadUInt32LittleEndian(first[40..]);
        if (count > (ulong)Limits.Sections || (ulong)Source.Length - table < count * (ulong)entrySize)
            throw new DumpFormatException(Source.Name, 60, "ELF header e_shnum", $"{count}",
                $"at most {Limits.Sections}, in a file that holds them: it is truncated");

        // e_shentsize may be up to 65,535, of which 64 bytes are known: the table is not held as a whole.
        var headers = new byte[ElfConstants.SectionHeaderSize];
        byte[] strings = [];
        if (names < count)
        {
            Source.ReadExactly((long)table + (names * entrySize), headers, "ELF section table");
            strings = ReadNames(headers);
        }

        if (entrySize == ElfConstants.SectionHeaderSize)
        {
            headers = new byte[(int)count * ElfConstants.SectionHeaderSize];
            Source.ReadExactly((long)table, headers, "ELF section table");
        }

        for (int i = 0; i < (int)count; i++)
        {
            int at = 0;
            if (entrySize == ElfConstants.SectionHeaderSize)
                at = i * ElfConstants.SectionHeaderSize;
            else
                Source.ReadExactly((long)table + ((long)i * entrySize), headers, "ELF section table");
            _sections.Add(ParseSection(headers.AsSpan(at), i, strings));
        }
    }

    private byte[] ReadNames(ReadOnlySpan<byte> header)
    {
        ElfSection section = ParseSection(header, 0, []);
        byte[] names = new byte[Math.Min(section.Size, Limits.SectionNamesBytes)];
        Source.ReadExactly(section.Offset, names, "ELF section names");
        return names;
    }

    private ElfSection ParseSection(ReadOnlySpan<byte> header, int index, byte[] strings)
    {
        uint name = BinaryPrimitives.ReadUInt32LittleEndian(header);
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]), size = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        string text = name < strings.Length ? Text(strings.AsSpan((int)name)) : "";
        if (type is 0 or ElfSection.TypeNoBits)
            (offset, size) = (0, type == 0 ? 0 : Math.Min(size, long.MaxValue));
        else if (offset > (ulong)Source.Length || size > (ulong)Source.Length - offset)
            throw new DumpFormatException(Source.Name, (long)Math.Min(offset, long.MaxValue), $"ELF section {(text.Length > 0 ? text : index)}",
                $"{size} bytes", $"bytes inside the file of 0x{Source.Length:x} bytes: it is truncated");
        return new(
            index,
            text,
            type,
            BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(header[16..]),
            (long)offset,
            (long)size,
            BinaryPrimitives.ReadUInt32LittleEndian(header[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(header[44..]));
    }

    private string Text(ReadOnlySpan<byte> bytes)
    {
        int nul = bytes.IndexOf((byte)0);
        return Encoding.Latin1.GetString(bytes[..Math.Min(nul >= 0 ? nul : bytes.Length, Limits.SectionNameBytes)]);
    }
}
