using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Code of real crashes, beside what binutils' objdump says of the same bytes.</summary>
public sealed partial class DisCommandTests
{
    private static readonly string[] s_functions =
    [
        "panic", "schedule", "__schedule", "vfs_write", "do_syscall_64", "__crash_kexec", "memcpy", "copy_process", "page_fault_oops", "vsnprintf",
        "tcp_v4_rcv", "do_exit", "__alloc_pages", "kmem_cache_alloc", "mutex_lock", "el0_svc", "invoke_syscall", "cpu_switch_to", "find_vma", "exc_page_fault",
    ];

    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    public static TheoryData<string, string> Crashes => new()
    {
        { "sample rfc-v2-6.1", "objdump -m i386:x86-64" },
        { "sample stock-6.1-nopmem", "objdump -m i386:x86-64" },
        { "stock-6.12", "objdump -m i386:x86-64" },
        { "arm64-6.12-16k", "aarch64-linux-gnu-objdump -m aarch64" },
    };

    /// <summary>Each instruction of some functions: its bytes, and where it jumps to.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void EveryInstructionIsAsLongAsObjdumpSaysAndLeadsWhereItSays(string crash, string objdump)
    {
        string[] words = objdump.Split(' ');
        Assert.SkipUnless(File.Exists($"/usr/bin/{words[0]}"), $"{words[0]} is not installed");
        string dump = RealCrash.Get(crash).Path;
        HashSet<string> known = [.. Tool.Run(Executable.Vmcore, "symbol", dump, "*").Output.Split('\n')
            .Select(static l => l.Split(' ')).Where(static w => w.Length == 3 && w[1] is "t" or "T").Select(static w => w[2])];
        string[] functions = [.. s_functions.Where(known.Contains)];
        Assert.True(functions.Length > 9);
        JsonElement answer = Answer("dis", "--json", dump, functions);
        int compared = 0;
        foreach (JsonElement listing in answer.GetProperty("listings").EnumerateArray())
        {
            JsonElement[] lines = [.. listing.GetProperty("lines").EnumerateArray()];
            Dictionary<ulong, (int Length, string Text)> theirs = Objdump(words, Number(listing.GetProperty("start")),
                string.Concat(lines.Select(static l => l.GetProperty("bytes").GetString())));
            foreach (JsonElement line in lines)
            {
                string what = $"{line.GetProperty("symbol").GetString()}: {line.GetProperty("text").GetString()}";
                Assert.True(theirs.TryGetValue(Number(line.GetProperty("address")), out (int Length, string Text) other), what);
                Assert.Equal((what, other.Length), (what, line.GetProperty("length").GetInt32()));
                ulong? target = Branch().Match(other.Text) is { Success: true } match ? Hex(match.Groups["to"].Value) : null;
                Assert.Equal((what, target), (what, line.GetProperty("target").ValueKind == JsonValueKind.Null ? null : Number(line.GetProperty("target"))));
                if (Relative().Match(other.Text) is { Success: true } relative)
                    Assert.Equal((what, Hex(relative.Groups["at"].Value)), (what, Number(line.GetProperty("operand"))));
                compared++;
            }
        }

        Assert.True(compared > 1000, $"{compared} instructions");
    }

    [Fact]
    public void WithoutAPlaceItShowsWhereTheKernelDied()
    {
        JsonElement listing = Assert.Single(Answer("dis", "--json", Dump).GetProperty("listings").EnumerateArray());
        JsonElement frame = Answer("bt", "--json", Dump).GetProperty("stacks")[0].GetProperty("frames")[0];
        JsonElement current = Assert.Single(listing.GetProperty("lines").EnumerateArray(), static l => l.GetProperty("current").GetBoolean());
        Assert.Equal(frame.GetProperty("address").GetString(), current.GetProperty("address").GetString());
        Assert.StartsWith(current.GetProperty("symbol").GetString()!, frame.GetProperty("symbol").GetString(), StringComparison.Ordinal);
        string[] text = Tool.Succeed(Executable.Reader, "dis", Dump).Output.Split('\n');
        string marked = Assert.Single(text, static l => l.StartsWith("=> ", StringComparison.Ordinal));
        Assert.Contains($"{Number(current.GetProperty("address")):x16}", marked, StringComparison.Ordinal);
    }

