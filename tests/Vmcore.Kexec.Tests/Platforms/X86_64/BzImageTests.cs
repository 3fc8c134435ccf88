using System.Buffers.Binary;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.X86_64;

public sealed class BzImageTests
{
    [Fact]
    public void ABzimageIsRead()
    {
        var kernel = (BzImage)KernelFile.Parse("vmlinuz", FakeKernel.BzImage());
        Assert.True(kernel.IsPlainFile);
        Assert.Equal(FakeKernel.Release, kernel.Release);
        Assert.Equal(0x20f, kernel.ProtocolVersion);
        Assert.Equal(1536, kernel.SetupSize);
        Assert.Equal(65536, kernel.Loaded.Length);
        Assert.Equal(0x200000ul, kernel.InitSize);
        Assert.Equal(0x26c - 0x1f1, kernel.SetupHeader.Length);
        Assert.Equal(2047, kernel.CommandLineLimit);
    }

    [Fact]
    public void ACompressedOneIsUnpacked()
    {
        KernelImage kernel = KernelFile.Parse("vmlinuz.gz", FakeKernel.Gzip(FakeKernel.BzImage()));
        Assert.Equal("bzImage.gz", kernel.Form);
        Assert.False(kernel.IsPlainFile);
        Assert.Equal(FakeKernel.BzImage(), kernel.Image.ToArray());
    }

    [Fact]
    public void AUnifiedImageGivesKernelAndInitramfs()
    {
        byte[] initrd = [1, 2, 3, 4, 5];
        KernelImage kernel = KernelFile.Parse("uki.efi", FakeKernel.Pe((".osrel", [9]), (".linux", FakeKernel.BzImage()), (".initrd", initrd)));
        Assert.Equal("UKI", kernel.Form);
        Assert.Equal(FakeKernel.BzImage(), kernel.Image.ToArray());
        Assert.Equal(initrd, kernel.EmbeddedInitrd.ToArray());
    }

    public static TheoryData<string, string> Bad => new()
    {
        { "empty", "not a Linux kernel" },
        { "elf", "vmlinux" },
        { "pe", "not a Linux kernel" },
        { "old", "older than 0x20c" },
        { "low", "zImage" },
        { "32", "32-bit" },
        { "init_size", "init_size" },
        { "alignment", "alignment" },
        { "setup", "setup header" },
        { "gzip", "gzip data are damaged" },
        { "preferred", "preferred address" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void WhatIsNoKernelIsRefusedInASentence(string kind, string expected)
    {
        byte[] image = FakeKernel.BzImage();
        switch (kind)
        {
            case "empty": image = []; break;
            case "elf": image = [0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1]; break;
            case "pe": image = FakeKernel.Pe((".text", [1])); break;
            case "old": image[0x206] = 0x0b; break;
            case "low": image[0x211] = 0; break;
            case "32": image[0x236] = 0; break;
            case "init_size": BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x260), uint.MaxValue); break;
            case "alignment": BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x230), 0x300000); break;
            case "setup": image[0x1f1] = 255; break;
            case "gzip": image = FakeKernel.Gzip(image)[..100]; image[50] ^= 0xff; image[20] ^= 0xff; break;
            case "preferred": image[0x25f] = 0xff; break;
            default: Assert.Fail(kind); break;
        }

        KexecException e = Assert.Throws<KexecException>(() => KernelFile.Parse("thing", image));
        Assert.Contains("thing", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Equal(255, e.ExitStatus);
    }

    [Fact]
    public void ATruncatedKernelIsRefused()
    {
        byte[] image = FakeKernel.BzImage();
        // Debian's kernels have exactly this many; a signed one has more.
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(0x1f4), 65536 / 16);
        Assert.Equal(65536, KernelFile.Parse("thing", image).Loaded.Length);
        Assert.Equal(65546, KernelFile.Parse("thing", (byte[])[.. image, .. new byte[10]]).Loaded.Length);
        KexecException e = Assert.Throws<KexecException>(() => KernelFile.Parse("thing", image[..^1]));
        Assert.Equal("Cannot load thing: it is truncated, 67071 bytes of 67072; copy the kernel again.", e.Message);
        byte[] zip = FakeKernel.Gzip(image);
        Assert.Contains("truncated", Assert.Throws<KexecException>(() => KernelFile.Parse("thing", zip[..(zip.Length / 2)])).Message, StringComparison.Ordinal);
        Assert.Contains("truncated", Assert.Throws<KexecException>(() => KernelFile.Parse("thing", FakeKernel.Pe((".linux", image[..40000])))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void WhatUnpacksToSomethingElseIsNotUnpackedFurther()
    {
        byte[] zip = FakeKernel.Gzip(new byte[64 << 20]);
        KexecException e = Assert.Throws<KexecException>(() => KernelFile.Parse("thing", zip));
        Assert.Contains("not a Linux kernel", e.Message, StringComparison.Ordinal);
        Assert.Contains("vmlinux", Assert.Throws<KexecException>(
            () => KernelFile.Parse("thing", FakeKernel.Gzip([0x7f, (byte)'E', (byte)'L', (byte)'F', .. new byte[4 << 20]]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedBytesNeverEndInAnotherException()
    {
        var random = new Random(1);
        byte[][] good = [FakeKernel.BzImage(), FakeKernel.Pe((".linux", FakeKernel.BzImage())), FakeKernel.Gzip(FakeKernel.BzImage())];
        for (int i = 0; i < 3000; i++)
        {
            byte[] image = (byte[])good[i % 3].Clone();
            for (int j = 0; j < 4; j++)
                image[random.Next(Math.Min(image.Length, 0x600))] = (byte)random.Next(256);
            try
            {
                var kernel = (BzImage)KernelFile.Parse("thing", image[..random.Next(image.Length)]);
                _ = (kernel.Release, kernel.Loaded.Length, kernel.SetupHeader.Length);
            }
            catch (KexecException e)
            {
                Assert.Contains("thing", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void AFileThatIsNotThereIsRefused()
    {
        KexecException e = Assert.Throws<KexecException>(() => KernelFile.Open("/nonexistent/vmlinuz"));
        Assert.Equal("Cannot read the kernel /nonexistent/vmlinuz: there is no such file.", e.Message);
        Assert.Equal(1, e.ExitStatus);
        Assert.Equal("Cannot read the kernel : there is no such file.", Assert.Throws<KexecException>(() => KernelFile.Open("")).Message);
        Assert.Equal("Cannot read the initramfs /dev/zero: it is a device.",
            Assert.Throws<KexecException>(() => KernelFile.ReadInitramfs("/dev/zero")).Message);
        string large = Path.GetTempFileName();
        using (FileStream sparse = File.OpenWrite(large))
            sparse.SetLength(3L << 30);
        Assert.Contains("longer than 1 GiB", Assert.Throws<KexecException>(() => KernelFile.ReadInitramfs(large)).Message, StringComparison.Ordinal);
        File.Delete(large);
        Assert.Equal("Cannot read the kernel /: it is a directory.", Assert.Throws<KexecException>(() => KernelFile.Open("/")).Message);
    }
}
