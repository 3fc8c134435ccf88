using System.Buffers.Binary;
using System.Globalization;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>
/// An ELF-64 little-endian core file: /proc/vmcore, what makedumpfile -E writes, or a QEMU memory dump.
/// Only what a reader needs is trusted: e_phoff, e_phentsize, e_phnum and, for more than 65,534 segments, section header 0.
/// </summary>
internal sealed class ElfCoreFile
{
    /// <summary>Most program headers that are accepted: 4 Mi, far above what any machine has.</summary>
    public const int MaxSegments = 1 << 22;

    /// <summary>Most note bytes that are accepted: 64 MiB, enough for 100,000 CPUs.</summary>
    public const int MaxNoteBytes = 64 << 20;

    /// <summary>One past the highest physical address that is believed: 2^52, all that page tables and the kdump format can name.</summary>
    public const ulong MaxPhysicalEnd = 1UL << 52;

    /// <summary>Most memory without content, in bytes over all PT_LOADs: 32 TiB, whose
    /// bitmap takes 1 GiB. More would fill a disk out of an empty file.</summary>
    private const ulong MaxAbsent = 1UL << 45;

    private const int MaxProblems = 100;

    private ulong _absent;

    private ElfCoreFile(IByteSource source) => Source = source;

    /// <summary>The file.</summary>
    public IByteSource Source { get; }

    /// <summary>e_machine.</summary>
    public ElfMachine Machine { get; private set; }

    /// <summary>e_flags; bit 0 says that the dump was cut short.</summary>
    public uint Flags { get; private set; }

    /// <summary>True if the headers name bytes beyond the end of the file.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>
    /// The PT_LOAD segments in file order. What they say is cut to what can be true: <see cref="ElfSegment.FileSize"/> never goes beyond the end
    /// of the file, and no address beyond <see cref="MaxPhysicalEnd"/>.
    /// </summary>
    public IReadOnlyList<ElfSegment> Loads { get; private set; } = [];

    /// <summary>The PT_NOTE segments in file order.</summary>
    public IReadOnlyList<ElfSegment> NoteSegments { get; private set; } = [];

    /// <summary>The bytes of all PT_NOTE segments, one after the other, each cut to what its notes take.</summary>
    public ReadOnlyMemory<byte> NoteArea { get; private set; }

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes { get; private set; } = [];

    /// <summary>Faults that did not keep the file from being read, one sentence each.</summary>
    public IReadOnlyList<string> Problems { get; private set; } = [];

    /// <summary>True if the file starts with the ELF magic.</summary>
    public static bool IsElf(IByteSource source)
    {
        Span<byte> magic = stackalloc byte[4];
        return source.Read(0, magic) == 4 && magic.SequenceEqual("\u007fELF"u8);
    }

    /// <summary>Reads the headers and the notes.</summary>
    /// <exception cref="DumpFormatException">The file is no ELF-64 little-endian core file, or its headers lie outside of it.</exception>
    public static ElfCoreFile Open(IByteSource source)
    {
        var file = new ElfCoreFile(source);
        List<string> problems = [];
        Span<byte> header = stackalloc byte[ElfConstants.HeaderSize];
        source.ReadExactly(0, header, "ELF header");
        file.ParseHeader(header, problems);
        if (problems.Count > MaxProblems)
        {
            int more = problems.Count - MaxProblems;
            problems.RemoveRange(MaxProblems, more);
            problems.Add($"{source.Name}: {more} more faults of this kind");
        }

        file.Problems = problems;
        return file;
    }