    /// <summary>A task that slept was called from there: the call is what is marked, and it names what it called.</summary>
    [Fact]
    public void OfATaskThatSleptTheCallIsMarked()
    {
        JsonElement listing = Answer("dis", "--json", "--task", "2", Dump).GetProperty("listings")[0];
        JsonElement current = Assert.Single(listing.GetProperty("lines").EnumerateArray(), static l => l.GetProperty("current").GetBoolean());
        JsonElement frame = Answer("bt", "--json", Dump, "2").GetProperty("stacks")[0].GetProperty("frames")[0];
        Assert.Equal(Number(frame.GetProperty("address")), Number(current.GetProperty("address")) + (ulong)current.GetProperty("length").GetInt32());
        Assert.Equal("call", current.GetProperty("flow").GetString());
        Assert.Equal("__switch_to_asm", current.GetProperty("target_symbol").GetString());
    }

    [Theory]
    [InlineData("-n 3 schedule", "0x0", 3)]
    [InlineData("-r schedule+0x6", "0x0", 4)]
    [InlineData("-b 1 -n 1 schedule+0x6/0xa0", "0x4", 2)]
    public void HowMuchIsShownIsChosen(string words, string offset, int count)
    {
        JsonElement[] lines = [.. Answer("dis", "--json", Dump, words.Split(' ')).GetProperty("listings")[0].GetProperty("lines").EnumerateArray()];
        Assert.Equal(($"schedule+{offset}", count), (lines[0].GetProperty("symbol").GetString(), lines.Length));
    }

