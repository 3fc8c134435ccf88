using System.Buffers.Binary;
using System.Text;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kdump.Tests;

/// <summary>Systems made up as files: sysfs, lists of modules, superblocks.</summary>
internal static class Trees
{
    internal const string Release = "6.12.0-test";
    internal const string Uuid = "11111111-2222-3333-4444-555555555555";
    internal const string Disk = "/sys/devices/pci0000:00/0000:00:04.0/virtio1/block/vda";

    /// <summary>A machine with a virtio disk whose first partition is ext4 and is the root; modules as Debian's kernels have them.</summary>
    internal static TestTree WithDisk(TestTree? tree = null) => (tree ?? new TestTree())
        .File("/proc/sys/kernel/osrelease", Release + "\n")
        .File("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=x ro quiet console=ttyS0 crashkernel=256M systemd.unit=a.target -- single\n")
        .File("/proc/self/mountinfo", "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        .File("/proc/modules", "ext4 1 0 - Live 0x0\n")
        .File("/proc/filesystems", "nodev\tproc\n\text4\n")
        .Link("/sys/class/block/vda", "../.." + Disk["/sys".Length..])
        .Link("/sys/class/block/vda1", "../.." + Disk["/sys".Length..] + "/vda1")
        .Link("/sys/dev/block/254:1", "../.." + Disk["/sys".Length..] + "/vda1")
        .File(Disk + "/vda1/partition", "1\n")
        .File("/sys/devices/pci0000:00/0000:00:04.0/modalias", "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00\n")
        .Link("/sys/devices/pci0000:00/0000:00:04.0/driver", "../../../bus/pci/drivers/virtio-pci")
        .Link("/sys/bus/pci/drivers/virtio-pci/module", "../../../../module/virtio_pci")
        .File("/sys/devices/pci0000:00/0000:00:04.0/virtio1/modalias", "virtio:d00000002v00001AF4\n")
        .Link("/sys/devices/pci0000:00/0000:00:04.0/virtio1/driver", "../../../../bus/virtio/drivers/virtio_blk")
        .Link("/sys/bus/virtio/drivers/virtio_blk/module", "../../../../module/virtio_blk")
        .Bytes("/dev/vda", new byte[2048])
        .Bytes("/dev/vda1", Ext4(Uuid, "root"))
        .Modules();

    internal static TestTree Modules(this TestTree tree)
    {
        string folder = $"/lib/modules/{Release}";
        string[] files =
        [
            "drivers/virtio/virtio.ko", "drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio_pci_legacy_dev.ko", "drivers/virtio/virtio_pci.ko",
            "drivers/block/virtio_blk.ko", "lib/crc16.ko", "fs/mbcache.ko", "fs/jbd2/jbd2.ko", "fs/ext4/ext4.ko", "crypto/crc32c_generic.ko",
            "arch/crypto/crc32c-fast.ko", "fs/fat/fat.ko", "fs/fat/vfat.ko", "fs/nls/nls_cp437.ko", "drivers/watchdog/wdt.ko",
        ];
        foreach (string file in files)
            tree.File($"{folder}/kernel/{file}", $"module {file}");
        return tree.File($"{folder}/modules.dep", """
            kernel/drivers/virtio/virtio.ko:
            kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
            kernel/drivers/virtio/virtio_pci_legacy_dev.ko:
            kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_legacy_dev.ko kernel/drivers/virtio/virtio_ring.ko
            kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
            kernel/lib/crc16.ko:
            kernel/fs/mbcache.ko:
            kernel/fs/jbd2/jbd2.ko:
            kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/lib/crc16.ko kernel/fs/mbcache.ko
            kernel/crypto/crc32c_generic.ko:
            kernel/arch/crypto/crc32c-fast.ko:
            kernel/fs/fat/fat.ko:
            kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko
            kernel/fs/nls/nls_cp437.ko:
            kernel/drivers/watchdog/wdt.ko:
            """)
            .File($"{folder}/modules.builtin", "kernel/drivers/ata/ahci.ko\n")
            .File($"{folder}/modules.softdep", "# Soft dependencies\nsoftdep ext4 pre: crc32c\n")
            .File($"{folder}/modules.alias", """
                # Aliases
                alias virtio:d00000002v* virtio_blk
                alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
                alias fs-ext4 ext4
                alias crc32c crc32c_generic
                alias crypto-crc32c crc32c_generic
                alias crypto-crc32c crc32c_fast
                alias fs-vfat vfat
                """);
    }

    /// <summary>The beginning of an ext4.</summary>
    internal static byte[] Ext4(string uuid, string label)
    {
        byte[] head = new byte[4096];
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(1024 + 0x38), 0xef53);
        Guid.Parse(uuid).TryWriteBytes(head.AsSpan(1024 + 0x68), bigEndian: true, out _);
        Encoding.UTF8.GetBytes(label).CopyTo(head, 1024 + 0x78);
        return head;
    }
}
