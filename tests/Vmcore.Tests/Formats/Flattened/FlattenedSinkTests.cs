using System.Buffers.Binary;
using System.IO.Pipes;
using CsCheck;
using Microsoft.Win32.SafeHandles;
using Vmcore.Formats.Flattened;
using Vmcore.Testing;

namespace Vmcore.Tests.Formats.Flattened;

public sealed class FlattenedSinkTests
{
    [Fact]
    public void TheBytesOfASmallStream()
    {
        using var target = new MemoryStream();
        using var sink = new FlattenedSink(target, leaveOpen: true);
        Assert.Equal("STDOUT", sink.Name);
        sink.Write(8192, [1, 2, 3]);
        sink.Write(8195, [4]);
        sink.Write(0, [5]);
        sink.Complete(8196);
        byte[] bytes = target.ToArray();
        byte[] expected = new byte[4096 + 20 + 17 + 16];
        "makedumpfile"u8.CopyTo(expected);
        expected[23] = 1;
        expected[31] = 1;
        BinaryPrimitives.WriteInt64BigEndian(expected.AsSpan(4096), 8192);
        BinaryPrimitives.WriteInt64BigEndian(expected.AsSpan(4104), 4);
        ((ReadOnlySpan<byte>)[1, 2, 3, 4]).CopyTo(expected.AsSpan(4112));
        BinaryPrimitives.WriteInt64BigEndian(expected.AsSpan(4124), 1);
        expected[4132] = 5;
        expected.AsSpan(4133).Fill(0xff);
        Assert.Equal(expected, bytes);
        Assert.Equal(5, sink.BytesWritten);
    }

    [Fact]
    public void WhatIsWrittenIsReadBack() =>
        Gen.Select(Gen.Int[0, 5000], Gen.Byte.Array[0, 600]).List[0, 40].Sample(writes =>
        {
            byte[] expected = new byte[6000];
            using var target = new MemoryStream();
            using (var sink = new FlattenedSink(target))
            {
                foreach ((int offset, byte[] bytes) in writes)
                {
                    bytes.CopyTo(expected, offset);
                    sink.Write(offset, bytes);
                }

                sink.Complete(6000);
            }

            using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(target.ToArray()));
            byte[] read = new byte[6000];
            return source.Length == 6000 && !source.IsTruncated && source.Read(0, read) == 6000 && read.AsSpan().SequenceEqual(expected);
        });

    [Fact]
    public void LongWritesAreCutIntoRecordsOfAMegabyte()
    {
        byte[] bytes = new byte[(5 << 19) + 7];
        new Random(1).NextBytes(bytes);
        using var target = new MemoryStream();
        using var sink = new FlattenedSink(target);
        sink.Write(0, bytes.AsSpan(0, 100));
        sink.Write(100, bytes.AsSpan(100));
        sink.Complete(bytes.Length);
        byte[] stream = target.ToArray();
        Assert.Equal(4096 + (3 * 16) + bytes.Length + 16, stream.Length);
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(stream));
        byte[] read = new byte[bytes.Length];
        Assert.Equal(read.Length, source.Read(0, read));
        Assert.Equal(bytes, read);
    }

    [Fact]
    public void AStreamThatIsNotCompletedIsTruncated()
    {
        using var target = new MemoryStream();
        using (var sink = new FlattenedSink(target))
            sink.Write(0, new byte[2 << 20]);
        using FlattenedSource source = FlattenedSource.Open(new KdumpBytes(target.ToArray()));
        Assert.True(source.IsTruncated);
    }

    [Fact]
    public void AfterCompletionNothingIsTaken()
    {
        using var sink = new FlattenedSink(new MemoryStream());
        sink.Complete(0);
        Assert.Throws<InvalidOperationException>(() => sink.Write(0, [1]));
        Assert.Throws<InvalidOperationException>(() => sink.Complete(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => sink.Write(-1, [1]));
    }

    [Theory]
    [InlineData(28, true, "No space left on device")]
    [InlineData(122, true, "Disk quota exceeded")]
    [InlineData(32, false, "Broken pipe")]
    public void ATargetThatRefusesIsReported(int errno, bool noSpace, string reason)
    {
        using var sink = new FlattenedSink(new Refusing(errno));
        sink.Write(0, [1]);
        var error = Assert.Throws<FileAccessException>(() => sink.Complete(1));
        Assert.Equal(noSpace, error.IsNoSpace);
        Assert.Equal($"STDOUT: cannot write: {reason}", error.Message);
    }

    [Fact]
    public void APipeThatNobodyReadsIsReported()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        pipe.DisposeLocalCopyOfClientHandle();
        using FlattenedSink sink = FlattenedSink.To(new SafeFileHandle(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false), "STDOUT");
        sink.Write(0, [1]);
        var error = Assert.Throws<FileAccessException>(() => sink.Complete(1));
        Assert.Equal("STDOUT: cannot write: Broken pipe", error.Message);
    }

    [Fact]
    public void WhatFollowsInTheSameFileComesBehindTheDump()
    {
        string path = Path.GetTempFileName();
        try
        {
            using (SafeFileHandle handle = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
            {
                for (int i = 0; i < 2; i++)
                {
                    using FlattenedSink sink = FlattenedSink.To(new SafeFileHandle(handle.DangerousGetHandle(), ownsHandle: false), "STDOUT");
                    sink.Write(0, [1]);
                    sink.Complete(1);
                }
            }

            byte[] bytes = File.ReadAllBytes(path);
            Assert.Equal(2 * (4096 + 17 + 16), bytes.Length);
            Assert.Equal(bytes[..(bytes.Length / 2)], bytes[(bytes.Length / 2)..]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private sealed class Refusing(int errno) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("refused", errno);
    }
}
