using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Makedumpfile;

/// <summary>What makedumpfile does besides writing a dump; and vmcore-dmesg.</summary>
public sealed partial class ModesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();


    private static string Sample => RealCrash.Get("sample stock-6.1-nopmem").Path;

    private string Output => _folder.File("out");

    public void Dispose() => _folder.Dispose();

    /// <summary>makedumpfile maps a file whose pages lie on page boundaries, and takes what a segment has in memory only for part of the file.</summary>
    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("31")]
    public void DebianFiltersAnElfDumpAgain(string level)
    {
        Assert.SkipUnless(File.Exists(Tool.Debian), "makedumpfile is not installed");
        string elf = _folder.File("elf"), theirs = _folder.File("theirs");
        Tool.Dump("-E", "-d", level, Sample, elf);
        Tool.Succeed(Tool.Debian, "-c", "-d", "31", elf, theirs);
        using CrashDump raw = CrashDump.Open(Sample), filtered = CrashDump.Open(theirs);
        byte[] expected = new byte[4096], found = new byte[4096];
        int count = 0;
        for (ulong pfn = 0; pfn < raw.Memory.MaxPfn; pfn++)
        {
            if (filtered.Memory.ReadPage(pfn, found) != MemoryStatus.Ok)
                continue;
            Assert.Equal(MemoryStatus.Ok, raw.Memory.ReadPage(pfn, expected));
            Assert.True(expected.AsSpan().SequenceEqual(found), $"pfn 0x{pfn:x}");
            count++;
        }

        Assert.InRange(count, 17_000, 25_000);
    }

    [Theory]
    [InlineData("sample stock-6.1-nopmem")]
    [InlineData("sample rfc-v2-6.1")]
    [InlineData("rfc-v2-6.1")]
    [InlineData("stock-6.12")]
    public void TheLogIsTheOneThatDebianFinds(string crash)
    {
        string vmcore = RealCrash.Get(crash).Path;
        Assert.SkipUnless(File.Exists(Tool.Debian), "makedumpfile is not installed");
        string theirs = _folder.File("theirs");
        Tool.Succeed(Tool.Debian, "--dump-dmesg", vmcore, theirs);
        string expected = File.ReadAllText(theirs);
        Assert.True(expected.Length > 10_000);
        ToolResult result = Tool.Dump("--dump-dmesg", vmcore, Output);
        Assert.Equal(expected, File.ReadAllText(Output));
        Assert.Contains($"\nThe dmesg log is saved to {Output}.\n\nmakedumpfile Completed.\n", result.Output, StringComparison.Ordinal);
        Assert.Equal(expected, Tool.Dump("--dump-dmesg", "-F", vmcore).Output);
        // vmcore-dmesg does not indent the further lines of a message.
        string dmesg = Tool.Succeed(Executable.VmcoreDmesg, vmcore).Output;
        Assert.Equal(Lines(expected), Lines(dmesg));
        if (File.Exists("/usr/sbin/vmcore-dmesg"))
            Assert.Equal(Tool.Succeed("/usr/sbin/vmcore-dmesg", vmcore).Output, dmesg);
    }

    [Theory]
    [InlineData("-l", "-d", "31")]
    [InlineData("-E", "-d", "31")]
    [InlineData("-F", "-z", "-d", "31")]
    public void TheLogIsInEveryKindOfDump(params string[] options)
    {
        string expected = Tool.Dump("-F", "--dump-dmesg", Sample).Output, dump = _folder.File("dump");
        if (options[0] == "-F")
            File.WriteAllBytes(dump, Tool.Dump([.. options, Sample]).OutputBytes);
        else
            Tool.Dump([.. options, Sample, dump]);
        Assert.Equal(Lines(expected), Lines(Tool.Succeed(Executable.VmcoreDmesg, dump).Output));
        Tool.Dump("--dump-dmesg", dump, Output);
        Assert.Equal(expected, File.ReadAllText(Output));
    }

    [Fact]
    public void PartOfTheLogAndItsCallers()
    {
        // Nobody has cleared this log.
        string whole = Tool.Dump("-F", "--dump-dmesg", Sample).Output;
        Assert.Equal(whole, Tool.Dump("-F", "--dump-dmesg", "--partial", Sample).Output);
        Assert.StartsWith("[    0.000000] [      T0] Linux version", Tool.Dump("-F", "--dump-dmesg", "--caller-id", Sample).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1, "a", "b")]
    [InlineData(2, "/nonexistent")]
    [InlineData(3, "/dev/null")]
    [InlineData(4, "/bin/sh")]
    public void VmcoreDmesgHasTheExitStatusesOfKexecTools(int status, params string[] arguments)
    {
        ToolResult result = Tool.Run(Executable.VmcoreDmesg, arguments);
        Assert.Equal(status, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.NotEmpty(result.Error);
    }

    [Fact]
    public void AnExistingLogIsNotOverwritten()
    {
        File.WriteAllText(Output, "mine");
        ToolResult result = Tool.Run(Executable.Makedumpfile, "--dump-dmesg", Sample, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("File exists", result.Error, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Output));
        Tool.Dump("-f", "--dump-dmesg", Sample, Output);
        Assert.StartsWith("[    0.000000] Linux version", File.ReadAllText(Output), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-l")]
    [InlineData("-E")]
    public void AFlattenedStreamIsPutTogetherToTheSameDump(string option)
    {
        string flat = _folder.File("flat"), straight = _folder.File("straight");
        File.WriteAllBytes(flat, Tool.Dump("-F", option, "-d", "31", Sample).OutputBytes);
        Tool.Dump(option, "-d", "31", Sample, straight);
        ToolResult result = Tool.RunWithInput(Executable.Makedumpfile, flat, "-R", Output);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"\nThe dumpfile is saved to {Output}.\n\nmakedumpfile Completed.\n", result.Output, StringComparison.Ordinal);

        // A file has its pages in the order of their worth, a stream in that of their addresses: written anew as streams they are the same bytes.
        byte[] fromStream = Tool.Dump("-F", option, "-d", "31", Output).OutputBytes;
        Assert.True(Tool.Dump("-F", option, "-d", "31", straight).OutputBytes.AsSpan().SequenceEqual(fromStream));
        Assert.Equal(new FileInfo(straight).Length, new FileInfo(Output).Length);
    }

    [Fact]
    public void ClosedStandardInputIsAnErrorAtOnce()
    {
        Executable.NeedsNative("a descriptor that the runtime would use for itself");
        ToolResult result = Tool.Run("/bin/sh", "-c", $"exec timeout 60 {Executable.Makedumpfile} -R {Output} <&-");
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public void MemoryUsageAgreesWithTheReportOfADump()
    {
        string report = Tool.Dump("--show-stats", "--dry-run", "-E", "-d", "31", Sample, Output).Output;
        ToolResult usage = Tool.Dump("--mem-usage", Sample);
        (string Row, string Line)[] pairs =
        [
            ("ZERO", "Pages filled with zero"), ("NON_PRI_CACHE", "Non-private cache pages"), ("PRI_CACHE", "Private cache pages"),
            ("USER", "User process data pages"), ("FREE", "Free pages"), ("KERN_DATA", "Remaining pages"),
        ];
        foreach ((string row, string line) in pairs)
        {
            ulong expected = ulong.Parse(Regex.Match(report, line + @" +: 0x([0-9a-f]+)", RegexOptions.ExplicitCapture | RegexOptions.None,
                TimeSpan.FromSeconds(5)).Value[^16..], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.Contains($"\n{row}\t", usage.Output, StringComparison.Ordinal);
            string found = Row().Matches(usage.Output).First(m => m.Groups["name"].Value == row).Groups["pages"].Value;
            Assert.Equal(expected.ToString(CultureInfo.InvariantCulture), found);
        }

        Assert.Contains("page size:\t\t4096", usage.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Completed", usage.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void AnAddressIsTranslated()
    {
        using CrashDump dump = CrashDump.Open(Sample);
        ulong address = dump.VmcoreInfo!.Symbol("init_uts_ns")!.Value;
        string physical = dump.Kernel!.Memory.Translate(address).PhysicalAddress.ToString("x", CultureInfo.InvariantCulture);
        string output = Tool.Dump("--vtop", $"0x{address:x}", "--dry-run", Sample, Output).Output;
        Assert.Contains($"Translating virtual address {address:x} to physical address.\nVIRTUAL           PHYSICAL\n{address,16:x}  {physical}\n",
            output, StringComparison.Ordinal);
        Assert.Contains("not mapped", Tool.Dump("--vtop=0x10", "--dry-run", Sample, Output).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-X", "Xen")]
    [InlineData("--xen-syms=f", "Xen")]
    [InlineData("--xen-vmcoreinfo=f", "Xen")]
    [InlineData("--xen_phys_start=0", "Xen")]
    [InlineData("--diskset=f", "sadump")]
    [InlineData("--eppic=f", "--config")]
    [InlineData("--extension=f", "--config")]
    public void WhatIsNotSupportedIsRefusedWithTheAlternative(string option, string reason)
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, option, Sample, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(reason, result.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public void InputsOfOtherKindsAreNamed()
    {
        string sadump = _folder.File("sadump");
        File.WriteAllBytes(sadump, [.. "sadump\0\0"u8, .. new byte[8192]]);
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-d", "31", sadump, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("a sadump image", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ProgressInALogHasLinesAndNoReturns()
    {
        string error = Tool.Dump("-l", "-d", "31", Sample, Output).Error;
        Assert.DoesNotContain("\r", error, StringComparison.Ordinal);
        Assert.Matches(@"Copying data +: \[100\.0 %\]", error);
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Select(l => l.TrimStart())];

    [GeneratedRegex(@"^(?<name>[A-Z_]+)\t+(?<pages>[0-9]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Row();
}
