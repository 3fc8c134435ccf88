using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Findings;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>
/// An ELF-64 little-endian core file: /proc/vmcore, what makedumpfile -E writes, or a QEMU memory dump.
/// Only what a reader needs is trusted: e_phoff, e_phentsize, e_phnum and, for more than 65,534 segments, section header 0.
/// </summary>
internal sealed class ElfCoreFile
{
    /// <summary>One past the highest physical address that is believed: 2^52, all that page tables and the kdump format can name.</summary>
    public const ulong PhysicalEnd = 1UL << 52;

    private const int ToldProblems = 100;

    private bool _isImage;
    private ulong _absent;

    private ElfCoreFile(IByteSource source, ReadLimits limits) => (Source, Limits) = (source, limits);

    /// <summary>The bounds on what the file may ask for.</summary>
    internal ReadLimits Limits { get; }

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
    /// of the file, and no address beyond <see cref="PhysicalEnd"/>.
    /// </summary>
    public IReadOnlyList<ElfSegment> Loads { get; private set; } = [];

    /// <summary>The PT_NOTE segments in file order.</summary>
    public IReadOnlyList<ElfSegment> NoteSegments { get; private set; } = [];

    /// <summary>The bytes of the notes that are held, one after the other.</summary>
    public ReadOnlyMemory<byte> NoteArea { get; private set; }

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes { get; private set; } = [];

    /// <summary>The notes that are too large to be held: device dumps.</summary>
    public IReadOnlyList<LargeNote> LargeNotes { get; private set; } = [];

    /// <summary>Faults that did not keep the file from being read, one sentence each.</summary>
    public IReadOnlyList<Finding> Problems { get; private set; } = [];

    /// <summary>True if the file starts with the ELF magic.</summary>
    public static bool IsElf(IByteSource source)
    {
        Span<byte> magic = stackalloc byte[4];
        return source.Read(0, magic) == 4 && magic.SequenceEqual("\u007fELF"u8);
    }

    /// <summary>Reads the headers and the notes.</summary>
    /// <param name="source">The file.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <exception cref="DumpFormatException">The file is no ELF-64 little-endian core file, or its headers lie outside of it.</exception>
    public static ElfCoreFile Open(IByteSource source, ReadLimits? limits = null)
    {
        var file = new ElfCoreFile(source, limits ?? ReadLimits.Default);
        List<Finding> problems = [];
        Span<byte> header = stackalloc byte[ElfConstants.HeaderSize];
        source.ReadExactly(0, header, "ELF header");
        file.ParseHeader(header, problems);
        if (problems.Count > ToldProblems)
        {
            int more = problems.Count - ToldProblems;
            problems.RemoveRange(ToldProblems, more);
            problems.Add(new(FindingCode.MoreOfTheFile, source.Name, more));
        }

        file.Problems = problems;
        return file;
    }

    /// <summary>Takes memory that some other file has for that of a core file: there are no headers and no notes.</summary>
    /// <param name="source">The file.</param>
    /// <param name="segments">Where it has which memory; they are cut to what can be true.</param>
    /// <param name="limits">The bounds on what they may ask for.</param>
    internal static ElfCoreFile Of(IByteSource source, IReadOnlyList<ElfSegment> segments, ReadLimits limits)
    {
        var file = new ElfCoreFile(source, limits) { _isImage = true };
        List<ElfSegment> loads = [];
        List<Finding> problems = [];
        for (int i = 0; i < segments.Count; i++)
            file.AddLoad(loads, segments[i], i, problems);
        (file.Loads, file.Problems) = (loads, problems);
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

    private void ParseHeader(ReadOnlySpan<byte> header, List<Finding> problems)
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
        if (count == 0 || count > (uint)Limits.Segments)
            throw Bad(56, "number of program headers", count.ToString(CultureInfo.InvariantCulture), $"1 to {Limits.Segments}");
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

    private void ReadSegments(long offset, int count, List<Finding> problems)
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

    private void AddLoad(List<ElfSegment> loads, ElfSegment segment, int index, List<Finding> problems)
    {
        if (segment.PhysicalAddress == ulong.MaxValue || segment.MemorySize == 0)
            return; // Old /proc/kcore marks an unknown physical address so.
        ulong size = Math.Max(segment.MemorySize, segment.FileSize);
        if (segment.PhysicalAddress + size < segment.PhysicalAddress || segment.PhysicalAddress + size > PhysicalEnd)
        {
            Note(problems, FindingCode.SegmentImpossible, Part(index), segment.PhysicalAddress, size);
            return;
        }

        if (segment.FileSize > segment.MemorySize)
            segment = segment with { MemorySize = segment.FileSize };
        segment = CutToFile(segment, index, problems);
        ulong absent = segment.MemorySize - segment.FileSize;
        if (absent > Limits.AbsentBytes - _absent)
        {
            Note(problems, FindingCode.SegmentTooLarge, Part(index), absent, Limits.AbsentBytes);
            segment = segment with { MemorySize = segment.FileSize };
            absent = 0;
        }

        _absent += absent;
        if (segment.MemorySize != 0)
            loads.Add(segment);
    }

    /// <summary>A truncated file lacks these pages: they exist, but are lost. Its last page, of the smallest size, goes too unless it is whole.</summary>
    private ElfSegment CutToFile(ElfSegment segment, int index, List<Finding> problems)
    {
        ulong length = (ulong)Source.Length;
        if (segment.FileSize == 0 || (segment.Offset <= length && segment.FileSize <= length - segment.Offset))
            return segment;
        IsTruncated = true;
        Note(problems, FindingCode.SegmentTruncated, Part(index), segment.Offset, segment.FileSize, length);
        ulong left = segment.Offset < length ? length - segment.Offset : 0;
        const ulong Smallest = 4096;
        ulong end = (segment.PhysicalAddress + left) & ~(Smallest - 1);
        ulong size = end > segment.PhysicalAddress ? end - segment.PhysicalAddress : 0;
        return segment with { FileSize = size, LostSize = segment.FileSize - size };
    }

    // A million bad headers are one problem; beyond the limit only their number counts.
    private void Note(List<Finding> problems, FindingCode code, params object[] parameters) =>
        problems.Add(problems.Count <= ToldProblems ? new(code, [Source.Name, .. parameters]) : problems[^1]);

    private string Part(int index) => string.Create(CultureInfo.InvariantCulture, $"{(_isImage ? "range" : "program header")} {index}");

    private void ReadNotes(List<Finding> problems)
    {
        var walk = new NoteWalk(Source, Limits);
        foreach (ElfSegment segment in NoteSegments)
        {
            // With device dumps in it the kernel raises only p_memsz.
            ulong size = Math.Max(segment.FileSize, segment.MemorySize);
            if (segment.Offset >= (ulong)Source.Length || size == 0)
            {
                if (size != 0)
                    Note(problems, FindingCode.NotesOutsideFile, segment.Offset, Source.Length);
                continue;
            }

            if (walk.IsFull)
            {
                Note(problems, FindingCode.NotesTooMany, segment.Offset, Limits.Notes);
                break;
            }

            ulong length = Math.Min(size, (ulong)Source.Length - segment.Offset);
            if (length < size)
                Note(problems, FindingCode.NotesTruncated, segment.Offset, length, size);
            if (walk.Add((long)segment.Offset, (long)length) is { } problem)
                Note(problems, FindingCode.NotesDamaged, segment.Offset, problem);
        }

        (NoteArea, Notes, LargeNotes) = (walk.Area, walk.Notes, walk.Large);
    }
}
