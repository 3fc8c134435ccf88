using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class BlockDevicesTests
{
    [Theory]
    [InlineData("/dev/pmem0p1", "pmem0p1,pmem0")]
    [InlineData("/var/crash", "dm-0,pmem0p1,pmem0")]
    [InlineData("/var/crash/today", "dm-0,pmem0p1,pmem0")]
    [InlineData("/var/crashed", "vda1,vda")]
    [InlineData("/srv", "pmem0p1,pmem0")]
    [InlineData("UUID=aaaa", "pmem0p1,pmem0")]
    [InlineData("LABEL=gone", "gone")]
    [InlineData("server:/export", "")]
    [InlineData("pmem0p1", "pmem0p1,pmem0")]
    [InlineData("dax0.1", "dax0.1")]
    [InlineData("crash", "")]
    [InlineData("..", "")]
    [InlineData("../dev/pmem0", "")]
    public void Resolves(string target, string expected)
    {
        using var tree = new TestTree();
        tree.Link("/sys/class/block/pmem0p1", "../../devices/pci/ndbus0/region0/pfn0.0/block/pmem0/pmem0p1")
            .File("/sys/devices/pci/ndbus0/region0/pfn0.0/block/pmem0/pmem0p1/partition", "1\n")
            .Link("/sys/class/block/vda1", "../../devices/pci/virtio0/block/vda/vda1")
            .File("/sys/devices/pci/virtio0/block/vda/vda1/partition", "1\n")
            .File("/sys/class/block/dm-0/slaves/pmem0p1/x", "")
            .Link("/sys/dev/block/253:0", "../../devices/virtual/block/dm-0")
            .Link("/sys/dev/block/254:1", "../../devices/pci/virtio0/block/vda/vda1")
            .File("/sys/bus/dax/devices/dax0.1/size", "0")
            .Link("/dev/disk/by-uuid/aaaa", "../../pmem0p1")
            .File("/proc/self/mountinfo", "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                + "22 21 253:0 / /var/crash rw shared:1 - xfs /dev/mapper/a-b rw\n23 21 0:40 / /srv rw - btrfs /dev/pmem0p1 rw\n");
        Assert.Equal(expected, string.Join(',', BlockDevices.Resolve(tree.Root, target)));
    }

    [Theory]
    [InlineData("quiet root=/dev/a root=\"UUID=x y\"", "UUID=x y")]
    [InlineData("quiet", null)]
    public void LastRootCounts(string line, string? expected) => Assert.Equal(expected, BlockDevices.RootOf(line));
}
