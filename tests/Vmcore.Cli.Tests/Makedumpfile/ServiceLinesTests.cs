using Vmcore.Cli.Makedumpfile;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Makedumpfile;

/// <summary>The command lines of kdump-utils (March 2026), SUSE's kdump-save (April 2026) and Debian's kdump-tools: what each asks for.</summary>
public sealed class ServiceLinesTests
{
    private const string Stored = "/sysroot/var/crash/127.0.0.1-2026-11-29-18:00:00/vmcore-incomplete";

    /// <summary>Script, line, what it must do.</summary>
    public static TheoryData<string, string, string> Lines => new()
    {
        { "kdump.sh, dump_fs", $"makedumpfile -l --message-level 7 -d 31 --num-threads=4 /proc/vmcore {Stored}",
            $"CreateDump 31 Lzo 7 4 threads to {Stored}" },
        { "kdump.sh, dump_ssh", "makedumpfile  -l --message-level 7 -d 31 -F /proc/vmcore", "CreateDump 31 Lzo 7 flattened" },
        { "kdump.sh, dump_raw", "makedumpfile -l --message-level 7 -d 31 -F /proc/vmcore", "CreateDump 31 Lzo 7 flattened" },
        { "kdump.sh, s390x's default", $"makedumpfile -c --message-level 7 -d 31 --num-threads=2 /proc/vmcore {Stored}",
            $"CreateDump 31 Zlib 7 2 threads to {Stored}" },
        { "mkdumprd", "makedumpfile --check-params -l --message-level 7 -d 31 vmcore dumpfile", "check CreateDump 31 Lzo 7 to dumpfile" },
        { "mkdumprd, ssh", "makedumpfile --check-params -F -l --message-level 7 -d 31 vmcore", "check CreateDump 31 Lzo 7 flattened" },
        { "kdumpctl, save_raw", "makedumpfile -R /var/crash/10.0.0.1-2026-11-29/vmcore", "Rearrange 0 None 7 to /var/crash/10.0.0.1-2026-11-29/vmcore" },
        { "kdump-save, dmesg", "makedumpfile -F --message-level 8 --dump-dmesg /proc/vmcore", "DumpDmesg 0 None 8 flattened" },
        { "kdump-save, compressed", "makedumpfile -F -c --num-threads 4 --message-level 6 -d 31  /proc/vmcore", "CreateDump 31 Zlib 6 4 threads flattened" },
        { "kdump-save, ELF", "makedumpfile -F -E  --message-level 6 -d 31  /proc/vmcore", "CreateDump 31 None 6 flattened ELF" },
        { "kdump-save, lzo", "makedumpfile -F -l --num-threads 32 --message-level 7 -d 31  /proc/vmcore", "CreateDump 31 Lzo 7 32 threads flattened" },
        { "kdump-save, snappy, verbose", "makedumpfile -F -p  --message-level 15 -d 17  /proc/vmcore", "CreateDump 17 Snappy 15 flattened" },
        { "kdump-save, zstd", "makedumpfile -F -z --num-threads 2 --message-level 6 -d 0 --non-mmap /proc/vmcore", "CreateDump 0 Zstd 6 2 threads flattened" },
        { "kdump-config, default", "makedumpfile -F -c -d 31 /proc/vmcore", "CreateDump 31 Zlib 7 flattened" },
        { "kdump-config, MAKEDUMP_ARGS=\"-z -d 31\"", "makedumpfile -z -d 31 -F /proc/vmcore", "CreateDump 31 Zstd 7 flattened" },
        { "kdump-config, dump_dmesg", "makedumpfile --dump-dmesg /proc/vmcore /var/crash/202611291800/dmesg.202611291800",
            "DumpDmesg 0 None 7 to /var/crash/202611291800/dmesg.202611291800" },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void EachLineAsksForWhatItsScriptNeeds(string script, string line, string expected)
    {
        List<string> words = Kexec.ServiceLinesTests.Words(line);
        Assert.Equal("makedumpfile", words[0]);
        var options = new MakedumpfileOptions();
        options.Parse([.. words.Skip(1)]);
        OptionRules.Check(options);
        string asked = $"{(options.CheckParams ? "check " : "")}{options.Mode} {(int)options.Levels[0]} {options.Codec} {(int)options.MessageLevel}"
            + $"{(options.Threads is { } threads ? $" {threads} threads" : "")}{(options.Flattened ? " flattened" : "")}{(options.Elf ? " ELF" : "")}"
            + $"{(options.Output is { } output ? $" to {output}" : "")}";
        Assert.True(expected == asked, $"{script}: {asked}");
    }

    /// <summary>kdump-save reads OSRELEASE and CRASHTIME from standard error, words between blanks and equals signs, and puts them into its README.txt;
    /// the log goes to standard output.</summary>
    [Fact]
    public void SuseFindsReleaseAndTimeBesideTheLog()
    {
        string sample = RealCrash.Get("sample rfc-v2-6.1").Path;
        ToolResult result = Tool.Dump("-F", "--message-level", "8", "--dump-dmesg", sample);
        using CrashDump dump = CrashDump.Open(sample);
        Dictionary<string, string> found = [];
        foreach (string line in result.Error.Split('\n'))
        {
            string[] halves = line.Split([' ', '='], 2, StringSplitOptions.RemoveEmptyEntries);
            if (halves.Length == 2 && halves[0] is "OSRELEASE" or "CRASHTIME")
                found[halves[0]] = halves[1];
        }

        Assert.Equal(dump.VmcoreInfo!.OsRelease, found["OSRELEASE"]);
        Assert.Equal($"{dump.VmcoreInfo.CrashTime}", found["CRASHTIME"]);
        Assert.StartsWith("[    0.000000] ", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("OSRELEASE=", result.Output, StringComparison.Ordinal);

        // Without debugging nothing of it is said.
        Assert.DoesNotContain("OSRELEASE=", Tool.Dump("-F", "--dump-dmesg", sample).Error, StringComparison.Ordinal);
    }
}
