using Vmcore.Kdump.Configuration;
using Vmcore.Kdump.Devices;
using Vmcore.Kdump.Initramfs;
using Vmcore.Kdump.Loading;
using Vmcore.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Loading;

public sealed class TargetResolverTests
{
    private const string Root = "21 1 254:1 / / rw shared:1 - ext4 /dev/vda1 rw\n";

    [Theory]
    [InlineData("/var/crash", "", "ext4", "", "/var/crash")]
    [InlineData("/", "", "ext4", "", "/")]
    [InlineData("/srv/dumps", "30 21 254:1 /@sub /srv rw - btrfs /dev/vda1 rw\n", "btrfs", "subvolid=5", "/@sub/dumps")]
    [InlineData("/srv", "30 21 254:1 /@sub /srv rw - btrfs /dev/vda1 rw\n", "btrfs", "subvolid=5", "/@sub")]
    [InlineData("/my dumps/x", "30 21 254:1 / /my\\040dumps rw - xfs /dev/vda1 rw\n", "xfs", "", "/x")]
    [InlineData("/srv", "30 21 0:50 / /srv rw - btrfs /dev/vda1 rw\n", "btrfs", "subvolid=5", "/")]
    [InlineData("/link/a", "30 21 254:1 / /data rw - vfat /dev/vda1 rw\n", "vfat", "", "/dumps/a")]
    [InlineData("/old", "30 21 254:1 / /old rw - ext3 /dev/vda1 rw\n", "ext4", "", "/")]
    public void AFolderIsAPlaceOnAFileSystem(string folder, string mounts, string type, string options, string inside)
    {
        using TestTree tree = Trees.WithDisk().File("/proc/self/mountinfo", Root + mounts).Link("/link", "data/x/../dumps")
            .File("/run/udev/data/b254:1", "E:ID_FS_UUID=abcd\n")
            .File("/run/udev/data/b0:50", "E:ID_FS_UUID=abcd\n");
        ResolvedTarget target = Resolve(tree, folder);
        string uuid = type == "ext4" ? Trees.Uuid : "abcd";
        Assert.Equal(new CaptureTarget(TargetKind.FileSystem, type, $"UUID={uuid}", options, inside, folder), target.Capture);
        Assert.Equal("vda1", target.Device);
    }

    [Theory]
    [InlineData("UUID=" + Trees.Uuid + " /crash", "/crash")]
    [InlineData("LABEL=root", "/")]
    [InlineData("/dev/vda1 /a/b", "/a/b")]
    [InlineData("/dev/disk/by-id/x /", "/")]
    public void ADeviceIsNamedByItsUuid(string text, string folder)
    {
        using TestTree tree = Trees.WithDisk().Link("/dev/disk/by-id/x", "../../vda1");
        ResolvedTarget target = Resolve(tree, text);
        Assert.Equal(("ext4", $"UUID={Trees.Uuid}", folder, "vda1"), (target.Capture.Type, target.Capture.Device, target.Capture.Folder, target.Device));
    }

    [Theory]
    [InlineData("/srv", "30 21 0:40 / /srv rw - nfs4 server:/x rw\n", "it is on nfs4, and dumps are saved on ext4, xfs, btrfs, vfat")]
    [InlineData("/srv", "30 21 0:41 / /srv rw - tmpfs none rw\n", "it is on tmpfs")]
    [InlineData("/srv", "30 21 253:0 / /srv rw - xfs /dev/mapper/a rw\n", "dm-0 is the device mapper (LVM, LUKS, multipath), which this")]
    [InlineData("/srv", "30 21 9:0 / /srv rw - xfs /dev/md0 rw\n", "md0 is a software RAID")]
    [InlineData("UUID=nowhere /", "", "there is no such device")]
    [InlineData("LABEL= x", "", "")]
    [InlineData("/dev/vdz /", "", "there is no such device")]
    [InlineData("/dev/vda /", "", "/dev/vda has no file system that is known")]
    [InlineData("raw /dev/vda", "", "/dev/vda is not prepared")]
    [InlineData("raw UUID=" + Trees.Uuid, "", "there is no such device")]
    public void WhatCannotBeReachedIsRefused(string text, string mounts, string expected)
    {
        using TestTree tree = Trees.WithDisk().File("/proc/self/mountinfo", Root + mounts)
            .Link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0").Link("/sys/dev/block/9:0", "../../devices/virtual/block/md0");
        if (expected.Length == 0)
            Assert.Null(KdumpTarget.Parse(text, out _));
        else
            Assert.Contains(expected, Assert.Throws<KdumpException>(() => Resolve(tree, text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARawPartitionIsNamedByItsArea()
    {
        using TestTree tree = Trees.WithDisk();
        using (FileStream grown = File.OpenWrite($"{tree.Root}/dev/vda"))
            grown.SetLength(RawArea.SmallestDevice);
        new RawArea(Trees.Uuid, "empty").Write($"{tree.Root}/dev/vda", []);
        Assert.Equal($"UUID={Trees.Uuid}", Resolve(tree, "raw /dev/vda").Capture.Device);
        Assert.Equal("vda", Resolve(tree, $"raw UUID={Trees.Uuid}").Device);
    }

    private static ResolvedTarget Resolve(TestTree tree, string text)
    {
        KdumpTarget target = KdumpTarget.Parse(text, out _) ?? new(TargetKind.Folder, "", text);
        return new TargetResolver(new SystemRoot(tree.Root)).Resolve(target);
    }
}
