using System.Globalization;
using Vmcore.Formats.Kdump;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Makedumpfile;

/// <summary>The options around the kernel's description, and <c>-e</c>, as a user gives them.</summary>
public sealed class VmlinuxOptionTests
{
    [Theory]
    [InlineData("-g out")]
    [InlineData("-g out -x vmlinux core")]
    [InlineData("-g out -x vmlinux -d 31")]
    [InlineData("-g out -x vmlinux -c")]
    [InlineData("-g out -x vmlinux -E")]
    [InlineData("-g out -x vmlinux -F")]
    [InlineData("-g out -x vmlinux -i info")]
    [InlineData("-g out -x vmlinux --dry-run")]
    [InlineData("-x vmlinux -i info core out")]
    [InlineData("-e core out")]
    [InlineData("--skip-failed-erase core out")]
    public void WhatDoesNotGoTogetherIsRefused(string arguments)
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, ["--check-params", .. arguments.Split(' ')]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Commandline parameter is invalid.", result.Output + result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-g out -x vmlinux")]
    [InlineData("-x vmlinux core out")]
    [InlineData("-x vmlinux --config rules -F core")]
    [InlineData("-e --work-dir /tmp core out")]
    [InlineData("--work-dir /tmp core out")]
    public void WhatGoesTogetherIsAccepted(string arguments) => Tool.Dump(["--check-params", .. arguments.Split(' ')]);

    [Fact]
    public void AFileThatIsNoVmlinuxIsNamed()
    {
        using TemporaryFolder folder = new();
        string core = Conformance.RealCrash.Get("sample rfc-v2-6.1").Path, output = folder.File("out"), text = folder.File("text");
        File.WriteAllText(text, "no ELF file");
        File.WriteAllBytes(folder.File("empty"), []);
        foreach (string path in (string[])[folder.File("absent"), folder.File("empty"), text, folder.Path, Executable.Makedumpfile, core])
        {
            foreach (string[] arguments in (string[][])[["-g", output, "-x", path], ["-x", path, "-d", "31", core, output]])
            {
                ToolResult result = Tool.Run(Executable.Makedumpfile, arguments);
                Assert.Equal(1, result.ExitCode);
                Assert.Contains(path, result.Error, StringComparison.Ordinal);
                Assert.False(File.Exists(output));
            }
        }
    }

    [Fact]
    public void TheMemmapOfWhatIsLeftOutIsLeftOutAndNothingElse()
    {
        using TemporaryFolder folder = new();
        string core = Conformance.RealCrash.Get("sample stock-6.1-nopmem").Path, with = folder.File("with"), without = folder.File("without");
        Tool.Dump("-z", "-d", "31", core, with);
        string report = Tool.Dump("-z", "-d", "31", "-e", "--work-dir", folder.Path, "--message-level", "16", core, without).Output;
        Assert.Contains("Unused memmap pages", report, StringComparison.Ordinal);
        using CrashDump all = CrashDump.Open(with), less = CrashDump.Open(without);
        Assert.Equal(KdumpStatus.ExcludedVmemmap, less.Kdump!.Header.Status & KdumpStatus.ExcludedVmemmap);
        Assert.Equal(default, all.Kdump!.Header.Status & KdumpStatus.ExcludedVmemmap);
        byte[] page = new byte[4096], other = new byte[4096], structs = new byte[128];
        int dropped = 0;
        for (ulong pfn = 0; pfn < all.Memory.MaxPfn; pfn++)
        {
            if (all.Memory.ReadPage(pfn, page) != MemoryStatus.Ok)
                continue;
            if (less.Memory.ReadPage(pfn, other) != MemoryStatus.Ok)
            {
                dropped++;
                continue;
            }

            Assert.Equal(page, other);
            // Of each page that stays, its struct page stays.
            Assert.Equal(all.Memmap!.TryReadPair(pfn, structs), less.Memmap!.TryReadPair(pfn, structs));
        }

        Assert.InRange(dropped, 100, int.MaxValue);
        Assert.Contains(dropped.ToString("x16", CultureInfo.InvariantCulture), report, StringComparison.Ordinal);
    }
}
