namespace Vmcore.Kexec.Tests.Platforms.X86_64;

public sealed class X86BounceBuffersTests
{
    private const ulong Low = 0x40000000, High = 0x1_4000_0000;

    [Theory]
    [InlineData("", Low, 0ul, 0)]
    [InlineData("", Low, Low, 0)]
    [InlineData("", Low, 0x1_0000_0000, 0)]
    [InlineData("", Low, 0x1_0000_1000, 64)]
    [InlineData("", High, 0ul, 64)]
    [InlineData("swiotlb=noforce", High, High, 0)]
    [InlineData("swiotlb=16384", Low, High, 32)]
    [InlineData("swiotlb=0x4000,4,noforce", Low, High, 0)]
    [InlineData("swiotlb=force", Low, 0ul, 64)]
    [InlineData("swiotlb=65536,force", Low, 0ul, 128)]
    [InlineData("swiotlb=99999999999999", Low, High, 4096)]
    [InlineData("iommu=off", Low, High, 0)]
    [InlineData("iommu=soft", Low, 0ul, 64)]
    [InlineData("numa=off", Low, High, 0)]
    [InlineData("numa=off", High, High, 64)]
    [InlineData("numa=noacpi", Low, High, 0)]
    [InlineData("acpi=off", Low, High, 0)]
    [InlineData("quiet -- swiotlb=noforce", Low, High, 64)]
    public void BounceBuffersAreWhatTheKernelWouldSetAside(string line, ulong regionEnd, ulong possibleEnd, int expected) =>
        Assert.Equal((ulong)expected << 20, X86BounceBuffers.Of(CommandLineWords.Split(line), regionEnd, possibleEnd));
}
