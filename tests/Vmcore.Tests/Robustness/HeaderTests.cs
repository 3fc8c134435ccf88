using System.Buffers.Binary;
using Vmcore.Formats.Elf;

namespace Vmcore.Tests.Robustness;

/// <summary>Truncated files, and every field of the ELF header and the program headers with values that lie.</summary>
public class HeaderTests
{
    private static readonly ulong[] s_values =
    [
        0, 1, 2, 55, 57, 0xfff, 0x1001, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 40, (1UL << 47) - 1, 1UL << 51, 1UL << 52,
        1UL << 55, long.MaxValue - 4095, long.MaxValue, 1UL << 63, ulong.MaxValue - 4095, ulong.MaxValue,
    ];

    [Fact]
    public void AFileCutOffAnywhereGivesAnErrorOrADumpThatCountsWhatIsMissing()
    {
        HostileSource source = HostileMachine.Open();
        ElfCoreFile file = ElfCoreFile.Open(source);
        (int headers, int count) = HostileMachine.ProgramHeaders(source.Bytes);
        List<long> cuts = [0, 1, 3, 4, 7, 8, 15, 16, 52, 56, 63, 64, headers + 1,
            headers + 55, headers + 56, headers + (56 * count) - 1, headers + (56 * count)];
        foreach (ElfSegment s in file.Loads.Concat(file.NoteSegments))
            cuts.AddRange([(long)s.Offset - 1, (long)s.Offset, (long)s.Offset + 1, (long)(s.Offset + s.FileSize) - 1, (long)(s.Offset + s.FileSize)]);
        var random = new Random(8);
        for (int i = 0; i < 40; i++)
            cuts.Add(random.NextInt64(source.Length));
        for (int i = 0; i < cuts.Count; i++)
        {
            if (cuts[i] < 0 || cuts[i] >= source.Length)
                continue;
            source.Truncate(cuts[i]);
            Outcome outcome = HostileRun.One(source, i % HostileRun.Ways, noCanary: true);
            if (outcome.Report is { } report)
            {
                Assert.True(report.MissingInInput > 0, $"cut at {cuts[i]}");
                Assert.Contains(outcome.Problems, p => p.ToString().Contains("truncated", StringComparison.Ordinal));
            }

            source.Restore();
        }
    }

    [Fact]
    public void ATruncatedFileIsIncompleteAndKeepsItsWholePages()
    {
        HostileSource source = HostileMachine.Open();
        ElfSegment last = ElfCoreFile.Open(source).Loads.Where(l => !l.IsDevice).MaxBy(l => l.Offset)!;
        ulong all = HostileRun.One(source, 0, noCanary: true).Report!.MissingInInput;
        source.Truncate((long)last.Offset + 8191);
        using CrashDump dump = CrashDump.Open(source);
        Assert.True(dump.IsIncomplete);
        byte[] page = new byte[4096];
        Assert.Equal(Vmcore.Memory.MemoryStatus.Ok, dump.Memory.ReadPage(last.PhysicalAddress >> 12, page));
        Assert.True(page.AsSpan().SequenceEqual(source.Bytes.Slice((int)last.Offset, 4096)));
        Assert.NotEqual(Vmcore.Memory.MemoryStatus.Ok, dump.Memory.ReadPage((last.PhysicalAddress >> 12) + 1, page));
        Assert.Equal(0UL, all);
    }

    [Fact]
    public void LyingELFHeaderFields()
    {
        HostileSource source = HostileMachine.Open();
        (int Offset, int Width)[] fields = [(4, 1), (5, 1), (6, 1), (16, 2), (18, 2), (20, 4),
            (24, 8), (32, 8), (40, 8), (48, 4), (52, 2), (54, 2), (56, 2), (58, 2), (60, 2), (62, 2)];
        int round = 0;
        foreach ((int offset, int width) in fields)
        {
            foreach (ulong value in s_values.Select(v => width == 8 ? v : v & ((1UL << (8 * width)) - 1)).Distinct())
            {
                source.WriteNumber(offset, value, width);
                HostileRun.One(source, round++ % HostileRun.Ways, noCanary: offset is not (32 or 40 or 56));
                source.Restore();
            }
        }
    }

    [Fact]
    public void LyingProgramHeaderFields()
    {
        HostileSource source = HostileMachine.Open();
        (int headers, int count) = HostileMachine.ProgramHeaders(source.Bytes);
        (int Offset, int Width)[] fields = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];
        int round = 0;
        // The notes, the kernel text, and the last, which is pmem.
        foreach (int header in new[] { 0, 1, count - 1 })
        {
            foreach ((int offset, int width) in fields)
            {
                foreach (ulong value in s_values.Where((_, i) => width == 8 ? i % 2 == round % 2 : i % 4 == 0))
                {
                    source.WriteNumber(headers + (56 * header) + offset, value, width);
                    HostileRun.One(source, round++ % HostileRun.Ways, noCanary: false);
                    source.Restore();
                }
            }
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(65535u)]
    [InlineData(4194304u)]
    [InlineData(4194305u)]
    [InlineData(uint.MaxValue)]
    public void LyingExtendedNumbering(uint claimed)
    {
        HostileSource source = HostileMachine.Open();
        byte[] section = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(44), claimed);
        source.WriteNumber(56, 0xffff, 2).WriteNumber(40, (ulong)source.Length - 64).Write((int)source.Length - 64, section);
        // 65,535 headers fit into the file: what is behind the real ones is noise, and taken as such.
        bool fits = claimed is 1 or 65535;
        Outcome outcome = HostileRun.One(source, 0, noCanary: false);
        Assert.True(fits || outcome.Error is DumpFormatException);
        source.WriteNumber(40, (ulong)source.Length - 63);
        Assert.IsType<DumpFormatException>(HostileRun.One(source, 0, noCanary: false).Error);
        source.WriteNumber(40, ulong.MaxValue);
        Assert.IsType<DumpFormatException>(HostileRun.One(source, 0, noCanary: false).Error);
    }

    [Fact]
    public void LyingNotes()
    {
        HostileSource source = HostileMachine.Open();
        ElfSegment notes = ElfCoreFile.Open(source).NoteSegments[0];
        int at = (int)notes.Offset, round = 0;
        // The headers of the first two notes, and that of vmcoreinfo.
        int second = at + 12 + 8 + 336, info = source.Bytes.IndexOf("VMCOREINFO\0"u8) - 12;
        foreach (int note in new[] { at, second, info })
        {
            foreach (ulong value in s_values.Where(v => v <= uint.MaxValue))
            {
                for (int field = 0; field < 12; field += 4)
                {
                    source.WriteNumber(note + field, value, 4);
                    HostileRun.One(source, round++ % HostileRun.Ways, noCanary: true);
                    source.Restore();
                }
            }
        }
    }
}
