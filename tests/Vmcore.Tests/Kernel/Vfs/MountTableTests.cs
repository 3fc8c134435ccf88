using Vmcore.Kernel.Vfs;

namespace Vmcore.Tests.Kernel.Vfs;

/// <summary>The mounts of a namespace in every shape that kernels have kept them in, whole and damaged.</summary>
public sealed class MountTableTests
{
    public static TheoryData<MountEra> Eras => [.. Enum.GetValues<MountEra>()];

    /// <summary>flags of the mount, flags of the super block, what /proc/mounts says.</summary>
    public static TheoryData<ulong, ulong, string> Options => new()
    {
        { 0, 0, "rw" },
        { 0x40, 0, "ro" }, // the mount
        { 0, 1, "ro" }, // the file system
        { 0x27, 0, "rw,nosuid,nodev,noexec,relatime" },
        { 0x18, 0, "rw,noatime,nodiratime" },
        { 0x80, 0, "rw,nosymfollow" },
        { 0x21, 16 | 128 | (1 << 25), "rw,sync,dirsync,lazytime,nosuid,relatime" },
        { 0x40, 64, "ro,mand" },
        { 0x0fff_0100, 0xf000_0000_0000_0800, "rw" }, // of the kernel itself
    };

    [Theory]
    [MemberData(nameof(Eras))]
    public void NestedMountsHavePathsThroughEachOther(MountEra era)
    {
        Machine machine = new(era);
        ulong again = machine.Image.Dentry("/");
        ulong over = machine.Mount(machine.OnSrv, machine.SrvRoot, again, "tmpfs", "tmpfs", minor: 9);
        KernelVfs vfs = machine.Image.Open();
        Assert.Equal(
            ["rootfs / ext4 /dev/vda1", "pmem0 /mnt xfs /dev/pmem0", "srv /mnt/data/srv ext4 /dev/vdb", "tmpfs /mnt/data/srv tmpfs tmpfs"],
            vfs.Mounts.Select(static m => $"{m.SuperBlock!.Id} {m.Target} {m.Type} {m.Source}"));
        Assert.Equal([100, 101, 102, 103], vfs.Mounts.Select(static m => m.Id));
        Assert.All(vfs.Mounts, static m => Assert.Equal("/", m.Root));
        Assert.Equal("0:9", vfs.Mounts[^1].SuperBlock!.Device.ToString());
        Assert.Equal(over, vfs.Mounts[^1].Address);
        Assert.Empty(vfs.Problems);
    }

