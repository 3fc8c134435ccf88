using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Initramfs;

namespace Vmcore.Kdump.Tests.Initramfs;

public sealed class InitramfsImageTests
{
    private static readonly CaptureTarget s_target = new(TargetKind.FileSystem, "ext4", "UUID=1", "", "/var/crash", "/var/crash");

    [Fact]
    public void TheSameContentIsTheSameBytes()
    {
        byte[] image = Image();
        Assert.Equal(image, Image());
        Assert.Equal(GzipPacker.Pack(image), GzipPacker.Pack(Image()));
        Assert.NotEqual(image, InitramfsImage.Build("other"u8.ToArray(), "keep = 3\n", [s_target], []));
    }

    [Fact]
    public void GzipUnpacksToIt()
    {
        byte[] image = Image();
        using var gzip = new GZipStream(new MemoryStream(GzipPacker.Pack(image)), CompressionMode.Decompress);
        var unpacked = new MemoryStream();
        gzip.CopyTo(unpacked);
        Assert.Equal(image, unpacked.ToArray());
    }

    /// <summary>Every entry is where the format has it: the fields by hand, the end by its trailer.</summary>
    [Fact]
    public void TheArchiveHasWhatInitNeedsAndNobodyElseMayRead()
    {
        var entries = Entries(Image());
        Assert.Equal(
            ["dev", "dev/console", "etc", "etc/vmcore", "etc/vmcore/kdump.conf", "etc/vmcore/targets", "init", "modules", "modules/a.ko", "modules/b.ko.xz",
                "modules/order", "proc", "run", "sys", "target", "tmp"],
            [.. entries.Keys]);
        Assert.Equal("0x81ed", Hex(entries["init"].Mode));
        Assert.Equal("0x8180", Hex(entries["etc/vmcore/kdump.conf"].Mode));
        Assert.Equal("0x8180", Hex(entries["etc/vmcore/targets"].Mode));
        Assert.Equal("0x2180", Hex(entries["dev/console"].Mode));
        Assert.Equal((5u, 1u), (entries["dev/console"].Major, entries["dev/console"].Minor));
        Assert.All(entries.Where(static e => (e.Value.Mode & 0xf000) == 0x4000), static e => Assert.Equal("0x41c0", Hex(e.Value.Mode)));
        Assert.Equal("a.ko\nb.ko.xz\n", Encoding.UTF8.GetString(entries["modules/order"].Content));
        Assert.Equal("keep = 3\n", Encoding.UTF8.GetString(entries["etc/vmcore/kdump.conf"].Content));
        Assert.Equal(s_target, Assert.Single(CaptureTarget.Parse(Encoding.UTF8.GetString(entries["etc/vmcore/targets"].Content))));
    }

    /// <summary>cpio(1) lists the same, where it is installed.</summary>
    [Fact]
    public void CpioListsTheSame()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/cpio") || File.Exists("/bin/cpio"), "cpio is not installed");
        using Process cpio = Process.Start(new ProcessStartInfo("cpio", ["-t", "--quiet"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        byte[] image = Image();
        cpio.StandardInput.BaseStream.Write(image);
        cpio.StandardInput.Close();
        string[] names = cpio.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        cpio.WaitForExit();
        Assert.Equal(0, cpio.ExitCode);
        Assert.Equal([.. Entries(image).Keys], names);
    }

    [Fact]
    public void TargetsComeBackAsTheyWere()
    {
        CaptureTarget[] targets =
            [s_target, new(TargetKind.Raw, "", "UUID=2", "", "", "raw /dev/vdb1"), new(TargetKind.Console, "", "", "", "", "console"),
             s_target with { Options = "subvolid=5" }];
        Assert.Equal(targets, CaptureTarget.Parse(CaptureTarget.Write(targets)));
        Assert.Empty(CaptureTarget.Parse("Folder\t\t\t\t\t\nRaw\t\nnothing\n"));
        Assert.Throws<KdumpException>(() => CaptureTarget.Write([s_target with { Folder = "/a\tb" }]));
    }

    private static string Hex(uint value) => $"0x{value:x}";

    private static byte[] Image() => InitramfsImage.Build(
        "executable"u8.ToArray(), "keep = 3\n", [s_target], [new("a.ko", "a"u8.ToArray()), new("b.ko.xz", "bb"u8.ToArray())]);

    private static SortedDictionary<string, (uint Mode, uint Major, uint Minor, byte[] Content)> Entries(byte[] archive)
    {
        var found = new SortedDictionary<string, (uint, uint, uint, byte[])>(StringComparer.Ordinal);
        for (int at = 0; ;)
        {
            Assert.Equal("070701", Encoding.ASCII.GetString(archive, at, 6));
            uint Field(int index) => Convert.ToUInt32(Encoding.ASCII.GetString(archive, at + 6 + (index * 8), 8), 16);
            int nameSize = (int)Field(11), size = (int)Field(6);
            string name = Encoding.UTF8.GetString(archive, at + 110, nameSize - 1);
            int data = (at + 110 + nameSize + 3) & ~3;
            if (name == "TRAILER!!!")
                return found;
            Assert.Equal((0u, 0u, 0u), (Field(2), Field(3), Field(5)));
            found.Add(name, (Field(1), Field(9), Field(10), archive[data..(data + size)]));
            at = (data + size + 3) & ~3;
        }
    }
}
