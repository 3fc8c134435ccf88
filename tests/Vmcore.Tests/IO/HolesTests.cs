using CsCheck;
using Vmcore.IO;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.IO;

/// <summary>What is zero need not be written, where a gap reads as zero; everywhere else it must be.</summary>
public sealed class HolesTests
{
    /// <summary>Runs of zero and of something else, written in pieces of any size: the file reads the same with and without holes.</summary>
    [Fact]
    public void AFileWithHolesReadsTheSame()
    {
        Gen<byte[]> run = Gen.Select(Gen.Int[1, 3 * Holes.BlockBytes], Gen.Byte[0, 2],
            static (length, value) => Enumerable.Repeat((byte)(value == 2 ? 7 : 0), length).ToArray());
        Gen.Select(run.Array[1, 12], Gen.Int[1, 100_000], Gen.Int[0, 40_000]).Sample(static (runs, step, start) =>
        {
            byte[] bytes = [.. runs.SelectMany(r => r)];
            using var file = new StaleSink(gapsReadAsZero: true, start + bytes.Length);
            using var device = new StaleSink(gapsReadAsZero: false, start + bytes.Length);
            int leftOut = 0;
            for (int at = 0; at < bytes.Length; at += step)
            {
                ReadOnlySpan<byte> piece = bytes.AsSpan(at, Math.Min(step, bytes.Length - at));
                leftOut += Holes.Write(file, start + at, piece, written: 0);
                Assert.Equal(0, Holes.Write(device, start + at, piece, written: 0));
            }

            Assert.Equal(bytes.Length - leftOut, file.BytesWritten);
            Assert.True(bytes.AsSpan().SequenceEqual(file.Bytes[start..]));
            Assert.True(bytes.AsSpan().SequenceEqual(device.Bytes[start..]));
        });
    }

    [Fact]
    public void OnlyWholeBlocksBeyondWhatIsWrittenAreLeftOut()
    {
        byte[] zero = new byte[4 * Holes.BlockBytes];
        using var file = new StaleSink(gapsReadAsZero: true, zero.Length + 100);
        Assert.Equal(zero.Length, Holes.Write(file, 0, zero, written: 0));
        Assert.Equal(2 * Holes.BlockBytes, Holes.Write(file, 0, zero, written: 2 * Holes.BlockBytes));
        // The first and the last piece are no whole blocks, but have nothing else in them.
        Assert.Equal(zero.Length, Holes.Write(file, 100, zero, written: 0));
        zero[Holes.BlockBytes] = 1;
        Assert.Equal(3 * Holes.BlockBytes, Holes.Write(file, 0, zero, written: 0));
    }

    [Fact]
    public void ANewFileHasGapsOfZeroAndADeviceHasNot()
    {
        string path = Path.GetTempFileName();
        try
        {
            using (FileSink file = FileSink.Create(path, overwrite: true))
                Assert.True(file.GapsReadAsZero);
            using FileSink device = FileSink.Create("/dev/null", overwrite: true);
            Assert.False(device.GapsReadAsZero);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
