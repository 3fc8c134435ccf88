using System.Buffers.Binary;
using Vmcore.Compression;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.Arm64;

public sealed class Arm64ImageTests
{
    [Fact]
    public void AnImageIsRead()
    {
        KernelImage kernel = KernelFile.Parse("vmlinuz", FakeKernel.Arm64Image());
        Assert.Equal(("aarch64", "Image", true), (kernel.Machine, kernel.Form, kernel.IsPlainFile));
        Assert.Equal(FakeKernel.Release, kernel.Release);
        Assert.Equal("4K pages, text_offset 0x0", kernel.Details);
        Assert.Equal(0x200000ul, kernel.InitSize);
        Assert.Equal(1 << 20, kernel.Loaded.Length);
        Assert.Equal(2047, kernel.CommandLineLimit);
    }

    public static TheoryData<string, byte[], string> Wrapped()
    {
        byte[] image = FakeKernel.Arm64Image();
        byte[] gzip = FakeKernel.Gzip(image);
        byte[] zstd = Zstd(image);
        return new()
        {
            { "Image.gz", gzip, "" },
            { "zboot", FakeKernel.Zboot(gzip, "gzip"), "" },
            { "zboot", FakeKernel.Zboot(zstd, "zstd22", image.Length), "" },
            { "UKI", FakeKernel.Pe((".linux", image), (".initrd", [1, 2, 3])), "010203" },
            { "UKI", FakeKernel.Pe((".linux", gzip), (".initrd", [1, 2, 3])), "010203" },
            { "UKI", FakeKernel.Pe((".linux", FakeKernel.Zboot(zstd, "zstd22", image.Length)), (".initrd", [1, 2, 3])), "010203" },
        };
    }

    [Theory]
    [MemberData(nameof(Wrapped))]
    public void WhatIsCompressedOrWrappedIsUnpacked(string form, byte[] file, string initrd)
    {
        KernelImage kernel = KernelFile.Parse("thing", file);
        Assert.Equal(form, kernel.Form);
        Assert.False(kernel.IsPlainFile);
        Assert.Equal(FakeKernel.Arm64Image(), kernel.Image.ToArray());
        Assert.Equal(initrd, Convert.ToHexString(kernel.EmbeddedInitrd.Span));
    }

    public static TheoryData<string, byte[]> Faulty()
    {
        byte[] image = FakeKernel.Arm64Image();
        byte[] zstd = Zstd(image);
        byte[] damaged = (byte[])zstd.Clone();
        damaged[1] ^= 0xff;
        byte[] cut = FakeKernel.Pe((".text", new byte[4096]), (".data", image));
        "ARM\x64"u8.CopyTo(cut.AsSpan(56));
        BinaryPrimitives.WriteUInt64LittleEndian(cut.AsSpan(16), 0x200000);
        BinaryPrimitives.WriteInt64LittleEndian(cut.AsSpan(24), 0xa);
        BinaryPrimitives.WriteInt64LittleEndian(cut.AsSpan(8), 0);
        return new()
        {
            { "big-endian", FakeKernel.Arm64Image(flags: 0xb) },
            { "before 3.17", FakeKernel.Arm64Image(imageSize: 0) },
            { "image_size 0x80000000 makes no sense", FakeKernel.Arm64Image(imageSize: 0x80000000) },
            { "text_offset 0x200000 makes no sense", FakeKernel.Arm64Image(textOffset: 0x200000) },
            { "text_offset 0x1234 makes no sense", FakeKernel.Arm64Image(textOffset: 0x1234) },
            { "compressed by xzkern", FakeKernel.Zboot(zstd, "xzkern", image.Length) },
            { "zstd data are damaged", FakeKernel.Zboot(damaged, "zstd22", image.Length) },
            { "zstd data are damaged", FakeKernel.Zboot(zstd, "zstd22", image.Length - 1) },
            { "says that its kernel has 0 bytes", FakeKernel.Zboot(zstd, "zstd22", 0) },
            { "says that its kernel has 2147483647 bytes", FakeKernel.Zboot(zstd, "zstd22", int.MaxValue) },
            { "it is truncated", cut[..^5000] },
            { "not a Linux kernel", FakeKernel.Zboot(FakeKernel.Gzip(new byte[100_000]), "gzip") },
        };
    }

    [Theory]
    [MemberData(nameof(Faulty))]
    public void WhatCannotBeLoadedIsRefusedWithTheReason(string reason, byte[] file)
    {
        KexecException e = Assert.Throws<KexecException>(() => KernelFile.Parse("thing", file, Platform.Of("aarch64")));
        Assert.StartsWith("Cannot load thing: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheAdviceIsThatOfTheMachine()
    {
        Assert.Contains("give an Image,", Assert.Throws<KexecException>(() => KernelFile.Parse("t", new byte[10], Platform.Of("aarch64"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("give a bzImage or an Image,", Assert.Throws<KexecException>(() => KernelFile.Parse("t", new byte[10])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedBytesNeverEndInAnotherException()
    {
        var random = new Random(1);
        byte[] image = FakeKernel.Arm64Image()[..0x9000];
        byte[] zstd = Zstd(image);
        byte[][] good = [image, FakeKernel.Pe((".linux", image)), FakeKernel.Zboot(zstd, "zstd22", image.Length),
            FakeKernel.Zboot(FakeKernel.Gzip(image), "gzip")];
        for (int i = 0; i < 4000; i++)
        {
            byte[] file = (byte[])good[i % 4].Clone();
            for (int j = 0; j < 4; j++)
                file[random.Next(j < 2 ? 0x200 : file.Length)] = (byte)random.Next(256);
            try
            {
                KernelImage kernel = KernelFile.Parse("thing", file.AsMemory(0, i % 2 == 0 ? file.Length : random.Next(file.Length)));
                _ = (kernel.Release, kernel.Loaded.Length, kernel.Details);
            }
            catch (KexecException e)
            {
                Assert.Contains("thing", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static unsafe byte[] Zstd(byte[] content)
    {
        byte[] frame = new byte[content.Length + 1024];
        using LibZstd.CompressionContext context = LibZstd.CreateCompressionContext();
        fixed (byte* input = content, output = frame)
            return frame[..(int)LibZstd.Compress(context, output, (nuint)frame.Length, input, (nuint)content.Length, 3)];
    }
}
