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
    public void DamageIsNoError()
    {
        using TestTree tree = TestTree.Stock().Srat(0x100000000, 0x40000000, 1);
        byte[] good = File.ReadAllBytes(tree.Root + "/sys/firmware/acpi/tables/SRAT");
        var random = new Random(5);
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = (byte[])good.Clone();
            bytes[random.Next(48, bytes.Length)] = (byte)random.Next(256);
            _ = AcpiSrat.EndOfMemory(bytes.AsSpan(0, random.Next(bytes.Length + 1)));
        }
    }
}