    [Theory]
    [InlineData(1, "no symbol nothing_of_this_name", "nothing_of_this_name")]
    [InlineData(1, "init_task is no function", "init_task")]
    [InlineData(1, "is in no code", "0x1000")]
    [InlineData(1, "choose one", "schedule", "-r", "-f")]
    [InlineData(1, "no offset", "schedule+x")]
    [InlineData(1, "there is no task", "-t", "no_such_task")]
    public void WhatIsNoCodeIsRefused(int status, string why, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Reader, ["dis", Dump, .. words]);
        Assert.Equal((status, ""), (result.ExitCode, result.Output));
        Assert.Contains(why, result.Error, StringComparison.Ordinal);
    }

    /// <summary>In the middle of an instruction nothing begins: the address is shown, with a word on it.</summary>
    [Fact]
    public void AnAddressWithinAnInstructionIsAGap()
    {
        ToolResult result = Tool.Run(Executable.Reader, "dis", "--json", Dump, "schedule+0x2");
        using JsonDocument answer = JsonDocument.Parse(result.Output);
        Assert.Equal((1, "code_misaligned"), (result.ExitCode, answer.RootElement.GetProperty("gap_codes")[0].GetString()));
    }

    /// <summary>Of a dump that was cut nothing is made up: what is not there has no bytes and no instruction, and the answer is not whole.</summary>
    [Fact]
    public void WhatADumpDoesNotHaveIsMissing()
    {
        using TemporaryFolder folder = new();
        string cut = folder.File("cut");
        byte[] all = File.ReadAllBytes(Dump);
        int met = 0;
        foreach (int percent in (int[])[50, 70, 90])
        {
            File.WriteAllBytes(cut, all[..(int)((long)all.Length * percent / 100)]);
            ToolResult result = Tool.Run(Executable.Reader, ["dis", "--json", cut, .. s_functions[..5]]);
            if (result.Output.Length == 0)
            {
                Assert.Equal(1, result.ExitCode);
                continue;
            }

            using JsonDocument answer = JsonDocument.Parse(result.Output);
            foreach (JsonElement line in answer.RootElement.GetProperty("listings").EnumerateArray()
                .SelectMany(static l => l.GetProperty("lines").EnumerateArray()))
            {
                if (line.GetProperty("missing").ValueKind == JsonValueKind.Null)
                    continue;
                met++;
                Assert.Equal((JsonValueKind.Null, JsonValueKind.Null), (line.GetProperty("bytes").ValueKind, line.GetProperty("text").ValueKind));
                Assert.Equal(1, result.ExitCode);
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{met} pieces were missing");
    }

    [Fact]
    public void TheSmallExecutableSaysWhichOneDecodes()
    {
        Executable.NeedsNative("what it leaves out");
        using TemporaryFolder folder = new();
        string alone = folder.File("vmcore");
        Tool.Succeed("cp", Executable.Vmcore, alone);
        foreach (string[] words in (string[][])[["dis", Dump, "schedule"], ["whatis", Dump, "init_task"], ["slab", Dump], ["files", Dump], ["maps", Dump, "1"],
            ["gcore", Dump, "1", "-o", folder.File("core")], ["exec", Dump], ["print", Dump, "init_task"], ["read", Dump, "init_task"],
            ["vtop", Dump, "init_task"], ["map", Dump], ["triage", Dump]])
        {
            ToolResult result = Tool.Run(alone, words);
            Assert.Equal((4, ""), (result.ExitCode, result.Output));
            Assert.Contains("vmcore-reader", result.Error, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(folder.File("core")));
        Assert.StartsWith("panic: sysrq triggered crash", Tool.Run(alone, "report", Dump).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSmallExecutableHandsOverToTheOtherBesideIt()
    {
        Executable.NeedsNative("the other executable");
        Assert.Equal(Tool.Succeed(Executable.Reader, "dis", Dump, "schedule").Output, Tool.Succeed(Executable.Vmcore, "dis", Dump, "schedule").Output);
        Assert.Equal(Tool.Run(Executable.Reader, "report", "--json", Dump).Output, Tool.Run(Executable.Vmcore, "report", "--json", Dump).Output);
        Assert.Contains("--count", Tool.Succeed(Executable.Vmcore, "dis", "--help").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void AReportHasTheInstructionsWhereTheKernelDied()
    {
        JsonElement code = Answer("report", "--json", Dump).GetProperty("code")[0];
        JsonElement current = Assert.Single(code.GetProperty("instructions").EnumerateArray(), static l => l.GetProperty("current").GetBoolean());
        Assert.Equal(code.GetProperty("address").GetString(), current.GetProperty("address").GetString());
        string text = current.GetProperty("text").GetString()!;
        Assert.Contains(text, Tool.Run(Executable.Reader, "report", Dump).Output, StringComparison.Ordinal);
        Assert.Contains(text.Split(' ')[0], Tool.Run(Executable.Reader, "report", "--html", Dump).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void NoDebugFileOfAnotherKernelIsTaken()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        File.CreateSymbolicLink(dump, Dump);
        File.WriteAllText(folder.File("vmlinux"), "no ELF file");
        ToolResult result = Tool.Run(Executable.Reader, "bt", "--vmlinux", "auto", dump);
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Contains($"{folder.File("vmlinux")} is refused", result.Error, StringComparison.Ordinal);
        Assert.Contains("DEBUGINFOD_URLS", result.Error, StringComparison.Ordinal);
    }

    private static JsonElement Answer(params string[] words)
    {
        using JsonDocument answer = JsonDocument.Parse(Tool.Run(Executable.Reader, words).Output);
        return answer.RootElement.Clone();
    }

    private static JsonElement Answer(string command, string option, string dump, string[] words) => Answer([command, option, dump, .. words]);

    private static Dictionary<ulong, (int Length, string Text)> Objdump(string[] program, ulong start, string bytes)
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("code"), Convert.FromHexString(bytes));
        string output = Tool.Succeed(program[0], [.. program[1..], "-D", "-z", "-w", "-b", "binary", $"--adjust-vma=0x{start:x}", folder.File("code")]).Output;
        Dictionary<ulong, (int, string)> found = [];
        foreach (Match line in Line().Matches(output))
        {
            string digits = line.Groups["bytes"].Value.Replace(" ", "", StringComparison.Ordinal);
            found.Add(Hex(line.Groups["address"].Value), (digits.Length / 2, line.Groups["text"].Value));
        }

        return found;
    }

    private static ulong Number(JsonElement text) => Hex(text.GetString()![2..]);

    private static ulong Hex(string digits) => ulong.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\s*(?<address>[0-9a-f]+):\s+(?<bytes>(?:[0-9a-f]{2} )+|[0-9a-f]{8})\s*(?<text>.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"^(?:(?:notrack|bnd|cs|ds|data16|rex\S*) )*(?:j\w+|call\w?|loop\w*|bl?|b\.\w+|cbn?z|tbn?z)"
        + @"(?>\s+)(?!\*)(?:.*\s)?(?:0x)?(?<to>[0-9a-f]{9,16})(?:\s|$)")]
    private static partial Regex Branch();

    [GeneratedRegex("# 0x(?<at>[0-9a-f]+)$")]
    private static partial Regex Relative();
}
