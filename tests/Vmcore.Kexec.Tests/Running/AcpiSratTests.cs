using System.Buffers.Binary;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class AcpiSratTests
{
    [Theory]
    [InlineData(1u, 0x140000000ul)]
    [InlineData(3u, 0x140000000ul)]
    [InlineData(5u, 0x140000000ul)]
    [InlineData(2u, 0ul)]
    public void WhatIsInUseCounts(uint flags, ulong expected)
    {
        using TestTree tree = TestTree.Stock().Srat(0x100000000, 0x40000000, flags);
        Assert.Equal(expected, RunningSystemReader.Read(tree.Root).PossibleMemoryEnd);
    }

    [Fact]
    public void NoTableSaysNothing()
    {
        using TestTree tree = TestTree.Stock();
        Assert.Equal(0ul, RunningSystemReader.Read(tree.Root).PossibleMemoryEnd);
        Assert.Equal(0ul, AcpiSrat.EndOfMemory("SRAT"u8));
        Assert.Equal(0ul, AcpiSrat.EndOfMemory(new byte[200]));
    }

    [Fact]
    public void WhatADamagedTableNamesAreEntriesThatItHas()
    {
        using TestTree tree = TestTree.Stock().Srat(0x100000000, 0x40000000, 1);
        byte[] good = File.ReadAllBytes(tree.Root + "/sys/firmware/acpi/tables/SRAT");
        var random = new Random(5);
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = (byte[])good.Clone();
            bytes[random.Next(48, bytes.Length)] = (byte)random.Next(256);
            byte[] cut = bytes[..random.Next(bytes.Length + 1)];
            ulong end = AcpiSrat.EndOfMemory(cut);
            Assert.True(end == 0 || SumsOfNeighbours(cut).Contains(end), $"{end:x} is the end of no entry of {Convert.ToHexString(cut)}");
        }
    }

    // Base and length of an entry are neighbours of eight bytes each, wherever damage moved the entry.
    private static IEnumerable<ulong> SumsOfNeighbours(byte[] table) => Enumerable.Range(0, Math.Max(table.Length - 15, 0))
        .Select(at => unchecked(BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(at)) + BinaryPrimitives.ReadUInt64LittleEndian(table.AsSpan(at + 8))));
}
