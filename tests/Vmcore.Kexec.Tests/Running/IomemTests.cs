using CsCheck;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class IomemTests
{
    [Fact]
    public void DepthNamesAndHalfOpenRangesAreRead()
    {
        Iomem iomem = Iomem.Parse(Stock612.Iomem);
        Assert.Equal(34, iomem.Resources.Count);
        Assert.Equal(new IomemResource(new(0x4000000, 0x10000000), 1, "Crash kernel"), iomem.Resources[8]);
        Assert.Equal(new PhysicalRange(0x10a00000, 0x13600000), iomem.KernelImage);
        Assert.Equal([new PfnRange(1, 0x9f), new PfnRange(0x100, 0x1bfdc)], iomem.SystemRam(12));
        Assert.Equal([new PfnRange(0x100000, 0x11be00)], iomem.PersistentMemory(12));
    }

    [Fact]
    public void TwoCrashRegionsComeInOrder()
    {
        Iomem iomem = Iomem.Parse("6d000000-7cffffff : Crash kernel\n100000000-1bfffffff : System RAM\n  1af000000-1beffffff : Crash kernel\n");
        Assert.Equal([new PhysicalRange(0x6d000000, 0x7d000000), new PhysicalRange(0x1af000000, 0x1bf000000)], iomem.CrashRegions);
    }

    [Fact]
    public void AddressesBeyondWhatAMachineHasAreLeftOut()
    {
        Iomem iomem = Iomem.Parse("10a00000-ffffffffffffffff : Kernel code\n0-ffffffffffff : System RAM\nfffffffff0000000-fffffffffffffff0 : Crash kernel\n");
        Assert.Null(iomem.KernelImage);
        Assert.Empty(iomem.CrashRegions);
        Assert.Equal([new PfnRange(0, 1UL << 36)], iomem.SystemRam(12));
    }

    [Fact]
    public void OfAnyTextTheLinesThatAreResourcesAreRead() =>
        Gen.Select(Gen.Char["0123456789abcdef-: \nSystemRAM"].Array[0, 300], Gen.ULong[0, 1UL << 39], Gen.ULong[1, 1UL << 39]).Sample((noise, start, length) =>
        {
            string text = new(noise);
            string line = FormattableString.Invariant($"{start << 12:x}-{((start + length) << 12) - 1:x} : System RAM");
            PfnRange expected = new(start, start + length);
            PfnRangeSet ram = Iomem.Parse(text + "\n" + line + "\n").SystemRam(12);
            Assert.True(ram.Any(r => r.Start <= expected.Start && r.End >= expected.End), text + "\n" + line);
            Assert.All(ram.Zip(ram.Skip(1)), static pair => Assert.True(pair.First.End < pair.Second.Start));
        });
}