    private static ElfSegment ParseSegment(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]));

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    private DumpFormatException Bad(long offset, string what, string found, string expected) =>
        new(Source.Name, offset, what, found, expected);

    private void ParseHeader(ReadOnlySpan<byte> header, List<string> problems)
    {
        if (!header[..4].SequenceEqual("\u007fELF"u8))
            throw Bad(0, "magic", Convert.ToHexString(header[..4]), "7F454C46 (ELF)");
        if (header[4] != 2)
            throw Bad(4, "ELF class", header[4].ToString(CultureInfo.InvariantCulture), "2 (64-bit)");
        if (header[5] != 1)
            throw Bad(5, "ELF byte order", header[5].ToString(CultureInfo.InvariantCulture), "1 (little-endian)");
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(header[16..]);
        if (type != ElfConstants.TypeCore)
            throw Bad(16, "e_type", type.ToString(CultureInfo.InvariantCulture), "4 (core file)");
        Machine = (ElfMachine)BinaryPrimitives.ReadUInt16LittleEndian(header[18..]);
        Flags = BinaryPrimitives.ReadUInt32LittleEndian(header[48..]);
        ulong tableOffset = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        ulong sectionOffset = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        ushort entrySize = BinaryPrimitives.ReadUInt16LittleEndian(header[54..]);
        uint count = BinaryPrimitives.ReadUInt16LittleEndian(header[56..]);
        if (entrySize != ElfConstants.ProgramHeaderSize)
            throw Bad(54, "e_phentsize", entrySize.ToString(CultureInfo.InvariantCulture), "56");
        if (count == ElfConstants.ExtendedNumbering)
            count = ReadExtendedCount(sectionOffset);
        if (count is 0 or > MaxSegments)
            throw Bad(56, "number of program headers", count.ToString(CultureInfo.InvariantCulture), $"1 to {MaxSegments}");
        ulong tableSize = (ulong)count * ElfConstants.ProgramHeaderSize;
        if (tableOffset > (ulong)Source.Length || tableSize > (ulong)Source.Length - tableOffset)
            throw Bad(32, "program headers", $"{Hex(tableSize)} bytes at {Hex(tableOffset)}", $"all of it within the file's {Hex((ulong)Source.Length)} bytes");
        ReadSegments((long)tableOffset, (int)count, problems);
        ReadNotes(problems);
    }

    private uint ReadExtendedCount(ulong sectionOffset)
    {
        // Exactly one section header is read, whatever e_shentsize says: the tool of today overruns its stack here.
        if (sectionOffset == 0 || sectionOffset > (ulong)Source.Length)
            throw Bad(40, "e_shoff, which holds the number of program headers", Hex(sectionOffset), "the offset of section header 0");
        Span<byte> section = stackalloc byte[ElfConstants.SectionHeaderSize];
        Source.ReadExactly((long)sectionOffset, section, "section header 0, which holds the number of program headers");
        return BinaryPrimitives.ReadUInt32LittleEndian(section[44..]);
    }

    private void ReadSegments(long offset, int count, List<string> problems)
    {
        List<ElfSegment> loads = [], notes = [];
        byte[] block = new byte[Math.Min(count, 1024) * ElfConstants.ProgramHeaderSize];
        for (int done = 0; done < count;)
        {
            int step = Math.Min(count - done, 1024);
            Span<byte> part = block.AsSpan(0, step * ElfConstants.ProgramHeaderSize);
            Source.ReadExactly(offset + ((long)done * ElfConstants.ProgramHeaderSize), part, "program headers");
            for (int i = 0; i < step; i++)
            {
                ElfSegment segment = ParseSegment(part[(i * ElfConstants.ProgramHeaderSize)..]);
                if (segment.IsNote)
                    notes.Add(segment);
                else if (segment.IsLoad)
                    AddLoad(loads, segment, done + i, problems);
            }

            done += step;
        }

        Loads = loads;
        NoteSegments = notes;
        if (loads.Count == 0)
            throw Bad(offset, "program headers", "no PT_LOAD", "at least one PT_LOAD");
    }

    private void AddLoad(List<ElfSegment> loads, ElfSegment segment, int index, List<string> problems)
    {
        if (segment.PhysicalAddress == ulong.MaxValue || segment.MemorySize == 0)
            return; // Old /proc/kcore marks an unknown physical address so.
        ulong size = Math.Max(segment.MemorySize, segment.FileSize);
        if (segment.PhysicalAddress + size < segment.PhysicalAddress || segment.PhysicalAddress + size > MaxPhysicalEnd)
        {
            Note(problems, $"{Source.Name}: program header {index}: physical range {Hex(segment.PhysicalAddress)} + {Hex(size)} lies beyond 2^52; ignored");
            return;
        }

        if (segment.FileSize > segment.MemorySize)
            segment = segment with { MemorySize = segment.FileSize };
        segment = CutToFile(segment, index, problems);
        ulong absent = segment.MemorySize - segment.FileSize;
        if (absent > MaxAbsent - _absent)
        {
            Note(problems, $"{Source.Name}: program header {index}: {Hex(absent)} bytes of memory without content, beyond 2^45 in all: taken for no memory");
            segment = segment with { MemorySize = segment.FileSize };
            absent = 0;
        }

        _absent += absent;
        if (segment.MemorySize != 0)
            loads.Add(segment);
    }

    /// <summary>A truncated file lacks these pages: they exist, but are not in it. Its last page, of the smallest size, goes too unless it is whole.</summary>
    private ElfSegment CutToFile(ElfSegment segment, int index, List<string> problems)
    {
        ulong length = (ulong)Source.Length;
        if (segment.FileSize == 0 || (segment.Offset <= length && segment.FileSize <= length - segment.Offset))
            return segment;
        IsTruncated = true;
        Note(problems, $"{Source.Name}: program header {index}: "
            + $"file range {Hex(segment.Offset)} + {Hex(segment.FileSize)} goes beyond the end of the file ({Hex(length)}); the file is truncated");
        ulong left = segment.Offset < length ? length - segment.Offset : 0;
        const ulong Smallest = 4096;
        ulong end = (segment.PhysicalAddress + left) & ~(Smallest - 1);
        return segment with { FileSize = end > segment.PhysicalAddress ? end - segment.PhysicalAddress : 0 };
    }

    private static void Note(List<string> problems, string text)
    {
        // A million bad headers are one problem; beyond the limit only their number counts.
        problems.Add(problems.Count <= MaxProblems ? text : "");
    }

    private void ReadNotes(List<string> problems)
    {
        using var area = new MemoryStream();
        List<ElfNote> all = [];
        // Bytes read, not bytes kept: headers without number may name the same bytes again and again.
        ulong budget = MaxNoteBytes;
        foreach (ElfSegment segment in NoteSegments)
        {
            // With device dumps in it the kernel raises only p_memsz.
            ulong size = Math.Max(segment.FileSize, segment.MemorySize);
            if (segment.Offset >= (ulong)Source.Length || size == 0)
            {
                if (size != 0)
                    Note(problems, $"{Source.Name}: PT_NOTE at {Hex(segment.Offset)} lies beyond the end of the file ({Hex((ulong)Source.Length)})");
                continue;
            }

            if (budget == 0 || all.Count >= ElfNotes.MaxCount)
            {
                Note(problems, $"{Source.Name}: PT_NOTE at {Hex(segment.Offset)}: more than {MaxNoteBytes} bytes or {ElfNotes.MaxCount} notes in all; ignored");
                break;
            }

            int length = (int)Math.Min(Math.Min(size, (ulong)Source.Length - segment.Offset), budget);
            byte[] bytes = new byte[length];
            int read = Source.Read((long)segment.Offset, bytes);
            budget -= (ulong)length;
            if ((ulong)read < size)
                Note(problems, $"{Source.Name}: PT_NOTE at {Hex(segment.Offset)}: {read} of {size} bytes can be read");
            IReadOnlyList<ElfNote> notes = ElfNotes.Parse(bytes.AsSpan(0, read), out string? problem);
            if (problem is not null)
                Note(problems, $"{Source.Name}: PT_NOTE at {Hex(segment.Offset)}: {problem}");
            int used = notes.Count == 0 ? 0 : Math.Min(read, (notes[^1].DescriptorOffset + notes[^1].DescriptorLength + 3) & ~3);
            int at = (int)area.Length;
            area.Write(bytes, 0, used);
            area.Write([0, 0, 0], 0, -used & 3);
            all.AddRange(notes.Select(n => n with { DescriptorOffset = n.DescriptorOffset + at }));
        }

        NoteArea = area.ToArray();
        Notes = all;
    }
}