    /// <summary>The order is that of age, also where a tree is not walked from its root on.</summary>
    [Theory]
    [MemberData(nameof(Eras))]
    public void ManyMountsStayInTheirOrder(MountEra era)
    {
        Machine machine = new(era);
        for (int i = 0; i < 100; i++)
            machine.Mount(machine.OnRoot, machine.Image.Dentry($"m{i}", machine.Root), machine.Image.Dentry("/"), $"fs{i}", "tmpfs", minor: 20);
        KernelVfs vfs = machine.Image.Open();
        Assert.Equal(Enumerable.Range(0, 100).Select(static i => $"/m{i}"), vfs.Mounts.Skip(3).Select(static m => m.Target));
        Assert.Empty(vfs.Problems);
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void ABindMountShowsAPartOfAFileSystem(MountEra era)
    {
        Machine machine = new(era);
        VfsImage image = machine.Image;
        ulong directory = image.Dentry("public", machine.PmemRoot), shown = image.Dentry("index", directory), hidden = image.Dentry("secret", machine.PmemRoot);
        ulong bind = image.Mount(machine.OnRoot, image.Dentry("www", machine.Root), directory, machine.Pmem, "/dev/pmem0");
        ulong through = image.File(bind, shown), beside = image.File(bind, hidden);
        KernelVfs vfs = image.Open();
        Assert.Equal(("/www", "/public"), (vfs.Mounts[^1].Target, vfs.Mounts[^1].Root));

        // By itself a name is where most of its file system is; an open file is where it was opened, if its mount shows it.
        Assert.Equal(new KernelPath("/mnt/public/index", false, true), vfs.PathOf(shown));
        Assert.Equal(new KernelPath("/www/index", false, true), vfs.PathOfFile(through));
        Assert.Equal(new KernelPath("/mnt/secret", false, true), vfs.PathOfFile(beside));
    }

    /// <summary>A mount point that its own parent does not show, and mounts below it: they are there, and nobody has a path to them.</summary>
    [Theory]
    [MemberData(nameof(Eras))]
    public void UnreachableMountsHaveNoPath(MountEra era)
    {
        Machine machine = new(era);
        VfsImage image = machine.Image;
        ulong part = image.Dentry("part", machine.PmemRoot), outside = image.Dentry("outside", machine.PmemRoot);
        ulong bind = image.Mount(machine.OnRoot, image.Dentry("b", machine.Root), part, machine.Pmem, "/dev/pmem0");
        ulong lostRoot = image.Dentry("/"), inLost = image.Dentry("in", lostRoot);
        ulong lost = machine.Mount(bind, outside, lostRoot, "lost", "tmpfs", minor: 30);
        machine.Mount(lost, inLost, image.Dentry("/"), "below", "tmpfs", minor: 31);
        ulong file = image.File(lost, inLost);
        KernelVfs vfs = image.Open();
        Assert.Equal(["/b", null, null], vfs.Mounts.Skip(3).Select(static m => m.Target));
        Assert.Equal(new KernelPath("/in", false, IsMounted: false), vfs.PathOfFile(file));
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void MountsThatAreTheirOwnAncestorsHaveNoPath(MountEra era)
    {
        Machine machine = new(era);
        VfsImage image = machine.Image;
        ulong one = image.Dentry("/"), two = image.Dentry("/");
        ulong first = machine.Mount(machine.OnRoot, image.Dentry("x", two), one, "one", "tmpfs", minor: 30);
        ulong second = machine.Mount(first, image.Dentry("y", one), two, "two", "tmpfs", minor: 31);
        image.PutParent(first, second);
        KernelVfs vfs = image.Open();
        Assert.Equal(["/", "/mnt", "/mnt/data/srv", null, null], vfs.Mounts.Select(static m => m.Target));
    }

    /// <summary>Neither an open file of a container nor one whose mount was taken away is at the root of this namespace.</summary>
    [Theory]
    [MemberData(nameof(Eras))]
    public void FilesOfOtherNamespacesAreNotTakenForOnesOfThis(MountEra era)
    {
        Machine machine = new(era);
        VfsImage image = machine.Image;
        ulong layer = image.Dentry("/"), passwd = image.Dentry("passwd", image.Dentry("etc", layer));
        ulong overlay = image.SuperBlock("overlay", "overlay", layer, 40);
        ulong container = image.Mount(0, 0, layer, overlay, "overlay", isListed: false);
        ulong detached = image.Mount(0, 0, machine.PmemRoot, machine.Pmem, "/dev/pmem0", isListed: false);
        image.PutNamespace(container, image.Dentry("another namespace"));
        ulong inside = image.File(container, passwd), left = image.File(detached, image.Dentry("left", machine.PmemRoot));
        KernelVfs vfs = image.Open();
        Assert.Equal(new KernelPath("/etc/passwd", false, IsMounted: false), vfs.PathOfFile(inside));

        // That file system is still mounted here, by another mount.
        Assert.Equal(new KernelPath("/mnt/left", false, IsMounted: true), vfs.PathOfFile(left));
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void WhatIsAboveTheFirstProcessIsNotShown(MountEra era)
    {
        Machine machine = new(era);
        VfsImage image = machine.Image;
        ulong real = image.Dentry("/"), home = image.Dentry("home", real);
        ulong top = machine.Mount(machine.OnRoot, machine.Root, real, "vda2", "btrfs", minor: 40);
        machine.Mount(top, home, image.Dentry("/"), "home", "nfs", minor: 41);
        image.FirstProcessIsIn(top);
        KernelVfs vfs = image.Open();
        Assert.Equal(["/ btrfs", "/home nfs"], vfs.Mounts.Select(static m => $"{m.Target} {m.Type}"));
    }

    /// <summary>A first process that cannot be followed, or whose root is in no list, hides nothing.</summary>
    [Theory]
    [MemberData(nameof(Eras))]
    public void ARootThatIsNoMountHidesNothing(MountEra era)
    {
        Machine machine = new(era);
        machine.Image.FirstProcessIsIn(machine.Image.Mount(0, 0, machine.Root, machine.Pmem, "none", isListed: false));
        Assert.Equal(3, machine.Image.Open().Mounts.Count);
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void AMountThatIsNotInTheDumpIsSaidToBeMissing(MountEra era)
    {
        Machine machine = new(era);
        ulong lost = machine.Mount(machine.OnRoot, machine.Image.Dentry("z", machine.Root), machine.Image.Dentry("/"), "lost", "tmpfs", minor: 50);
        machine.Image.Lose(lost);
        KernelVfs vfs = machine.Image.Open();
        Assert.Equal(["/", "/mnt", "/mnt/data/srv"], vfs.Mounts.Select(static m => m.Target));
        Assert.Contains($"the mount at 0x{lost:x} cannot be read", vfs.Problems.Select(static p => p.ToString()));
        string start = era == MountEra.List ? "mounts: the list at" : "a node in the tree of mounts cannot be read";
        Assert.Contains(vfs.Problems, p => p.ToString().StartsWith(start, StringComparison.Ordinal));
    }

    /// <summary>What an object of a mount says is missing, the rest of it is told.</summary>
    [Theory]
    [MemberData(nameof(Eras))]
    public void AMountWithoutItsFileSystemIsStillTold(MountEra era)
    {
        Machine machine = new(era);
        machine.Image.Lose(machine.Pmem);
        KernelMount mount = machine.Image.Open().Mounts[1];
        Assert.Equal(("/mnt", "", "/dev/pmem0", null), (mount.Target, mount.Type, mount.Source, mount.SuperBlock));

        machine = new(era);
        machine.Image.Lose(machine.DataDentry);
        Assert.Equal(["/", "/mnt", null], machine.Image.Open().Mounts.Select(static m => m.Target));
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void AListThatLeadsIntoItselfEndsAndIsNotTakenForWhole(MountEra era)
    {
        Machine machine = new(era);
        KernelVfs whole = machine.Image.Open();
        Assert.Equal(3, whole.Mounts.Count);

        // The link of the third mount: on to the first in a list, to the left in a tree.
        int link = 64 + (8 * (int)era);
        machine.Image.Put(machine.OnSrv, link + (era == MountEra.List ? 0 : 16), machine.OnPmem + (ulong)link);
        KernelVfs vfs = machine.Image.Reopen();
        Assert.InRange(vfs.Mounts.Count, 1, 3);
        Assert.Contains(vfs.Problems, static p => p.ToString().Contains("leads back into itself", StringComparison.Ordinal)
            || p.ToString().StartsWith("the tree of mounts is damaged", StringComparison.Ordinal));
    }

    /// <summary>A reader of /proc/mounts keeps its place in the list with an entry of its own.</summary>
    [Fact]
    public void ThePlaceOfAReaderIsNoMount()
    {
        Machine machine = new(MountEra.List);
        machine.Image.Mount(0, 0, 0, 0, "cursor", 0x10000000);
        KernelVfs vfs = machine.Image.Open();
        Assert.Equal(3, vfs.Mounts.Count);
        Assert.Empty(vfs.Problems);
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void OptionsAreThoseOfProcMounts(ulong mountFlags, ulong blockFlags, string expected)
    {
        VfsImage image = new(MountEra.Tree);
        ulong root = image.Dentry("/");
        image.Mount(0, 0, root, image.SuperBlock("vda", "ext4", root, 1, blockFlags), "/dev/vda", mountFlags);
        Assert.Equal(expected, image.Open().Mounts.Single().Options);
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void WithoutSymbolsThereAreNoMountsAndItIsSaidWhy(MountEra era)
    {
        Machine machine = new(era);
        machine.Image.Open();
        KernelVfs none = machine.Image.OpenWith(null), few = machine.Image.OpenWith(new() { ["_stext"] = 0xffffffff81000000 });
        Assert.Empty(none.Mounts);
        Assert.Empty(few.Mounts);
        Assert.Equal(["the mounts cannot be found: the kernel's symbols are not there"], none.Problems.Select(static p => p.ToString()));
        Assert.StartsWith("the mounts cannot be found: the kernel has no symbol init_nsproxy", Assert.Single(few.Problems).ToString(),
            StringComparison.Ordinal);
        Assert.Equal(new KernelPath("/data/srv", false, IsMounted: false), none.PathOf(machine.SrvPoint));
    }

    [Theory]
    [MemberData(nameof(Eras))]
    public void ANameThatWasRemovedIsSaidToBe(MountEra era)
    {
        Machine machine = new(era);
        ulong gone = machine.Image.Dentry("gone", machine.DataDentry, isDeleted: true);
        Assert.Equal(new KernelPath("/mnt/data/gone", true, true), machine.Image.Open().PathOf(gone));
    }

    /// <summary>A root, a file system on pmem at /mnt, and one at /mnt/data/srv.</summary>
    private sealed class Machine
    {
        public Machine(MountEra era)
        {
            Image = new(era);
            Root = Image.Dentry("/");
            PmemRoot = Image.Dentry("/");
            SrvRoot = Image.Dentry("/");
            DataDentry = Image.Dentry("data", PmemRoot);
            SrvPoint = Image.Dentry("srv", DataDentry);
            Pmem = Image.SuperBlock("pmem0", "xfs", PmemRoot, 2);
            OnRoot = Image.Mount(0, 0, Root, Image.SuperBlock("rootfs", "ext4", Root, 1), "/dev/vda1");
            OnPmem = Image.Mount(OnRoot, Image.Dentry("mnt", Root), PmemRoot, Pmem, "/dev/pmem0");
            OnSrv = Image.Mount(OnPmem, SrvPoint, SrvRoot, Image.SuperBlock("srv", "ext4", SrvRoot, 3), "/dev/vdb");
        }

        public VfsImage Image { get; }

        public ulong Root { get; }

        public ulong PmemRoot { get; }

        public ulong SrvRoot { get; }

        public ulong DataDentry { get; }

        public ulong SrvPoint { get; }

        public ulong Pmem { get; }

        public ulong OnRoot { get; }

        public ulong OnPmem { get; }

        public ulong OnSrv { get; }

        public ulong Mount(ulong parent, ulong point, ulong root, string id, string type, uint minor) =>
            Image.Mount(parent, point, root, Image.SuperBlock(id, type, root, minor), id);
    }
}
