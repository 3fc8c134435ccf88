using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Files, mappings, memory and core files of processes; what drgn says of files and mappings is compared elsewhere.</summary>
public sealed class ProcessCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <inheritdoc/>
    public void Dispose() => _folder.Dispose();

    /// <summary>No byte of pmem comes out of a process that has it mapped, whatever is asked: the rest of its memory does.</summary>
    [Theory]
    [InlineData("stock-6.12")]
    [InlineData("rfc-v2-6.1")]
    public void WhatAProcessMapsOfPmemIsRefused(string name)
    {
        string dump = RealCrash.Get(name).Path;
        int pid = 0;
        JsonElement mapped = default;
        foreach (JsonElement task in Answer(0, "ps", dump, "labtool").GetProperty("tasks").EnumerateArray())
        {
            JsonElement[] areas = [.. Answer(0, "maps", dump, Pid(task)).GetProperty("areas").EnumerateArray()
                .Where(static a => a.GetProperty("dax").GetBoolean())];
            if (areas.Length > 0)
                (pid, mapped) = (task.GetProperty("pid").GetInt32(), areas[0]);
        }

        Assert.NotEqual(0, pid);
        string start = mapped.GetProperty("start").GetString()!, number = pid.ToString(CultureInfo.InvariantCulture);
        foreach (string[] words in (string[][])[["read", dump, start, "64", "--pid", number], ["read", dump, start, "64", "--pid", number, "-f", "raw"],
            ["print", dump, "--pid", number, $"*(long *){start}"], ["print", dump, "--pid", number, "unsigned long", start]])
        {
            ToolResult result = Tool.Run(Executable.Vmcore, words);
            Assert.Equal((1, ""), (result.ExitCode, result.Output));
        }

        string core = _folder.File("core");
        JsonElement answer = Answer(1, "gcore", dump, number, "-o", core);
        ulong from = Hex(start), to = Hex(mapped.GetProperty("end").GetString()!);
        Assert.Contains(answer.GetProperty("missing").EnumerateArray(), m =>
            Hex(m.GetProperty("start").GetString()!) == from && Hex(m.GetProperty("end").GetString()!) == to);
        List<(ulong Start, ulong End, ulong InFile)> segments = Segments(core);
        Assert.DoesNotContain(segments, s => s.Start < to && s.End > from);
        Assert.Contains(segments, static s => s.InFile > 0);
        string present = "0x" + segments.First(static s => s.InFile > 0).Start.ToString("x", CultureInfo.InvariantCulture);
        Assert.Equal(0, Tool.Run(Executable.Vmcore, "read", dump, present, "64", "--pid", number).ExitCode);
    }

    /// <summary>Each byte of the core file is the process's, read by its address; nothing is twice in it, and the tools that Debian has open it.</summary>
    [Fact]
    public void TheCoreFileIsTheProcess()
    {
        string dump = RealCrash.Get("stock-6.12").Path, core = _folder.File("core");
        JsonElement answer = Answer(1, "gcore", dump, "1", "-o", core);
        Assert.Equal([1], answer.GetProperty("threads").EnumerateArray().Select(static t => t.GetInt32()));
        List<(ulong Start, ulong End, ulong InFile)> segments = Segments(core);
        for (int i = 1; i < segments.Count; i++)
            Assert.True(segments[i - 1].End <= segments[i].Start);
        Assert.Equal(answer.GetProperty("present_bytes").GetUInt64(), segments.Aggregate(0UL, static (sum, s) => sum + s.InFile));
        (ulong start, _, ulong length) = segments.First(static s => s.InFile > 0);
        byte[] memory = Tool.Succeed(Executable.Vmcore, "read", dump, "0x" + start.ToString("x", CultureInfo.InvariantCulture),
            length.ToString(CultureInfo.InvariantCulture), "--pid", "1", "-f", "raw").OutputBytes;
        Assert.Equal(memory, File.ReadAllBytes(core).AsSpan((int)Offset(core, start), memory.Length).ToArray());

        string notes = Tool.Succeed("readelf", "-nW", core).Output;
        foreach (string note in (string[])["NT_PRSTATUS", "NT_PRPSINFO", "NT_AUXV", "NT_FILE"])
            Assert.Contains(note, notes, StringComparison.Ordinal);
        if (!File.Exists("/usr/bin/gdb"))
            return;
        string said = Tool.Succeed("/usr/bin/gdb", "-q", "-batch", "-nx", "-ex", "info registers rip", "-ex", "x/1xg $rsp", "-c", core).Output;
        JsonElement frame = Answer(0, "bt", dump, "1").GetProperty("stacks")[0].GetProperty("frames").EnumerateArray()
            .Last(static f => f.GetProperty("registers").ValueKind == JsonValueKind.Object).GetProperty("registers");
        Assert.Contains(frame.GetProperty("rip").GetString()!, said, StringComparison.Ordinal);
        Assert.DoesNotContain("Cannot access memory", said, StringComparison.Ordinal);
    }

    [Fact]
    public void CommandLinesAreShownWhereAskedFor()
    {
        string dump = RealCrash.Get("stock-6.12").Path;
        Assert.Equal(JsonValueKind.Null, Answer(0, "ps", dump, "labtool").GetProperty("processes").ValueKind);
        ToolResult text = Tool.Run(Executable.Vmcore, "ps", dump, "labtool", "--args", "--environment");
        Assert.Contains("labtool map /mnt/pmem0/a\n", text.Output, StringComparison.Ordinal);
        Assert.Contains("\n  HOME=/\n", text.Output, StringComparison.Ordinal);
        Assert.Contains(Answer(text.ExitCode, "ps", dump, "labtool", "--args").GetProperty("processes").EnumerateArray(), static p =>
            p.GetProperty("environment").ValueKind == JsonValueKind.Null && p.GetProperty("arguments").ValueKind == JsonValueKind.Array
            && p.GetProperty("arguments").EnumerateArray().Select(static a => a.GetString()).SequenceEqual(["labtool", "map", "/mnt/pmem0/a"]));
    }

    /// <summary>Drivers name their devices: what the messages of a PCI device begin with is what the kernel noted beside them.</summary>
    [Theory]
    [InlineData("stock-6.12")]
    [InlineData("sample rfc-v2-6.1")]
    public void MessagesOfDevicesSaySo(string name)
    {
        string dump = RealCrash.Get(name).Path;
        JsonElement[] messages = [.. Answer(0, "dmesg", dump).GetProperty("messages").EnumerateArray()];
        JsonElement[] of = [.. messages.Where(static m => m.GetProperty("subsystem").GetString() == "pci"
            && m.GetProperty("text").GetString()!.StartsWith("pci 0000:", StringComparison.Ordinal))];
        Assert.NotEmpty(of);
        Assert.All(of, static m => Assert.Equal("+pci:" + m.GetProperty("text").GetString()![4..16], m.GetProperty("device").GetString()));
        Assert.Contains($"({of[0].GetProperty("subsystem").GetString()} {of[0].GetProperty("device").GetString()})\n",
            Tool.Succeed(Executable.Vmcore, "dmesg", dump, "--caller").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("there is no task 4000000", "maps", "DUMP", "4000000")]
    [InlineData("expected the number of a task", "files", "DUMP", "init")]
    [InlineData("has no memory of its own", "maps", "DUMP", "2")]
    [InlineData("has no memory of its own", "gcore", "DUMP", "2", "-o", "OUT")]
    [InlineData("has no memory of its own", "read", "DUMP", "0", "--pid", "2")]
    [InlineData("is the input itself", "gcore", "DUMP", "1", "-f", "-o", "DUMP")]
    [InlineData("contradict each other", "read", "DUMP", "0", "-p", "--pid", "1")]
    [InlineData("'--output' is required", "gcore", "DUMP", "1")]
    public void WhatCannotBeIsSaid(string message, params string[] words)
    {
        string output = _folder.File("OUT");
        ToolResult result = Tool.Run(Executable.Vmcore, words.Select(w => w == "DUMP" ? RealCrash.Get("sample rfc-v2-6.1").Path : w == "OUT" ? output : w));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
    }

    private static JsonElement Answer(int status, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, [.. words, "--json"]);
        Assert.True(result.ExitCode == status, $"{string.Join(' ', words)}: exit status {result.ExitCode}: {result.Error}");
        using var answer = JsonDocument.Parse(result.Output);
        return answer.RootElement.Clone();
    }

    private static string Pid(JsonElement task) => task.GetProperty("pid").GetInt32().ToString(CultureInfo.InvariantCulture);

    private static ulong Hex(string text) => ulong.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static List<(ulong Start, ulong End, ulong InFile)> Segments(string core) =>
        [.. Loads(core).Select(static l => (Word(l, 16), Word(l, 16) + Word(l, 40), Word(l, 32)))];

    private static ulong Offset(string core, ulong address) => Word(Loads(core).First(l => Word(l, 16) == address), 8);

    private static List<byte[]> Loads(string core)
    {
        byte[] bytes = File.ReadAllBytes(core);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(56));
        return [.. Enumerable.Range(0, count).Select(i => bytes.AsSpan(64 + (56 * i), 56).ToArray()).Where(static l => l[0] == 1)];
    }

    private static ulong Word(byte[] header, int at) => BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(at));
}
