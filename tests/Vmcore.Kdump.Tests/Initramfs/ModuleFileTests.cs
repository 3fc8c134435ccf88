using System.IO.Compression;
using Vmcore.Kdump.Initramfs;
using Vmcore.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Initramfs;

public sealed class ModuleFileTests
{
    private static readonly byte[] s_module = [.. Enumerable.Range(0, 50_000).Select(static i => (byte)(i / 7))];

    [Fact]
    public void APlainModuleIsTakenAsItIs()
    {
        using TestTree tree = new TestTree().Bytes("/m/a.ko", s_module);
        ModuleFile module = ModuleFile.Read(new SystemRoot(tree.Root), "/m/a.ko");
        Assert.Equal("a.ko", module.Name);
        Assert.Equal(s_module, module.Content.ToArray());
    }

    [Fact]
    public void GzipIsUnpackedUnlessTheKernelDoesIt()
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(s_module);
        using TestTree tree = new TestTree().Bytes("/m/a.ko.gz", packed.ToArray());
        var root = new SystemRoot(tree.Root);
        ModuleFile module = ModuleFile.Read(root, "/m/a.ko.gz");
        Assert.Equal("a.ko", module.Name);
        Assert.Equal(s_module, module.Content.ToArray());
        tree.File("/sys/module/compression", "gzip\n");
        Assert.Equal("a.ko.gz", ModuleFile.Read(root, "/m/a.ko.gz").Name);
        tree.Delete("/sys/module/compression").Bytes("/m/a.ko.gz", packed.ToArray()[..100]);
        Assert.Contains("/m/a.ko.gz is damaged", Assert.Throws<KdumpException>(() => ModuleFile.Read(root, "/m/a.ko.gz")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void XzIsForTheKernelOnly()
    {
        using TestTree tree = new TestTree().Bytes("/m/a.ko.xz", s_module);
        var root = new SystemRoot(tree.Root);
        Assert.Contains("CONFIG_MODULE_DECOMPRESS", Assert.Throws<KdumpException>(() => ModuleFile.Read(root, "/m/a.ko.xz")).Message, StringComparison.Ordinal);
        tree.File("/sys/module/compression", "xz\n");
        Assert.Equal(("a.ko.xz", s_module.Length), (ModuleFile.Read(root, "/m/a.ko.xz").Name, ModuleFile.Read(root, "/m/a.ko.xz").Content.Length));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    [InlineData(40)]
    public void DamagedZstdIsNamed(int length)
    {
        using TestTree tree = new TestTree().Bytes("/m/a.ko.zst", [.. new byte[] { 0x28, 0xb5, 0x2f, 0xfd, 0x60 }, .. new byte[length]]);
        var root = new SystemRoot(tree.Root);
        Assert.Contains("damaged", Assert.Throws<KdumpException>(() => ModuleFile.Read(root, "/m/a.ko.zst")).Message, StringComparison.Ordinal);
    }
}
