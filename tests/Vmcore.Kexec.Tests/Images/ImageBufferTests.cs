using System.IO.Pipes;

namespace Vmcore.Kexec.Tests.Images;

public sealed class ImageBufferTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1_000_000)]
    [InlineData(5_000_000)]
    public void ItHoldsWhatTheStreamHasWhateverWasExpected(long expected)
    {
        byte[] content = new byte[1_000_000];
        new Random(1).NextBytes(content);
        using var buffer = new ImageBuffer(expected);
        Assert.True(buffer.Append(new MemoryStream(content), 1_000_000));
        Assert.True(content.AsSpan().SequenceEqual(buffer.Memory.Span));
        using System.Buffers.MemoryHandle pin = buffer.Memory[10..].Pin();
        unsafe
        {
            Assert.Equal(content[10], *(byte*)pin.Pointer);
        }
    }

    [Fact]
    public void MoreThanTheLimitIsSeen()
    {
        using var buffer = new ImageBuffer(0);
        Assert.False(buffer.Append(new MemoryStream(new byte[1001]), 1000));
        using var none = new ImageBuffer(0);
        Assert.True(none.Append(new MemoryStream(), 1000));
        Assert.Equal(0, none.Memory.Length);
    }

    [Fact]
    public async Task APipeIsReadToItsEnd()
    {
        using var server = new AnonymousPipeServerStream(PipeDirection.Out);
        using var client = new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle);
        using var buffer = new ImageBuffer(0);
        Task writer = Task.Run(() =>
        {
            for (int i = 0; i < 100; i++)
                server.Write(new byte[3000]);
            server.Close();
        });
        Assert.True(buffer.Append(client, 1 << 20));
        await writer;
        Assert.Equal(300_000, buffer.Length);
    }

    [Fact]
    public void AClosedOneHoldsNothing()
    {
        var buffer = new ImageBuffer(100);
        buffer.Append(new MemoryStream(new byte[100]), 1000);
        ((IDisposable)buffer).Dispose();
        ((IDisposable)buffer).Dispose();
        Assert.Equal(0, buffer.GetSpan().Length);
    }
}
