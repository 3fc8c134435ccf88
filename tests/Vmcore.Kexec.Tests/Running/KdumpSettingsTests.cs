using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class KdumpSettingsTests
{
    [Theory]
    [InlineData("/etc/kdump.conf", "auto_reset_crashkernel yes\npath /var/crash\n", "/var/crash")]
    [InlineData("/etc/kdump.conf", "#raw /dev/x\n", "/var/crash")]
    [InlineData("/etc/kdump.conf", "ext4 \"UUID=aaaa\" # ours\npath /dumps\n", "UUID=aaaa")]
    [InlineData("/etc/kdump.conf", "raw /dev/pmem0\nraw /dev/pmem0p1\n", "/dev/pmem0p1")]
    [InlineData("/etc/kdump.conf", "nfs server:/export\npath /var/crash\n", "")]
    [InlineData("/etc/kdump.conf", "ssh root@server\n", "")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=\"/srv/crash\"\n", "/srv/crash")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR='file:///srv'\n", "/srv")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=ssh://root@server/x\n", "")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_DUMPLEVEL=31\n#KDUMP_SAVEDIR=\"/srv\"\n", "/var/crash")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=\"\"\n", "/var/crash")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=\"/srv\"\nKDUMP_TRANSFER=\"/usr/local/bin/send\"\n", "")]
    [InlineData("/etc/sysconfig/kdump", "KDUMP_KERNELVER=\"\"\nKDUMP_COMMANDLINE_APPEND=\"irqpoll\"\n", "")]
    [InlineData("/etc/sysconfig/kdump", "KEXEC_ARGS=\"-s\"\n", "")] // Fedora's file of this name
    [InlineData("/etc/default/kdump-tools", "USE_KDUMP=1\nKDUMP_COREDIR=\"/mnt/pmem\" # here\n#NFS=\"x:/y\"\n", "/mnt/pmem")]
    [InlineData("/etc/default/kdump-tools", "USE_KDUMP=1\n", "/var/crash")]
    [InlineData("/etc/default/kdump-tools", "NFS=server:/x\nKDUMP_COREDIR=/var/crash\n", "")]
    public void ATargetIsFound(string file, string content, string expected)
    {
        using TestTree tree = new TestTree().File(file, content);
        Assert.Equal(expected, string.Join(',', KdumpSettings.FindTargets(tree.Root).Select(static t => t.Target)));
    }

    [Fact]
    public void WithoutSettingsThereIsNone()
    {
        using var tree = new TestTree();
        Assert.Empty(KdumpSettings.FindTargets(tree.Root));
    }
}
