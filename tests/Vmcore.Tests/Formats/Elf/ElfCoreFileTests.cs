using System.Buffers.Binary;
using CsCheck;
using Vmcore.Formats.Elf;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Elf;

public sealed class ElfCoreFileTests
{
    private static readonly byte[] s_note = ElfNotes.Build("VMCOREINFO", 0, "A=1\n"u8);

    [Fact]
    public void HeadersAndNotesAreRead()
    {
        ElfCoreFile file = Open(new ElfBytes { Notes = s_note, Data = new byte[0x3000] }
            .Load(0x1000, 0, 0x1000, flags: 0x17).Load(0x5000, 0x1000, 0x1000, 0x2000, virtualAddress: 0xffff888000005000));
        Assert.Empty(file.Problems);
        Assert.Equal(ElfMachine.X86_64, file.Machine);
        Assert.Equal(2, file.Loads.Count);
        Assert.True(file.Loads[0].IsDevice);
        Assert.False(file.Loads[1].IsDevice);
        Assert.Equal(0x7000ul, file.Loads[1].PhysicalEnd);
        Assert.Equal("VMCOREINFO", Assert.Single(file.Notes).Name);
        Assert.Equal("A=1\n"u8.ToArray(), file.Notes[0].Descriptor(file.NoteArea.Span).ToArray());
    }

    /// <summary>PF_DEV was bit 4 in the RFCs and is in PF_MASKOS of our series; no other bit says anything of devices.</summary>
    [Fact]
    public void BothBitsOfDeviceMemoryAreKnown()
    {
        const uint Rwx = 7, OldDevice = 0x10, Device = 0x0080_0000;
        for (int bit = 0; bit < 32; bit++)
        {
            uint flags = Rwx | (1u << bit);
            ElfCoreFile file = Open(new ElfBytes { Notes = s_note, Data = new byte[0x1000] }.Load(0x1000, 0, 0x1000, flags: flags));
            Assert.Equal((flags & (OldDevice | Device)) != 0, Assert.Single(file.Loads).IsDevice);
            Assert.Equal(flags, file.Loads[0].Flags);
        }
    }

    /// <summary>QEMU: e_phoff 192, e_ehsize 8, p_flags 0.</summary>
    [Fact]
    public void QemuHeadersAreRead()
    {
        ElfCoreFile file =
            Open(new ElfBytes { TableOffset = 192, HeaderSize = 8, SectionOffset = 64, Notes = s_note, Data = new byte[0x1000] }.Load(0, 0, 0x1000, flags: 0));
        Assert.Empty(file.Problems);
        Assert.Single(file.Loads);
        Assert.Single(file.Notes);
    }

    [Theory]
    [InlineData(CoreProducer.FileLoad)]
    [InlineData(CoreProducer.Qemu)]
    public void MoreThan65535HeadersAreRead(CoreProducer producer)
    {
        CoreImage core = new SyntheticMachine().AddRam(0x100000, 39 << 20).Core(new() { Producer = producer, ExtraSegments = 66000 });
        ElfCoreFile file = ElfCoreFile.Open(new CoreSource(core));
        Assert.Equal(core.Segments.Count, file.Loads.Count);
        Assert.Equal(core.Segments.Select(s => (s.Physical, s.Offset, s.FileSize)), file.Loads.Select(l => (l.PhysicalAddress, l.Offset, l.FileSize)));
        Assert.Empty(file.Problems);
    }

    /// <summary>The tool of today reads e_shentsize bytes onto its stack here.</summary>
    [Fact]
    public void TheCountOfManyIsOneHeaderWhateverItsSize()
    {
        var bytes = new ElfBytes { Count = 0xffff, SectionOffset = 0x1000, SectionInfo = 2, SectionSize = 0xffff, Data = new byte[0x1000] }.Load(0, 0, 0x1000);
        Assert.Single(Open(bytes).Loads);
    }

    [Theory]
    [InlineData(0xffff, 0x1000ul, 0u)]
    [InlineData(0xffff, 0x1000ul, uint.MaxValue)]
    [InlineData(0xffff, 0x1000ul, 1000u)]
    [InlineData(0xffff, 0ul, 2u)]
    [InlineData(0xffff, 0x4ff0ul, 2u)]
    [InlineData(0xffff, 0xffffffffffffff00ul, 2u)]
    [InlineData(0, 0ul, 0u)]
    [InlineData(0xfffe, 0ul, 0u)]
    public void LyingCountsAreRefused(ushort count, ulong sections, uint info)
    {
        var bytes = new ElfBytes { Count = count, SectionOffset = sections, SectionInfo = info, Data = new byte[0x1000] }.Load(0, 0, 0x1000);
        DumpFormatException e = Assert.Throws<DumpFormatException>(() => Open(bytes));
        Assert.Contains("test.kdump", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0x7e)]
    [InlineData(4, 1)]
    [InlineData(5, 2)]
    [InlineData(16, 2)]
    [InlineData(54, 55)]
    [InlineData(39, 0xff)]
    public void OtherFilesAreRefused(int offset, byte value)
    {
        byte[] bytes = new ElfBytes { Data = new byte[0x1000] }.Load(0, 0, 0x1000).Build();
        bytes[offset] = value;
        Assert.Throws<DumpFormatException>(() => ElfCoreFile.Open(new KdumpBytes(bytes)));
    }

