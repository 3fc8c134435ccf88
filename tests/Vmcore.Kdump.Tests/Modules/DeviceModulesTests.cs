using Vmcore.Kdump.Modules;
using Vmcore.Kexec;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests.Modules;

public sealed class DeviceModulesTests
{
    [Fact]
    public void ADisksDriversComeOutermostFirstAndEachBehindWhatItNeeds()
    {
        using TestTree tree = Trees.WithDisk();
        Assert.Equal(
            ["virtio_pci_legacy_dev", "virtio", "virtio_ring", "virtio_pci", "virtio_blk"], Of(tree, "/sys/class/block/vda1"));
    }

    /// <summary>A driver that is built in has no module, and what it is bound to needs none.</summary>
    [Fact]
    public void ABoundDriverCountsMoreThanTheAlias()
    {
        using TestTree tree = Trees.WithDisk().Delete("/sys/bus/pci/drivers/virtio-pci/module");
        Assert.Equal(["virtio", "virtio_ring", "virtio_blk"], Of(tree, "/sys/class/block/vda1"));
    }

    [Fact]
    public void WithoutLinksTheAliasesSayIt()
    {
        using TestTree tree = Trees.WithDisk().Delete("/sys/devices/pci0000:00/0000:00:04.0/driver")
            .Delete("/sys/devices/pci0000:00/0000:00:04.0/virtio1/driver");
        Assert.Equal(["virtio_pci_legacy_dev", "virtio", "virtio_ring", "virtio_pci", "virtio_blk"], Of(tree, "/sys/class/block/vda1"));
    }

    [Fact]
    public void ADiskWithSeveralPathsLeadsToItsControllers()
    {
        using TestTree tree = new TestTree().Modules()
            .Link("/sys/class/block/nvme0n1", "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1")
            .File("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/size", "1")
            .Link("/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", "../../../pci0/0000:01:00.0/nvme/nvme0")
            .File("/sys/devices/pci0/0000:01:00.0/nvme/nvme0/x", "")
            .Link("/sys/devices/pci0/0000:01:00.0/driver", "../../../bus/pci/drivers/nvme")
            .Link("/sys/bus/pci/drivers/nvme/module", "../../../../module/wdt");
        Assert.Equal(["wdt"], Of(tree, "/sys/class/block/nvme0n1"));
    }

    [Fact]
    public void WishesAreLoadedBeforeWhoHasThem()
    {
        using var tree = new TestTree();
        var modules = new ModuleSet(ModuleIndex.TryRead(new SystemRoot(tree.Modules().Root), Trees.Release));
        Assert.True(modules.AddAlias("fs-ext4"));
        Assert.Equal(["jbd2", "crc16", "mbcache", "crc32c_generic", "ext4"], [.. modules.Order]);
        Assert.True(modules.Add("ahci"), "it is built in");
        Assert.False(modules.Add("nothing"));
        Assert.Equal(5, modules.Order.Count);
    }

    [Fact]
    public void CirclesInTheListsEnd()
    {
        using var tree = new TestTree();
        tree.File($"/lib/modules/{Trees.Release}/modules.dep", "a.ko: b.ko\nb.ko: a.ko\n")
            .File($"/lib/modules/{Trees.Release}/modules.softdep", "softdep b pre: a\n");
        var modules = new ModuleSet(ModuleIndex.TryRead(new SystemRoot(tree.Root), Trees.Release));
        Assert.True(modules.Add("a"));
        Assert.Equal(["b", "a"], [.. modules.Order]);
    }

    private static string[] Of(TestTree tree, string link)
    {
        var root = new SystemRoot(tree.Root);
        var modules = new ModuleSet(ModuleIndex.TryRead(root, Trees.Release));
        DeviceModules.Add(root, link, modules);
        return [.. modules.Order];
    }
}
