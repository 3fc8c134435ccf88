using Vmcore.Memory;

namespace Vmcore.Tests.Memory;

public sealed class ZeroPageTests
{
    [Theory]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public void OneByteAnywhereIsFound(int size)
    {
        var page = new byte[size];
        Assert.True(ZeroPage.IsZero(page));
        for (int i = 0; i < size; i++)
        {
            page[i] = (byte)(1 << (i & 7));
            Assert.False(ZeroPage.IsZero(page));
            page[i] = 0;
        }
    }

    [Fact]
    public void BytesAroundTheSpanDoNotCount()
    {
        for (int length = 0; length < 700; length++)
        {
            var memory = new byte[length + 130];
            memory.AsSpan().Fill(0xff);
            Span<byte> part = memory.AsSpan(65, length);
            part.Clear();
            Assert.True(ZeroPage.IsZero(part));
            if (length > 0)
            {
                part[^1] = 1;
                Assert.False(ZeroPage.IsZero(part));
            }
        }
    }
}