    [Fact]
    public void ImpossibleSegmentsAreLeftOutAndReported()
    {
        var bytes = new ElfBytes { Data = new byte[0x1000] }
            .Load(0x1000, 0, 0x1000)
            .Load(ulong.MaxValue, 0, 0x1000)
            .Load(0xffffffffffffe000, 0, 0x1000, 0x4000)
            .Load(1ul << 56, 0, 0x1000)
            .Load(0x8000, 0, 0x2000)
            .Load(0x10000, 0x7fffffffffffb000, 0x1000)
            .Load(0x20000, 0, 0x1000, 0x800)
            .Load(0x30000, 0, 0, 0);
        ElfCoreFile file = Open(bytes);
        Assert.Equal([0x1000ul, 0x8000, 0x10000, 0x20000], file.Loads.Select(l => l.PhysicalAddress));
        Assert.Equal(4, file.Problems.Count);
        Assert.Equal(0ul, file.Loads[2].FileSize);
        Assert.Equal(0x1000ul, file.Loads[^1].MemorySize);
    }

    [Fact]
    public void NotesThatOverrunEndTheNotes()
    {
        byte[] bad = ElfNotes.Build("CORE", 1, new byte[16]);
        foreach ((int field, uint value) in new[] { (0, 0xfffffff0u), (4, 0xffffffffu), (4, 0x7fffffffu), (4, 17u), (0, 0x1000u) })
        {
            byte[] notes = [.. s_note, .. bad];
            BinaryPrimitives.WriteUInt32LittleEndian(notes.AsSpan(s_note.Length + field), value);
            ElfCoreFile file = Open(new ElfBytes { Notes = notes, Data = new byte[0x1000] }.Load(0, 0, 0x1000));
            Assert.Equal("VMCOREINFO", Assert.Single(file.Notes).Name);
            Assert.Contains("overrun", Assert.Single(file.Problems).ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void NoteSegmentsThatLieAreCutToTheFile()
    {
        ElfCoreFile file = Open(new ElfBytes { Notes = s_note, NoteSizes = (1ul << 60, 1ul << 60), Data = new byte[0x1000] }.Load(0, 0, 0x1000));
        Assert.Single(file.Notes);
        Assert.Contains(file.Problems, p => p.ToString().Contains("PT_NOTE", StringComparison.Ordinal));

        // With device dumps the kernel raises p_memsz alone.
        Assert.Single(Open(new ElfBytes { Notes = s_note, NoteSizes = (0, (ulong)s_note.Length), Data = new byte[0x1000] }.Load(0, 0, 0x1000)).Notes);
        Assert.Empty(Open(new ElfBytes { NoteSizes = (0, 0), Data = new byte[0x1000] }.Load(0, 0, 0x1000)).Notes);
    }

    [Fact]
    public void EveryTruncationIsAnErrorOrAReport()
    {
        byte[] bytes = new ElfBytes { Notes = s_note, Data = new byte[0x1000] }.Load(0x1000, 0, 0x1000).Build();
        for (int length = 0; length < bytes.Length; length += length < 300 ? 1 : 97)
        {
            try
            {
                Assert.NotEmpty(ElfCoreFile.Open(new KdumpBytes(bytes) { Visible = length }).Problems);
            }
            catch (DumpFormatException)
            {
                // An error that names the file and the place is as good.
            }
        }
    }

    [Fact]
    public void DamageIsAnErrorOrAnAnswer()
    {
        byte[] bytes = new ElfBytes { Notes = s_note, Data = new byte[0x2000] }.Load(0x1000, 0, 0x1000).Load(0x1800, 0x1000, 0x1000).Build();
        Gen.Select(Gen.Int[0, 63 + (3 * 56)], Gen.Byte).Array[1, 6].Sample(changes =>
        {
            byte[] damaged = [.. bytes];
            foreach ((int at, byte value) in changes)
                damaged[at] = value;
            try
            {
                using CrashDump dump = CrashDump.Open(new KdumpBytes(damaged));
                Probe(dump);
            }
            catch (VmcoreException)
            {
                // The only kind that bad input may raise.
            }
        });
    }

    private static void Probe(CrashDump dump)
    {
        byte[] page = new byte[4096];
        foreach (ElfSegment load in dump.Loads)
        {
            dump.Memory.ReadPage(load.PhysicalAddress >> 12, page);
            dump.Memory.Read(load.PhysicalEnd - 1, page.AsSpan(0, 2));
        }
    }

    private static ElfCoreFile Open(ElfBytes bytes) => ElfCoreFile.Open(new KdumpBytes(bytes.Build()));
}
