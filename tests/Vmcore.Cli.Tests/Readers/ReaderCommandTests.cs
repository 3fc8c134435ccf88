using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>The commands that read a dump, run as a user runs them, on the sample of a real crash.</summary>
public sealed class ReaderCommandTests
{
    private static readonly string s_vmcore = Executable.Vmcore;

    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    [Theory]
    [InlineData("ps", "\"name\": \"kthreadd\"")]
    [InlineData("bt", "sysrq_handle_crash")]
    [InlineData("dmesg", "Kernel panic - not syncing")]
    [InlineData("modules", "\"modules\":")]
    [InlineData("print init_task.comm", "swapper/0")]
    [InlineData("type struct\u00a0page", "\"bit_offset\": 64")]
    [InlineData("symbol init_task", "\"type\": \"D\"")]
    [InlineData("read linux_banner 32", "TGludXggdmVyc2lvbiA2LjEu")]
    [InlineData("vtop init_task", "\"level\": \"PMD\"")]
    public void EachCommandAnswersInJson(string line, string wanted)
    {
        string[] words = [.. line.Split(' ').Select(w => w.Replace('\u00a0', ' '))];
        ToolResult result = Tool.Succeed(s_vmcore, [words[0], Dump, .. words[1..], "--json"]);
        using JsonDocument json = JsonDocument.Parse(result.OutputBytes);
        Assert.Equal(1, json.RootElement.GetProperty("schema").GetInt32());
        Assert.Equal(words[0], json.RootElement.GetProperty("command").GetString());
        Assert.Equal(Dump, json.RootElement.GetProperty("file").GetString());
        Assert.Contains(wanted, result.Output, StringComparison.Ordinal);
        Assert.NotEmpty(Tool.Succeed(s_vmcore, [words[0], Dump, .. words[1..]]).Output);
    }

