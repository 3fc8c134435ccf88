using Vmcore.Cli.Reader.Report;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What tells strangers whose machine it was goes, what tells of the crash stays.</summary>
public sealed class RedactorTests
{
    private const string Host = "db7";

    /// <summary>A text as kernels and reports have it, and what must not be left of it.</summary>
    public static TheoryData<string, string> Secrets { get; } = new()
    {
        { "Host:        db7", "db7" },
        { "systemd[1]: Hostname set to <other-name>.", "other-name" },
        { "login on DB7.corp.example.com", "example" },
        { "nfs: server files.corp.example not responding", "files.corp" },
        { "Linux version 6.12.1 (joe@build3) (gcc)", "build3" },
        { "RSP: 0018:ffffd17040433c50 EFLAGS: 00000246", "ffffd17040433c50" },
        { "mutex ffffffffc045d380 held", "ffffffffc045d380" },
        { "BUG: unable to handle page fault for address: ffff888012345678", "ffff888012345678" },
        { "[mem 0x0000000000100000-0x000000001fffffff] usable", "1fffffff" },
        { "P4D 0x100000067 PUD", "100000067" },
        { "0x100000000-0x110000000, 256 MiB", "0x110000000" },
        { "pfn 0x105f2: hardware memory corruption", "0x105f2" },
        { "\"0xffff8881\"", "ffff8881" },
        { "eth0: link up, 10.1.22.7", "10.1.22.7" },
        { "from 192.168.0.14:2049 to fe80::5054:ff:fe12:3456%eth0", "192.168" },
        { "from 192.168.0.14:2049 to fe80::5054:ff:fe12:3456%eth0", "5054" },
        { "addr 2001:db8:0:1:2:3:4:5/64", "2001" },
        { "e1000e 0000:00:19.0 eth0: (PCI Express) 52:54:00:ab:cd:ef", "52:54" },
        { "SOURCE=10.1.2.3:/srv/export", "export" },
        { "/srv/alice/secret.c: not found", "alice" },
        { "mounted on '/mnt/customer data'", "/mnt" },
        { "https://wiki.corp/page", "wiki" },
        { "file home/bob/list", "bob" },
        { "Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 secret=1", "secret" },
        { "[    0.1] Command line: ro password=x", "password" },
        { "UUID=21f1efb2-792f-46fb-8324-968734fefe92", "792f" },
        { "usb 1-1: SerialNumber: 4C530001", "4C530001" },
    };

    /// <summary>Texts that stay as they are.</summary>
    public static TheoryData<string> Facts { get; } =
    [
        "#3   vfs_write+0xf5/0x450",
        "RIP: 0010:ways_read_value+0x5/0x10 [ways]",
        "Code: 0f 1f 44 00 00 <48> 8b 47 18 c3",
        "kernel BUG at mm/slub.c:305!",
        "WARNING: CPU: 0 PID: 12 at kernel/sched/core.c:123 foo+0x1/0x2",
        "Comm: kworker/u8:2 Not tainted 6.12.117+deb12-amd64 #1",
        "PID 10 \"kworker/0:1\", swapper/0",
        " <TASK>", " </TASK>",
        "[   16.452275] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2-debian-1.16.2-1 04/01/2014",
        "pci 0000:00:1f.2: reg 0x10",
        "Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "address: 0000000000000018",
        "INFO: task ways-ab:166 blocked for more than 5 seconds.",
        "Crashed: 2026-11-29 09:55:31 UTC, 00:00:21 after the start",
        "I/O error, 143.66 MiB, tmpfs rw,relatime",
        "ORIG_RAX: ffffffffffffffff",
        "signature v1:9f6e16638246dc65",
    ];

    [Theory]
    [MemberData(nameof(Secrets))]
    public void WhatTellsOfTheMachineGoes(string text, string secret)
    {
        string clean = new Redactor(Host).Clean(text);
        Assert.DoesNotContain(secret, clean, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [MemberData(nameof(Facts))]
    public void WhatTellsOfTheCrashStays(string text) => Assert.Equal(text, new Redactor(Host, "9f6e16638246dc65").Clean(text));

    /// <summary>Who compares two lines must see that they are about the same thing.</summary>
    [Fact]
    public void OneThingHasOneLabel()
    {
        var redactor = new Redactor(Host);
        Assert.Equal("[address 1] [address 2] [path 1]", redactor.Clean("ffff888012345678 0xffff888099999999 /a/b"));
        Assert.Equal("[path 2] [path 1] [address 1]\n[host]", redactor.Clean("/c /a/b 0xffff888012345678\ndb7"));
    }
}
