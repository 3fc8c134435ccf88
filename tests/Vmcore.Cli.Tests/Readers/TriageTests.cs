using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Stacks;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Real crashes: what they died of, and how they are grouped.</summary>
public sealed class TriageTests
{
    private const string Title = "panic: sysrq triggered crash in sysrq_handle_crash";
    private const string Digest = "f79d2e5932a88042";

    private static string Sample => RealCrash.Get("sample rfc-v2-6.1").Path;

    /// <summary>One cause, two machines, four kernels: one signature. It is part of version 1.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1", true)]
    [InlineData("sample stock-6.1-nopmem", false)]
    [InlineData("stock-6.12", true)]
    [InlineData("arm64-6.12-16k", true)]
    [InlineData("arm64-6.1", false)]
    public void OneCauseHasOneSignature(string name, bool isWhole)
    {
        using CrashDump dump = CrashDump.Open(RealCrash.Get(name).Path);
        CrashCause cause = CrashCause.Read(dump.KernelView);
        Assert.Equal((CrashKind.Sysrq, Title, Digest, !isWhole), (cause.Kind, cause.Title, cause.Signature.Digest, cause.Signature.IsPartial));
        Assert.Equal(["sysrq_handle_crash", "__handle_sysrq", "write_sysrq_trigger", "proc_reg_write"], cause.Signature.Frames);
        Assert.Equal((1, "init"), (cause.Pid, cause.TaskName));
        Assert.All(cause.Path, p => Assert.Equal(isWhole ? CrashSource.Stack : CrashSource.Log, p.Source));
        Assert.Null(cause.SuspectedModule);
    }

    /// <summary>Of a dump that is cut the signature is whole and right, or it says that it is partial.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(30)]
    [InlineData(60)]
    [InlineData(90)]
    public void ACutDumpIsNeverGroupedWrongly(int percent)
    {
        using TemporaryFolder folder = new();
        string cut = folder.File("dump");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", Sample, cut);
        using (FileStream file = File.OpenWrite(cut))
            file.SetLength(file.Length * percent / 100);
        CrashCause cause;
        try
        {
            using CrashDump dump = CrashDump.Open(cut);
            cause = CrashCause.Read(dump.KernelView);
        }
        catch (VmcoreException)
        {
            return;
        }

        Assert.True(cause.Signature.IsPartial || cause.Signature.Digest == Digest, $"{cause.Signature}: {cause.Title}");
        Assert.True(!cause.Signature.IsPartial || cause.Problems.Count > 0);
    }

    /// <summary>A call of address 0 leaves an instruction pointer of 0: registers all the same.</summary>
    [Fact]
    public void RegistersWithAnInstructionPointerOfZeroAreRegisters()
    {
        const ulong Head = 12 + 8, Registers = 112;
        using TemporaryFolder folder = new();
        ulong at;
        int cpu;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
        {
            CpuState crashing = KernelStacks.Load(dump.KernelView).Crashing!;
            cpu = crashing.Number;
            Assert.True(dump.KernelView.RequireSymbols().TryFind("crash_notes", out ulong variable));
            Assert.True(dump.KernelView.RequireMemory().TryReadUInt64(variable, out ulong notes));
            int index = crashing.Registers!.Names.ToList().IndexOf("rip");
            at = unchecked(notes + dump.KernelView.PerCpu!.OffsetOf(cpu)!.Value) + Head + Registers + (8 * (ulong)index);
        }

        using CrashDump patched = CrashDump.Open(PatchedSample.WithValue(folder, $"((struct list_head *)0x{at:x})->next", 0));
        CpuState found = KernelStacks.Load(patched.KernelView).Crashing!;
        Assert.Equal((cpu, 0UL), (found.Number, found.Registers?.InstructionPointer));
    }