    [Theory]
    [InlineData("print", "no_such_symbol", "no symbol")]
    [InlineData("print", "init_task.nothing", "no member")]
    [InlineData("print", "((((", "ends too early")]
    [InlineData("type", "struct nothing", "no type")]
    [InlineData("read", "0x10", "not mapped")]
    [InlineData("bt", "4711000", "no task")]
    [InlineData("symbol", "no_such_symbol", "no symbol")]
    [InlineData("ps", "no_such_task", "no task no_such_task")]
    [InlineData("dmesg", "--tail=-1", "expected a number from 0")]
    public void WhatIsNotThereIsSaidInOneLine(string command, string word, string wanted)
    {
        ToolResult result = Tool.Run(s_vmcore, command, Dump, word);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(wanted, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>What a message's date is does not depend on which others are shown.</summary>
    [Theory]
    [InlineData("--level", "emerg")]
    [InlineData("--level", "err+")]
    [InlineData("--tail", "3")]
    public void TheDatesOfMessagesAreThoseOfTheWholeLog(string option, string value)
    {
        string[] all = Tool.Succeed(s_vmcore, "dmesg", "-T", Dump).Output.Split('\n');
        string[] some = Tool.Succeed(s_vmcore, "dmesg", "-T", Dump, option, value).Output.Split('\n');
        Assert.True(some.Length > 1);
        Assert.All(some, line => Assert.Contains(line, all));
    }

    /// <summary>Types of another kernel would make every answer wrong: its structures are compared with what vmcoreinfo says of them.</summary>
    [Fact]
    public void BtfOfAnotherKernelIsRefused()
    {
        using TemporaryFolder folder = new();
        string own = folder.File("own"), other = folder.File("other");
        ulong start = AddressOf("__start_BTF"), stop = AddressOf("__stop_BTF");
        byte[] btf = Tool.Succeed(s_vmcore, "read", Dump, $"0x{start:x}", $"0x{stop - start:x}", "--format", "raw").OutputBytes;
        File.WriteAllBytes(own, btf);
        Assert.Equal(Tool.Succeed(s_vmcore, "ps", Dump).Output, Tool.Succeed(s_vmcore, "ps", Dump, "--btf", own).Output);

        // The header: magic, version, flags, its length, then offset and length of the types and of the strings behind it.
        int header = Int32(4), types = header + Int32(8), typesEnd = types + Int32(12), strings = header + Int32(16);
        int zone = btf.AsSpan(strings).IndexOf("\0zone\0"u8) + 1;
        int record = Enumerable.Range(0, (typesEnd - types) / 4).Select(i => types + (i * 4))
            .Single(at => Int32(at) == zone && (Int32(at + 4) >> 24 & 31) == 4);
        btf[record + 8] ^= 64;
        File.WriteAllBytes(other, btf);
        foreach (string command in (string[])["ps", "bt", "info", "dmesg", "modules", "mounts", "pmem", "map"])
        {
            ToolResult result = Tool.Run(s_vmcore, command, Dump, "--btf", other);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("it is of another kernel: struct zone has", result.Error, StringComparison.Ordinal);
        }

        // Of the same sizes, but not the same: what the dump has of its own is compared.
        btf[record + 8] ^= 64;
        btf[^2] ^= 1;
        File.WriteAllBytes(other, btf);
        Assert.Contains("its bytes from", Tool.Run(s_vmcore, "ps", Dump, "--btf", other).Error, StringComparison.Ordinal);
        File.WriteAllBytes(other, [.. btf, 0]);
        Assert.Contains("it is of another kernel: it has", Tool.Run(s_vmcore, "ps", Dump, "--btf", other).Error, StringComparison.Ordinal);

        int Int32(int at) => BitConverter.ToInt32(btf, at);
        static ulong AddressOf(string symbol) => Convert.ToUInt64(Tool.Succeed(s_vmcore, "symbol", Dump, symbol).Output.Split(' ')[0], 16);
    }

    [Fact]
    public void AStructureIsPrintedByPhysicalAddressToo()
    {
        string at = Tool.Succeed(s_vmcore, "symbol", Dump, "init_task").Output.Split(' ')[0];
        string physical = Tool.Succeed(s_vmcore, "vtop", Dump, "init_task").Output.Split('\n')
            .Single(l => l.StartsWith("physical", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        foreach (string type in (string[])["struct task_struct", "struct task_struct *"])
        {
            // What its pointers point to is looked for where they say.
            string expected = Tool.Succeed(s_vmcore, "print", Dump, type, "0x" + at).Output;
            Assert.Equal(expected, Tool.Succeed(s_vmcore, "print", "--physical", Dump, type, "0x" + physical).Output);
        }

        Assert.Contains("only of TYPE ADDRESS", Tool.Run(s_vmcore, "print", "--physical", Dump, "init_task").Error, StringComparison.Ordinal);
        Assert.Contains("is no physical address", Tool.Run(s_vmcore, "print", "-p", Dump, "struct task_struct", "init_task").Error, StringComparison.Ordinal);
        Assert.Equal(1, Tool.Run(s_vmcore, "print", "-p", Dump, "struct task_struct", "0xfffffffffffffff0").ExitCode);
    }

    /// <summary>BTF has types of few variables; the address that is shown instead must not be taken for a value.</summary>
    [Fact]
    public void AVariableOfUnknownTypeIsSaidToBeOne()
    {
        ToolResult result = Tool.Succeed(s_vmcore, "print", Dump, "node_data");
        Assert.Contains("(void *)node_data+0x0 = 0xffffffff", result.Output, StringComparison.Ordinal);
        Assert.Contains("does not say what type 'node_data' has", result.Error, StringComparison.Ordinal);
        Assert.Empty(Tool.Succeed(s_vmcore, "print", Dump, "init_task").Error);
        Assert.Empty(Tool.Succeed(s_vmcore, "print", Dump, "panic").Error);
    }

    [Fact]
    public void UserDataOnPmemIsNotShown()
    {
        // The sample has pages of it in its PT_LOAD of pmem.
        byte[] canary = "LAB-PMEM-CANARY /"u8.ToArray();
        byte[] bytes = File.ReadAllBytes(Dump);
        Assert.True(bytes.AsSpan().IndexOf(canary) >= 0);
        ToolResult result = Tool.Run(s_vmcore, "read", "--physical", Dump, "0x108000000", "4096");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("user data on pmem, which is never shown", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void InfoSaysWhatStateTheMachineWasIn()
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Succeed(s_vmcore, "info", Dump, "--json").OutputBytes);
        JsonElement crash = json.RootElement.GetProperty("crash");
        Assert.Equal("Kernel panic - not syncing: sysrq triggered crash", crash.GetProperty("panic").GetString());
        Assert.Equal(2, crash.GetProperty("cpus_online").GetInt32());
        Assert.Equal("init", crash.GetProperty("task").GetProperty("name").GetString());
        Assert.Empty(crash.GetProperty("taints").EnumerateArray());
        Assert.Equal(3, crash.GetProperty("load_average").GetArrayLength());

        // The log and the clock agree on when the machine crashed.
        using JsonDocument log = JsonDocument.Parse(Tool.Succeed(s_vmcore, "dmesg", Dump, "--json", "--tail", "1").OutputBytes);
        double last = log.RootElement.GetProperty("messages")[0].GetProperty("timestamp").GetDouble() / 1e9;
        Assert.InRange(crash.GetProperty("uptime_seconds").GetDouble(), last - 3, last + 3);
        string text = Tool.Succeed(s_vmcore, "info", Dump).Output;
        Assert.Contains("PID 1 \"init\" on CPU", text, StringComparison.Ordinal);
        Assert.Contains("Tainted:     no\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("symbol", "init_task")]
    [InlineData("print", "init_task.comm")]
    [InlineData("info", null)]
    public void WhatIsNoVmlinuxOfTheDumpIsNamed(string command, string? word)
    {
        foreach (string file in (string[])["/nowhere/vmlinux", "/etc/passwd", Dump, "/dev/null"])
        {
            ToolResult result = Tool.Run(s_vmcore, [command, Dump, .. word is null ? Array.Empty<string>() : [word], "--vmlinux", file]);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains(file, result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    [Fact]
    public void ColoursAreForTerminals()
    {
        Assert.DoesNotContain("\e[", Tool.Succeed(s_vmcore, "ps", Dump).Output, StringComparison.Ordinal);
        Assert.Contains("\e[1m", Tool.Succeed(s_vmcore, "ps", Dump, "--color", "always").Output, StringComparison.Ordinal);
    }
}
