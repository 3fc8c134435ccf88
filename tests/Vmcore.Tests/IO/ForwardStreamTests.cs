using Vmcore.IO;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.IO;

public sealed class ForwardStreamTests
{
    private static readonly byte[] s_bytes = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    [InlineData(4096)]
    public void AllBytesComeInOrder(int step)
    {
        using var memory = new ForwardStream(s_bytes);
        using var source = new ForwardStream(new HostileSource(s_bytes), 0, s_bytes.Length);
        using var part = new ForwardStream(new HostileSource(s_bytes), 100, 50);
        Assert.Equal(s_bytes, ReadAll(memory, step));
        Assert.Equal(s_bytes, ReadAll(source, step));
        Assert.Equal(s_bytes[100..150], ReadAll(part, step));
        Assert.Equal((1000, 1000, 50), (memory.Position, source.Length, part.Position));
    }

    [Fact]
    public void ASourceThatEndsBeforeItsRangeEndsTheStream()
    {
        using var stream = new ForwardStream(new HostileSource(s_bytes), 900, 500);
        Assert.Equal(s_bytes[900..], ReadAll(stream, 64));
        Assert.Equal(0, stream.Read(new byte[8]));
    }

    private static byte[] ReadAll(ForwardStream stream, int step)
    {
        List<byte> all = [];
        byte[] buffer = new byte[step + 1];
        for (int read; (read = stream.Read(buffer, 1, step)) > 0;)
            all.AddRange(buffer.AsSpan(1, read));
        return [.. all];
    }
}
