using System.Buffers.Binary;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Images;

public sealed class InitramfsSizeTests
{
    [Fact]
    public void NothingTakesNothing() => Assert.Equal(new(0, false), InitramfsSize.Measure(default));

    [Fact]
    public void APlainArchiveTakesItsLength()
    {
        byte[] cpio = FakeKernel.Cpio(100_000);
        Assert.Equal(new((ulong)cpio.Length, false), InitramfsSize.Measure(cpio));
    }

    [Fact]
    public void MicrocodeInFrontAndGzipBehindAddUp()
    {
        byte[] early = FakeKernel.Cpio(5000), main = FakeKernel.Cpio(3_000_000);
        byte[] both = [.. early, .. new byte[512 - (early.Length % 512)], .. FakeKernel.Gzip(main)];
        Assert.Equal(new((ulong)(early.Length + main.Length), false), InitramfsSize.Measure(both));
    }

    [Fact]
    public void GzipSaysItsSizeAtItsEndAndIsUnpackedIfThatCannotBe()
    {
        byte[] small = FakeKernel.Cpio(100), both = [.. FakeKernel.Gzip(FakeKernel.Cpio(2_000_000)), .. FakeKernel.Gzip(small)];
        Assert.Equal(new((ulong)(FakeKernel.Cpio(2_000_000).Length + small.Length), false), InitramfsSize.Measure(both));
        byte[] padded = [.. FakeKernel.Gzip(FakeKernel.Cpio(30_000)), .. new byte[100]];
        Assert.Equal(new((ulong)FakeKernel.Cpio(30_000).Length, false), InitramfsSize.Measure(padded));
        byte[] claimed = [0x1f, 0x8b, 8, 0, .. new byte[996], 0, 0x10, 0, 0];
        Assert.Equal(new(4096, false), InitramfsSize.Measure(claimed));
    }

    [Fact]
    public void XzSaysItsSizeInTheIndex()
    {
        // Index: indicator, 2 records of {unpadded size, uncompressed size}, padding; then CRC, footer.
        byte[] index = [0, 2, 0x80, 0x01, 0x80, 0x80, 0x40, 0x80, 0x01, 0x80, 0x80, 0x40, 1, 2, 3, 4];
        byte[] footer = new byte[12];
        BinaryPrimitives.WriteInt32LittleEndian(footer.AsSpan(4), (index.Length / 4) - 1);
        "YZ"u8.CopyTo(footer.AsSpan(10));
        byte[] xz = [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, .. new byte[4096], .. index, .. footer];
        Assert.Equal(new(2 << 20, false), InitramfsSize.Measure(xz));
    }

    [Fact]
    public void ZstdSaysItsSizeInTheFrameHeader()
    {
        byte[] zstd = new byte[20000];
        BinaryPrimitives.WriteUInt32LittleEndian(zstd, 0xfd2fb528);
        zstd[4] = 0xa0;
        BinaryPrimitives.WriteUInt32LittleEndian(zstd.AsSpan(5), 5_000_000);
        Assert.Equal(new(5_000_000, false), InitramfsSize.Measure(zstd));
        zstd[4] = 0x00;
        Assert.Equal(new(80_000, true), InitramfsSize.Measure(zstd));
    }

    [Fact]
    public void Lz4CountsBlocksOf8MiB()
    {
        byte[] lz4 = new byte[4 + (2 * (4 + 30000))];
        BinaryPrimitives.WriteUInt32LittleEndian(lz4, 0x184c2102);
        BinaryPrimitives.WriteUInt32LittleEndian(lz4.AsSpan(4), 30000);
        BinaryPrimitives.WriteUInt32LittleEndian(lz4.AsSpan(4 + 4 + 30000), 30000);
        Assert.Equal(new(16 << 20, false), InitramfsSize.Measure(lz4));
    }

    [Fact]
    public void AnythingElseIsEstimatedAndSaidSo()
    {
        byte[] unknown = new byte[1000];
        unknown.AsSpan().Fill(0x5a);
        Assert.Equal(new(4000, true), InitramfsSize.Measure(unknown));
    }

    [Fact]
    public void ADamagedArchiveIsNeverTakenForMoreThanAMachineHas()
    {
        var random = new Random(3);
        byte[][] good = [FakeKernel.Cpio(1000), FakeKernel.Gzip(FakeKernel.Cpio(100_000)),
            [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, .. new byte[100], (byte)'Y', (byte)'Z'], [0x28, 0xb5, 0x2f, 0xfd, .. new byte[20]]];
        for (int i = 0; i < 4000; i++)
        {
            byte[] bytes = (byte[])good[i % 4].Clone();
            for (int j = 0; j < 3; j++)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            InitramfsSize size = InitramfsSize.Measure(bytes.AsMemory(0, random.Next(bytes.Length + 1)));
            Assert.InRange(size.Bytes, 0ul, 1ul << 37);
        }
    }
}
