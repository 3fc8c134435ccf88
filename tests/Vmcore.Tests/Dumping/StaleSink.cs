using Vmcore.IO;

namespace Vmcore.Tests.Dumping;

/// <summary>A target of fixed size; as a device it has old bytes everywhere.</summary>
internal sealed class StaleSink : IByteSink
{
    private readonly byte[] _bytes;

    public StaleSink(bool gapsReadAsZero, int length)
    {
        GapsReadAsZero = gapsReadAsZero;
        _bytes = new byte[length];
        if (!gapsReadAsZero)
            _bytes.AsSpan().Fill(0xa5);
    }

    public string Name => "stale";

    public long BytesWritten { get; private set; }

    public bool GapsReadAsZero { get; }

    public byte[] Bytes => _bytes;

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_bytes.AsSpan((int)offset));
        BytesWritten += bytes.Length;
    }

    public void Complete(long length) => Assert.True(length <= _bytes.Length);

    public void Dispose()
    {
    }
}
