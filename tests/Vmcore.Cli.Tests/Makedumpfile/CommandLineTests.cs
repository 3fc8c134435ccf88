using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Makedumpfile;

/// <summary>The command line as services use it: options, streams, exit statuses, files.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Sample => RealCrash.Get("sample rfc-v2-6.1").Path;

    private string Output => _folder.File("dump");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-l", "-d31")]
    [InlineData("-ld", "31")]
    [InlineData("-ld31", "-f")]
    [InlineData("-clfd31", "--non-mmap")]
    [InlineData("-l", "-d", "31", "--num", "2")]
    [InlineData("-l", "-d", "31", "--num-t=2")]
    [InlineData("-l", "-d", "31", "--cyc=1024", "-b", "4")]
    [InlineData("-l", "-d", "31", "--message=7", "-D")]
    [InlineData("-l", "-d", "31,16", "-L", "1G")]
    public void EachWayToWriteTheOptionsGivesTheSameDump(params string[] options)
    {
        string reference = _folder.File("reference");
        Tool.Dump("-l", "-d", "31", Sample, reference);
        Tool.Dump([.. options, Sample, Output]);
        Assert.True(File.ReadAllBytes(reference).AsSpan().SequenceEqual(File.ReadAllBytes(Output)));
    }

    [Fact]
    public void OptionsMayFollowTheFiles()
    {
        Tool.Dump(Sample, Output, "-l", "-d", "31");
        Assert.True(new FileInfo(Output).Length < 20_000_000);
    }

    [Theory]
    [InlineData("-d", "64")]
    [InlineData("-d", "-1")]
    [InlineData("-d", "abc")]
    [InlineData("-d", "")]
    [InlineData("-d", "31,")]
    [InlineData("-E", "-l")]
    [InlineData("-E", "-c")]
    [InlineData("-E", "--num-threads", "2")]
    [InlineData("-F", "-l")]
    [InlineData("--message-level", "32")]
    [InlineData("-L", "0")]
    [InlineData("-L", "5X")]
    [InlineData("--no-such-option")]
    [InlineData("-Q")]
    [InlineData("--m", "7")]
    [InlineData("--pmem-range", "5-5")]
    [InlineData("--pmem-range", "zzz")]
    [InlineData("--partial-dmesg")]
    [InlineData("--dump-dmesg", "--dry-run")]
    [InlineData("--mem-usage")]
    [InlineData("-R")]
    [InlineData("-X")]
    [InlineData("--xen-syms=x")]
    [InlineData("--diskset=x")]
    [InlineData("--eppic", "x")]
    [InlineData("--extension", "x.so")]
    [InlineData("--vtop", "here")]
    public void WhatCannotBeCarriedOutIsRefused(params string[] options)
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, [.. options, Sample, Output]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Commandline parameter is invalid.", result.Output + result.Error, StringComparison.Ordinal);
        Assert.Contains("makedumpfile Failed.", result.Output + result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Output));
        ToolResult check = Tool.Run(Executable.Makedumpfile, ["--check-params", .. options, Sample, Output]);
        Assert.Equal(1, check.ExitCode);
        Assert.DoesNotContain("Failed", check.Output + check.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-l", "-d", "31")]
    [InlineData("-c", "-d", "31,16", "-f", "--num-threads", "4")]
    public void CheckParamsTouchesNothing(params string[] options)
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, ["--check-params", .. options, "/nonexistent/vmcore", Output]);
        Assert.Equal(0, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Empty(result.Error);
    }

    [Fact]
    public void NothingToDoIsAnError() => Assert.Equal(1, Tool.Run(Executable.Makedumpfile).ExitCode);

    [Theory]
    [InlineData("-h", "-d DL")]
    [InlineData("--help", "Usage")]
    [InlineData("-v", "makedumpfile: version")]
    [InlineData("-v", "lzo\tenabled\nsnappy\tenabled\nzstd\tenabled")]
    public void HelpAndVersionGoToStandardOutput(string option, string text)
    {
        ToolResult result = Tool.Dump(option);
        Assert.Contains(text, result.Output, StringComparison.Ordinal);
        Assert.Empty(result.Error);
    }

    [Theory]
    [InlineData("-c", 1)]
    [InlineData("-l", 2)]
    [InlineData("-p", 4)]
    [InlineData("-z", 0x20)]
    [InlineData("-f", 0)]
    public void ACodecIsNeverAbsent(string option, int flag)
    {
        Tool.Dump(option, "-d", "31", Sample, Output);
        using CrashDump dump = CrashDump.Open(Output);
        Assert.Equal(flag, (int)dump.Kdump!.Header.Status);
        Assert.True(dump.Kdump.TryGetDescriptor(0x9600, out Formats.Kdump.PageDescriptor descriptor));
        Assert.Equal((uint)flag, descriptor.Flags);
    }

    [Fact]
    public void TheDumpIsForItsOwnerOnly()
    {
        Tool.Dump("-l", "-d", "31", Sample, Output);
        Assert.Equal("600", Tool.Succeed("stat", "-c", "%a", Output).Output.Trim());
    }

    [Fact]
    public void AnExistingFileIsKeptUnlessItMayBeOverwritten()
    {
        File.WriteAllText(Output, "precious");
        ToolResult refused = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", Sample, Output);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("File exists", refused.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("precious", File.ReadAllText(Output));
        Tool.Dump("-l", "-d", "31", "-f", Sample, Output);
        Assert.True(new FileInfo(Output).Length > 1_000_000);
    }

    [Fact]
    public void TheInputIsNeverOverwritten()
    {
        string link = _folder.File("link");
        File.CreateSymbolicLink(link, Sample);
        long length = new FileInfo(Sample).Length;
        foreach (string target in (string[])[Sample, link])
        {
            ToolResult result = Tool.Run(Executable.Makedumpfile, "-f", "-d", "31", Sample, target);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("is the input itself", result.Error, StringComparison.Ordinal);
            Assert.Equal(length, new FileInfo(Sample).Length);
        }
    }

    [Fact]
    public void EachKindOfMessageHasItsStream()
    {
        ToolResult all = Tool.Dump("-l", "-d", "31", "--message-level", "31", Sample, Output);
        Assert.Contains("Copying data", all.Error, StringComparison.Ordinal);
        Assert.Contains("100.0 %", all.Error, StringComparison.Ordinal);
        Assert.Contains("The dumpfile is saved to " + Output + ".", all.Output, StringComparison.Ordinal);
        Assert.EndsWith("\nmakedumpfile Completed.\n", all.Output, StringComparison.Ordinal);
        Assert.Contains("is_pmem", all.Output, StringComparison.Ordinal);
        Assert.Contains("pfn: [0x100200 - 0x100400) sha256: ", all.Output, StringComparison.Ordinal);
        foreach (string step in (string[])["Checking for memory holes  ", "Excluding unnecessary pages", "Copying data               "])
            Assert.Matches($@"STEP \[{step}\] : [0-9]+\.[0-9]{{6}} seconds", all.Output);
        ToolResult none = Tool.Dump("-l", "-d", "31", "-f", "--message-level", "0", Sample, Output);
        Assert.Empty(none.Output);
        Assert.Empty(none.Error);
        ToolResult normal = Tool.Dump("-l", "-d", "31", "-f", Sample, Output);
        Assert.DoesNotContain("STEP", normal.Output + normal.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Original pages", normal.Output + normal.Error, StringComparison.Ordinal);
        ToolResult stats = Tool.Dump("-l", "-d", "31", "-f", "--show-stats", Sample, Output);
        Assert.Contains("Original pages  : 0x0000000000025cdc\n", stats.Output, StringComparison.Ordinal);
        Assert.Contains("    pmem metadata pages     : 0x0000000000000000\n    pmem userdata pages     : 0x000000000001b9fd\n",
            stats.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-l")]
    [InlineData("-E")]
    public void AFlattenedDumpSharesStandardOutputWithNothing(string option)
    {
        ToolResult result = Tool.Dump("-F", option, "-d", "31", "--message-level", "31", Sample);
        Assert.StartsWith("makedumpfile\0\0\0\0", result.Output, StringComparison.Ordinal);
        Assert.True(result.OutputBytes.AsSpan(^16..).IndexOfAnyExcept((byte)0xff) < 0, "the end record is not last");
        Assert.Contains("The dumpfile is saved to STDOUT.", result.Error, StringComparison.Ordinal);
        Assert.Contains("Original pages", result.Error, StringComparison.Ordinal);
        Assert.Contains("makedumpfile Completed.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ADryRunWritesNothingAndCountsTheSame()
    {
        ToolResult dry = Tool.Dump("--dry-run", "-l", "-d", "31", "--message-level", "16", Sample, Output);
        Assert.False(File.Exists(Output));
        ToolResult wet = Tool.Dump("-l", "-d", "31", "--message-level", "16", Sample, Output);
        Assert.Equal(WithoutTimes(wet.Output), WithoutTimes(dry.Output));

        static string WithoutTimes(string text) => string.Join('\n', text.Split('\n').Where(l => !l.StartsWith("STEP", StringComparison.Ordinal)));
    }

    [Fact]
    public void AFileThatDoesNotExistIsNamed()
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-d", "31", "/nonexistent/vmcore", Output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("/nonexistent/vmcore", result.Error, StringComparison.Ordinal);
        Assert.Contains("makedumpfile Failed.", result.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public void ASizeLimitLeavesAMarkedDump()
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-l", "-d", "31", "-L", "5M", Sample, Output);
        Assert.Equal(1, result.ExitCode);
        Assert.InRange(new FileInfo(Output).Length, 1, 5 << 20);
        using CrashDump dump = CrashDump.Open(Output);
        Assert.True(dump.IsIncomplete);
    }

    [Fact]
    public void PmemUserDataIsInOnlyWhenItIsAskedFor()
    {
        ToolResult result = Tool.Dump("-d", "31", "--include-pmem-userdata", Sample, Output);
        Assert.Contains("pmem user data", result.Output, StringComparison.Ordinal);
        Assert.True(File.ReadAllBytes(Output).AsSpan().IndexOf("LAB-PMEM-CANARY /"u8) >= 0);
        Tool.Dump("-d", "0", "-f", Sample, Output);
        Assert.True(File.ReadAllBytes(Output).AsSpan().IndexOf("LAB-PMEM-CANARY /"u8) < 0);
    }
}
