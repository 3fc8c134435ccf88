using CsCheck;
using Vmcore.Formats.Flattened;
using Vmcore.IO;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Flattened;

public sealed class FlattenedRearrangerTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void TheFileIsTheOneThatIsDescribed() =>
        Gen.Select(Gen.Int[0, 20_000], Gen.OneOf(Gen.Byte.Array[0, 600], Gen.Int[0, 9000].Select(n => new byte[n]))).List[0, 30].Sample(writes =>
        {
            byte[] stream = Flatten(writes);
            string path = Path.GetTempFileName();
            using (FileSink sink = FileSink.Create(path, overwrite: true))
                FlattenedRearranger.Rearrange(new Slow(stream), "STDIN", sink);
            using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
            byte[] expected = new byte[source.Length];
            Assert.Equal(expected.Length, source.Read(0, expected));
            Assert.Equal(expected, File.ReadAllBytes(path));
            File.Delete(path);
        });

    [Fact]
    public void WhatIsCutOffFailsAtOnceAndKeepsWhatCame()
    {
        byte[] stream = Flatten([(0, [1, 2, 3, 4]), (100, [5, 6])]);
        for (int length = 0; length < stream.Length; length++)
        {
            using FileSink sink = FileSink.Create(_path, overwrite: true);
            var error = Assert.Throws<DumpFormatException>(() => FlattenedRearranger.Rearrange(new MemoryStream(stream, 0, length), "STDIN", sink));
            Assert.Contains("STDIN", error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(102, new FileInfo(_path).Length);
    }

    [Fact]
    public void ZeroesTakeNoRoom()
    {
        var zeroes = new byte[1 << 20];
        byte[] stream = Flatten([(0, [1]), .. Enumerable.Range(1, 64).Select(i => (i << 20, zeroes))]);
        using FileSink sink = FileSink.Create(_path, overwrite: true);
        Assert.Equal(65 << 20, FlattenedRearranger.Rearrange(new MemoryStream(stream), "STDIN", sink));
        Assert.Equal(65 << 20, new FileInfo(_path).Length);
        Assert.InRange(sink.BytesWritten, 1, 8192);
    }

    [Theory]
    [InlineData(-2, 5)]
    [InlineData(5, -2)]
    [InlineData(-1, 5)]
    [InlineData(long.MaxValue, 5)]
    public void ImpossibleRecordsAreRefused(long offset, long length)
    {
        byte[] stream = Flatten([(0, [1])]);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(stream.AsSpan(4096 + 17), offset);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(stream.AsSpan(4096 + 25), length);
        using FileSink sink = FileSink.Create(_path, overwrite: true);
        var error = Assert.Throws<DumpFormatException>(() => FlattenedRearranger.Rearrange(new MemoryStream(stream), "STDIN", sink));
        Assert.Equal(4096 + 17, error.Offset);
    }

    [Fact]
    public void AnotherFormatIsRefused()
    {
        using FileSink sink = FileSink.Create(_path, overwrite: true);
        Assert.Throws<DumpFormatException>(() => FlattenedRearranger.Rearrange(new MemoryStream(new byte[10_000]), "STDIN", sink));
    }

    private static byte[] Flatten(IEnumerable<(int Offset, byte[] Bytes)> writes)
    {
        var target = new MemoryStream();
        using var sink = new FlattenedSink(target, leaveOpen: true);
        long end = 0;
        foreach ((int offset, byte[] bytes) in writes)
        {
            sink.Write(offset, bytes);
            end = bytes.Length == 0 ? end : Math.Max(end, offset + bytes.Length);
        }

        sink.Complete(end);
        return target.ToArray();
    }

    /// <summary>A pipe: it gives what it has, not what is asked for.</summary>
    private sealed class Slow(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 777)]);
    }
}
