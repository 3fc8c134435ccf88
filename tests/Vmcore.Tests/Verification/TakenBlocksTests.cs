using Vmcore.IO;
using Vmcore.Verification;

namespace Vmcore.Tests.Verification;

/// <summary>Which blocks were met before.</summary>
public sealed class TakenBlocksTests
{
    [Fact]
    public void OnlyTheSameBlockIsShared()
    {
        var blocks = new TakenBlocks(ReadLimits.Default);
        foreach (long start in new long[] { 1000, 1100, 1200, 500, 600, 5000 })
            blocks.Add(start, 100);
        foreach (long start in new long[] { 500, 600, 1000, 1100, 1200, 5000 })
        {
            Assert.True(blocks.Contains(start, 100));
            Assert.False(blocks.Contains(start, 99));
            Assert.False(blocks.Contains(start, 101));
            Assert.False(blocks.Contains(start + 1, 99));
        }

        Assert.False(blocks.Contains(0, 100));
        Assert.False(blocks.Contains(9000, 100));
    }
}
