using CsCheck;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.X86_64;

public sealed class E820MapTests
{
    private static readonly string[] Names = ["Reserved", "ACPI Tables", "System RAM", "Crash kernel", "ACPI Non-volatile Storage", "Persistent Memory"];

    [Fact]
    public void StockMachineTellsOfNoPmemAndCutsTheHeaderOut()
    {
        IReadOnlyList<MemoryMapEntry> map = E820Map.Build(Iomem.Parse(Stock612.Iomem), [new(0xf000000, 0xf004000)], []);
        Assert.Equal(
            """
            [0x0 - 0x1000) Reserved
            [0x1000 - 0x9fc00) Ram
            [0x9fc00 - 0xa0000) Reserved
            [0xf0000 - 0x100000) Reserved
            [0x4000000 - 0xf000000) Ram
            [0xf004000 - 0x10000000) Ram
            [0x1bfdc000 - 0x1c000000) Reserved
            [0xb0000000 - 0xc0000000) Reserved
            [0xfed1c000 - 0xfed20000) Reserved
            [0xfffc0000 - 0x100000000) Reserved
            [0xfd00000000 - 0x10000000000) Reserved
            """,
            string.Join('\n', map.Select(static e => $"{e.Range} {e.Type}")));
    }

    [Fact]
    public void BothCrashRegionsAreRam()
    {
        using TestTree tree = Layout.ElfCoreHeaderTests.TwoRegions();
        IReadOnlyList<MemoryMapEntry> map = E820Map.Build(RunningSystemReader.Read(tree.Root).Iomem, [new(0x1bea00000, 0x1bea04000)], []);
        Assert.Equal(
            [new PhysicalRange(0x1000, 0x9fc00), new(0x6d000000, 0x7d000000), new(0x1af000000, 0x1bea00000), new(0x1bea04000, 0x1bf000000)],
            map.Where(static e => e.Type == MemoryMapType.Ram).Select(static e => e.Range));
    }

    [Fact]
    public void WhatIsReadLaterIsCutOutWhereverItLies()
    {
        IReadOnlyList<MemoryMapEntry> map = E820Map.Build(Iomem.Parse("00100000-1fffffff : System RAM\n  04000000-0fffffff : Crash kernel\n"),
            [new(0xfff0000, 0x10000000), default, new(0x5000000, 0x5004000), new(0x4000000, 0x4001000)], [new(0x12000000, 0x13000000)]);
        Assert.Equal(
            [new PhysicalRange(0x4001000, 0x5000000), new(0x5004000, 0xfff0000), new(0x12000000, 0x13000000)], map.Select(static e => e.Range));
    }

    [Fact]
    public void AcpiWinsOverWhatItLiesIn()
    {
        IReadOnlyList<MemoryMapEntry> map = E820Map.Build(
            Iomem.Parse("1000-8fff : Reserved\n  2000-2fff : ACPI Tables\n  3000-3fff : ACPI Non-volatile Storage\n  4000-4fff : Unusable memory\n"),
            [], []);
        Assert.Equal(
            "Reserved Acpi Nvs Unusable Reserved",
            string.Join(' ', map.Select(static e => e.Type)));
    }

    [Fact]
    public void TheMapIsAscendingAndNeverOverlaps() =>
        Gen.Select(Gen.UInt[0, 64], Gen.UInt[1, 16], Gen.Int[0, 5].Select(static i => Names[i]))
            .Array[0, 12].Sample(lines =>
            {
                Iomem iomem = Iomem.Parse(string.Join('\n', lines.Select(static l => $"{l.Item1 << 12:x}-{((l.Item1 + l.Item2) << 12) - 1:x} : {l.Item3}")));
                ulong end = 0;
                foreach (MemoryMapEntry entry in E820Map.Build(iomem, [new(0x12000, 0x14000), new(0x10000, 0x11000)], [new(0x20000, 0x30000)]))
                {
                    Assert.True(entry.Range.Start >= end && !entry.Range.IsEmpty);
                    end = entry.Range.End;
                }
            });
}
