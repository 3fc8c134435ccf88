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
        { "nvme0: Serial Number: S3Z8NB0K", "S3Z8" },
        { "audit: type=1309 argc=2 a0=\"mysql\" a1=\"-psecret\"", "secret" },
        { "Using kernel command line parameters: root=LABEL=acme", "acme" },
        { "CIFS: VFS: \\\\fs1.corp.acme.com has not responded in 180 seconds", "acme" },
        { "CIFS: \\\\10.20.30.41\\payroll", "payroll" },
        { "tcp:10.20.30.42:2049 is gone", "10.20" },
        { "resolver 10.20.30.44#53, nameserver10.20.30.66, 10.20.30.54..55", "10.20" },
        { "route via2001:db8::5 lost", "db8" },
        { "mac52:54:00:12:34:57 moved", "52:54" },
        { "port 5254.0012.3456 learned", "5254" },
        { "ll header: 00000000: ff ff ff ff ff ff 52 54 00 12 34 56 08 06", "52 54" },
        { "mount of acme.com/share failed", "acme" },
        { "C:\\Users\\joe\\a.txt", "joe" },
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
        "rust: core::panicking::panic at library/core/src/panicking.rs",
        "e1000e: Intel(R) PRO/1000 Network Driver, version 6.1.192-5",
        "Out of memory: Killed process 163 (mapper)",
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

    /// <summary>The first part of a host's name is its name too.</summary>
    [Fact]
    public void TheShortNameOfTheHostGoes()
    {
        string clean = new Redactor("web01.corp.example.com").Clean("web01 systemd: started web01-agent on web01.corp");
        Assert.DoesNotContain("web01", clean, StringComparison.Ordinal);
    }

    /// <summary>Names that look like any other word, or have spaces, are taken out where they are names of mounts or files.</summary>
    [Fact]
    public void NamesThatAreGivenGo()
    {
        string clean = new Redactor(null) { Names = ["/mnt/a Bob", "acme/db1", "tank"] }.Clean("zfs tank on /mnt/a Bob, acme/db1 rw, tanks");
        Assert.Equal("zfs [path 3] on [path 1], [path 2] rw, tanks", clean);
    }

    /// <summary>The kernel logs registers and code of user mode below its own: of a process nothing is in a report, its own stays.</summary>
    [Fact]
    public void RegistersAndCodeOfProcessesGo()
    {
        string[] log =
        [
            "RIP: 0010:ways_null+0x5/0x10 [ways]", "Code: 0f 1f 44 00 00 <48> 8b 47 18 c3", "RAX: 0000000000000000 RBX: 1", "Call Trace:",
            "RIP: 0033:0x7f1234567890", "Code: eb 03 48 89 ca <49> 89 44", "RSP: 002b:00007ffd12345678 EFLAGS: 00000246", "RAX: ffffffffffffffda RBX: 6",
            " </TASK>", "Code: 0f 0b", "mapper[163]: segfault at 0 ip 1 sp 2 error 4", "Code: aa bb", "end",
        ];
        var words = new ProcessWords();
        string[] shown = [.. log.Select(t => words.Without(new(0, null, null, null, t)).Text)];
        Assert.Equal(["Call Trace:", " </TASK>", "Code: 0f 0b", "end"], [shown[3], shown[8], shown[9], shown[12]]);
        Assert.Equal(log[..4], shown[..4]);
        Assert.All((int[])[4, 5, 6, 7, 11], i => Assert.Equal("[registers and code of a process]", shown[i]));
    }
}
