using System.Buffers.Binary;
using System.IO.Compression;
using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Types;
using Vmcore.Testing;

namespace Vmcore.Tests.Robustness;

/// <summary>Files given beside a dump that ask for far more work than they have bytes: what fails is charged like what succeeds.</summary>
public class ObjectFileBombTests
{
    private const int Header = 64, Entry = 64;
    private const uint Zlib = 1;

    [Fact]
    public void NotesThatManySectionsNameAreReadOnce()
    {
        byte[] data = new byte[1 << 20];
        using ElfObjectFile file = Open(data, Enumerable.Repeat(("", ElfSection.TypeNote, 0UL, 0L, (long)data.Length), 60_000), out CountingSource source);
        long before = source.BytesRead;
        Assert.Null(file.ReadBuildId());
        Assert.InRange(source.BytesRead - before, 1, 2 << 20);
    }

    [Fact]
    public void ABuildIdBehindOtherNotesIsFound()
    {
        byte[] other = ElfNotes.Build("Linux", 0x100, new byte[40]), id = ElfNotes.Build("GNU", 3, [0xab, 0xcd, 0xef, 0x01]);
        byte[] data = [.. other, .. id];
        using ElfObjectFile file = Open(
            data, [("", ElfSection.TypeNote, 0UL, 0L, other.Length), ("", ElfSection.TypeNote, 0UL, other.Length, id.Length)], out _);
        Assert.Equal("abcdef01", file.ReadBuildId());
    }

    [Fact]
    public void ATableOfSectionsThatIsMostlyGapsIsNotHeld()
    {
        // 65,000 entries of 0x8200 bytes: 2.2 GB, of which the file has none on the disk.
        const int Count = 65_000, Size = 0x8200;
        byte[] header = Start(Header, Size, Count, 0);
        using ElfObjectFile file = ElfObjectFile.Open(new SparseSource(header, Header + ((long)Count * Size)));
        Assert.Equal(Count, file.Sections.Count);
    }

    [Theory]
    [InlineData(3, 100 << 20, false)]
    [InlineData(1, 60 << 20, true)]
    public void CompressedSectionsGrowWithinOneBudget(int sections, int each, bool isRead)
    {
        using var packed = new MemoryStream();
        packed.Write(new byte[24]);
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (int i = 0; i < each >> 20; i++)
                zlib.Write(new byte[1 << 20]);
        }

        byte[] data = packed.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(data, Zlib);
        BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(8), (ulong)each);
        string[] names = [".debug_info", ".debug_abbrev", ".debug_str"];
        using ElfObjectFile file = Open(
            data, names.Take(sections).Select(n => (n, ElfSection.TypeProgram, ElfSection.FlagCompressed, 0L, (long)data.Length)), out _);
        if (isRead)
            Assert.Null(DwarfSections.TryOpen(file));
        else
            Assert.Contains("no debug information", Assert.Throws<DumpFormatException>(() => DwarfSections.TryOpen(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AbbreviationsThatAreDamagedCountToo()
    {
        // One table of entries, long and damaged at its end, that each of many units would parse from its start.
        byte[] table = new byte[1 << 20];
        for (int i = 0; i + 5 <= table.Length; i += 5)
            new byte[] { 1, 0x24, 0, 0, 0 }.CopyTo(table, i);
        table.AsSpan(^16..).Fill(0xff);
        long budget = 64 << 20;
        Assert.Throws<DwarfException>(() => DwarfAbbreviations.Parse(table, 0, ref budget, ReadLimits.Default));
        Assert.InRange(budget, 0, (64L << 20) - (table.Length / 2));
    }

    [Fact]
    public void DebugInformationThatHoldsItselfEnds()
    {
        string path = Path.Combine(SourceTree.Root, "tests", "fuzz", "corpus", "dwarf", "proto-self.vmlinux");
        using ElfObjectFile file = ElfObjectFile.Open(path);
        KernelTypes types = new(new DwarfTypeFactory(DwarfTypes.TryLoad(file, out _)!, _ => null));
        var budget = new AnswerBudget();
        string text = TypeDeclaration.Write(types.Find("struct list_head")!, withOffsets: true, budget);
        Assert.True(budget.IsTruncated);
        Assert.InRange(text.Length, 1, 1 << 20);
    }

    private static ElfObjectFile Open(
        byte[] data, IEnumerable<(string Name, uint Type, ulong Flags, long Offset, long Size)> sections, out CountingSource source)
    {
        var all = sections.ToList();
        using var names = new MemoryStream();
        names.WriteByte(0);
        var table = new List<byte[]>();
        long start = Header;
        foreach ((string name, uint type, ulong flags, long offset, long size) in all)
        {
            table.Add(Section(name.Length == 0 ? 0 : (uint)names.Length, type, flags, start + offset, size));
            names.Write([.. System.Text.Encoding.ASCII.GetBytes(name), 0]);
        }

        table.Add(Section(0, 3, 0, start + data.Length, names.Length));
        byte[] header = Start((ulong)(start + data.Length + names.Length), Entry, table.Count, table.Count - 1);
        source = new([.. header, .. data, .. names.ToArray(), .. table.SelectMany(static s => s)]);
        return ElfObjectFile.Open(source);
    }

    private static byte[] Start(ulong table, int entrySize, int count, int names)
    {
        byte[] header = new byte[Header];
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(header, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(16), 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(18), 62);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(40), table);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(58), (ushort)entrySize);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(60), (ushort)count);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(62), (ushort)names);
        return header;
    }

    private static byte[] Section(uint name, uint type, ulong flags, long offset, long size)
    {
        byte[] entry = new byte[Entry];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, name);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(4), type);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(8), flags);
        BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(24), offset);
        BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(32), size);
        return entry;
    }

    private sealed class CountingSource(byte[] bytes) : IByteSource
    {
        public string Name => "counting";

        public long Length => bytes.Length;

        public long BytesRead { get; private set; }

        public int Read(long offset, Span<byte> buffer)
        {
            int count = (int)Math.Clamp(bytes.Length - offset, 0, buffer.Length);
            bytes.AsSpan((int)Math.Min(offset, bytes.Length), count).CopyTo(buffer);
            BytesRead += count;
            return count;
        }

        public void Dispose()
        {
        }
    }

    private sealed class SparseSource(byte[] start, long length) : IByteSource
    {
        public string Name => "sparse";

        public long Length => length;

        public int Read(long offset, Span<byte> buffer)
        {
            int count = (int)Math.Clamp(length - offset, 0, buffer.Length);
            buffer = buffer[..count];
            buffer.Clear();
            if (offset < start.Length)
                start.AsSpan((int)offset, Math.Min(count, start.Length - (int)offset)).CopyTo(buffer);
            return count;
        }

        public void Dispose()
        {
        }
    }
}