    [Fact]
    public void DumpsAreGroupedAndOneBadFileEndsNothing()
    {
        using TemporaryFolder folder = new();
        using TemporaryFolder more = new();
        string filtered = more.File("dump");
        Tool.Succeed(Executable.Makedumpfile, "-l", "-d", "31", Sample, filtered);
        string bad = folder.File("bad"), lines = folder.File("lines"), text = folder.File("README");
        File.WriteAllText(bad, "KDUMP   but nothing behind it");
        File.WriteAllText(text, "no dump");
        string[] dumps = [Sample, filtered];
        string withoutTypes = RealCrash.Get("sample stock-6.1-nopmem").Path;
        ToolResult result = Tool.Run(Executable.Vmcore, ["triage", "--json", .. dumps, withoutTypes, Path.GetDirectoryName(bad)!]);
        Assert.Equal(1, result.ExitCode);
        List<JsonElement> all = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => JsonDocument.Parse(l).RootElement)];
        Assert.Equal(["dump", "dump", "dump", "passed_over", "failed", "group", "group"],
            all.Select(static l => l.GetProperty("line").GetString()).OrderBy(Order));
        JsonElement group = all[^2];
        Assert.Equal((2, Title, "v1:" + Digest),
            (group.GetProperty("count").GetInt32(), group.GetProperty("title").GetString(), group.GetProperty("signature").GetString()));
        Assert.Equal(1, group.GetProperty("kernels").GetArrayLength());

        // What has no stacks is a group of its own, and it is said that it looks the same.
        Assert.Equal(("v1-partial:" + Digest, "v1:" + Digest), (all[^1].GetProperty("signature").GetString(), all[^1].GetProperty("like").GetString()));

        // What a fleet wrote is grouped as the dumps themselves are.
        File.WriteAllText(lines, result.Output);
        ToolResult again = Tool.Run(Executable.Vmcore, "triage", "--json", lines);
        Assert.Equal(1, again.ExitCode);
        Assert.Contains(bad, again.Error, StringComparison.Ordinal);
        Assert.Equal(group.GetRawText(), again.Output.TrimEnd('\n').Split('\n')[^2]);
        ToolResult csv = Tool.Run(Executable.Vmcore, "triage", "--csv", lines);
        Assert.Contains($"\r\n2,v1:{Digest},false,sysrq,{Title},,", csv.Output, StringComparison.Ordinal);
        ToolResult people = Tool.Run(Executable.Vmcore, ["triage", .. dumps]);
        Assert.Equal(0, people.ExitCode);
        Assert.StartsWith($"2 x {Title}\n    signature  v1:{Digest}\n", people.Output, StringComparison.Ordinal);

        static int Order(string? line) => Array.IndexOf(["dump", "passed_over", "failed", "group"], line);
    }

    /// <summary>A folder may have anything: pipes, links that lead back, other names of a dump.</summary>
    [Fact]
    public void AFolderIsReadOnceAndNothingInItIsWaitedFor()
    {
        using TemporaryFolder folder = new();
        string own = Path.GetDirectoryName(folder.File("x"))!;
        Tool.Succeed("mkfifo", folder.File("pipe"));
        File.CreateSymbolicLink(folder.File("dump"), Sample);
        File.CreateSymbolicLink(folder.File("same"), Sample);
        Directory.CreateSymbolicLink(folder.File("loop"), own);
        ToolResult result = Tool.Run(Executable.Vmcore, "triage", own, Sample);
        Assert.Equal(0, result.ExitCode);
        Assert.StartsWith($"1 x {Title}\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("pipe: passed over: it does not begin like a dump", result.Error, StringComparison.Ordinal);
        Assert.Contains("same: passed over: it was read already", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"signature\": 12, \"file\"")]
    [InlineData("{{{{")]
    [InlineData("{} x")]
    [InlineData("{\"a\":[[[[1]]]]}\n\u0000")]
    public void LinesThatAreNoneAreSaidSo(string content)
    {
        using TemporaryFolder folder = new();
        string file = folder.File("lines");
        File.WriteAllText(file, content);
        ToolResult result = Tool.Run(Executable.Vmcore, "triage", file);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no JSON", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
    }

    /// <summary>A task that was killed leaves half a line: the others count.</summary>
    [Theory]
    [InlineData("{\"line\":\"dump\",\"sig")]
    [InlineData("{\"title\":\"\\ud800\"}")]
    public void ALineThatIsDamagedLosesNoOther(string damaged)
    {
        using TemporaryFolder folder = new();
        string file = folder.File("lines"), whole = Tool.Succeed(Executable.Vmcore, "triage", "--json", Sample).Output.Split('\n')[0];
        File.WriteAllText(file, $"{whole}\n{damaged}\n{whole}\n");
        ToolResult result = Tool.Run(Executable.Vmcore, "triage", file);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("line 2 is no line of triage", result.Error, StringComparison.Ordinal);
        Assert.Contains("2 x ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void ATitleOfALineMakesNoLineOfItsOwn()
    {
        using TemporaryFolder folder = new();
        string file = folder.File("lines"), whole = Tool.Succeed(Executable.Vmcore, "triage", "--json", Sample).Output.Split('\n')[0];
        File.WriteAllText(file, whole.Replace("\"title\":\"", "\"title\":\"a\\n9 x all is well\\u0085", StringComparison.Ordinal) + "\n");
        string[] lines = Tool.Succeed(Executable.Vmcore, "triage", file).Output.Split('\n');
        Assert.StartsWith("1 x a 9 x all is well ", lines[0], StringComparison.Ordinal);
        Assert.Single(lines, static l => l.Contains(" x ", StringComparison.Ordinal));
    }

    [Fact]
    public void EveryMemberIsDocumented()
    {
        string documents = File.ReadAllText(Path.Combine(Repository.Root, "docs", "json-schema.md"));
        foreach (string line in Tool.Succeed(Executable.Vmcore, "triage", "--json", Sample).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (JsonProperty member in JsonDocument.Parse(line).RootElement.EnumerateObject())
                Assert.Contains($"`{member.Name}", documents, StringComparison.Ordinal);
        }
    }
}
