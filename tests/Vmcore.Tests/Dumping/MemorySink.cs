using Vmcore.Dumping;
using Vmcore.IO;

namespace Vmcore.Tests.Dumping;

/// <summary>A file in memory that is written at offsets.</summary>
internal sealed class MemorySink(long? capacity = null) : IByteSink
{
    private readonly MemoryStream _bytes = new();

    public string Name => "memory";

    public long BytesWritten { get; private set; }

    public bool GapsReadAsZero => true;

    public bool IsComplete { get; private set; }

    public byte[] ToArray() => _bytes.ToArray();

    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (capacity is { } most && offset + bytes.Length > most)
            throw new FileAccessException(Name, "no space left on device", noSpace: true);
        _bytes.Position = offset;
        _bytes.Write(bytes);
        BytesWritten += bytes.Length;
    }

    public void Complete(long length)
    {
        if (_bytes.Length < length)
            _bytes.SetLength(length);
        IsComplete = true;
    }

    public void Dispose() => _bytes.Dispose();
}

/// <summary>Nobody looks at the progress.</summary>
internal sealed class NoObserver : IDumpObserver
{
    public static NoObserver Instance { get; } = new();

    public void Started(DumpStep step)
    {
    }

    public void Progress(DumpStep step, ulong done, ulong total) => Assert.True(done <= total);

    public void Finished(DumpStep step, TimeSpan elapsed)
    {
    }
}
