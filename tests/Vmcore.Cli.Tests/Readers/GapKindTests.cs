using System.Text.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Summary;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Gaps of one kind each: a resource tree that is cut short, slab look-up in what is left of a dump, Xen, memory that is not there.</summary>
public sealed class GapKindTests
{
    [Theory]
    [InlineData("pmem")]
    [InlineData("map")]
    public void AResourceTreeThatIsCutShortIsAGap(string command)
    {
        using TemporaryFolder folder = new();
        string cut = PatchedSample.WithValue(folder, "iomem_resource.child->sibling->sibling", 0xdead);
        ToolResult json = Tool.Run(Executable.Vmcore, command, cut, "--json");
        Assert.Equal(1, json.ExitCode);
        using JsonDocument answer = JsonDocument.Parse(json.Output);
        Assert.Contains(answer.RootElement.GetProperty("gaps").EnumerateArray(),
            static g => g.GetString()!.Contains("resource tree is cut short", StringComparison.Ordinal));
        ToolResult text = Tool.Run(Executable.Vmcore, command, cut);
        Assert.Equal(1, text.ExitCode);
        Assert.Contains("the answer is not complete: the kernel's resource tree is cut short", text.Error, StringComparison.Ordinal);
    }

    /// <summary>A slab whose cache cannot be read is no reason to say "in no slab"; an address of the kernel's image is one.</summary>
    [Fact]
    public void SlabLookUpNeverDeniesWhatItCannotRead()
    {
        using TemporaryFolder folder = new();
        ulong task, slab, image;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
        {
            task = dump.KernelView.RequireTasks().Tasks.First(static t => t.Pid == 1).Address;
            image = dump.KernelView.RequireSymbols().TryFind("init_task", out ulong address) ? address : 0;
            SlabObject slot = dump.OpenSlabs().Find(task, out Finding? none)!;
            Assert.Equal(("task_struct", null), (slot.Cache.Name, none));
            ulong first = slot.Address - ((ulong)slot.Index * slot.Cache.Stride);
            ulong pfn = dump.KernelView.RequireMemory().Translate(first).PhysicalAddress >> dump.Memory.PageShift;
            Assert.True(dump.Memmap!.Model.TryGetStructPage(pfn, out slab, out _));
        }

        using CrashDump patched = CrashDump.Open(PatchedSample.WithValue(folder, $"((struct slab *)0x{slab:x})->slab_cache", 0xdead));
        SlabCaches slabs = patched.OpenSlabs();
        Assert.Null(slabs.Find(task, out Finding? problem));
        Assert.Equal(FindingCode.SlabUnknown, problem?.Code);
        Assert.Null(slabs.Find(image, out problem));
        Assert.Null(problem);
    }

    [Fact]
    public void ADumpOfXenIsNamedByTheReaders()
    {
        using TemporaryFolder folder = new();
        string xen = PatchedSample.WithHeader(folder, "CORE\0"u8, "Xen\0\0"u8);
        ToolResult ps = Tool.Run(Executable.Vmcore, "ps", xen);
        Assert.Equal(1, ps.ExitCode);
        Assert.Contains("a dump of a Xen hypervisor", ps.Error, StringComparison.Ordinal);
        using JsonDocument info = JsonDocument.Parse(Tool.Run(Executable.Vmcore, "info", xen, "--json").Output);
        Assert.Contains("xen_dump", info.RootElement.GetProperty("problem_codes").EnumerateArray().Select(static c => c.GetString()));
        Assert.Contains("a dump of a Xen hypervisor", Tool.Run(Executable.Vmcore, "info", xen).Output, StringComparison.Ordinal);
    }

    /// <summary>Half of what was asked for is there: shown, and said.</summary>
    [Fact]
    public void BytesThatAreNotThereAreAGap()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        ulong end = dump.Loads.Where(static l => !l.IsDevice).Max(static l => l.PhysicalEnd), start = end - 4096;
        ToolResult json = Tool.Run(Executable.Vmcore, "read", "--physical", PatchedSample.Original, $"0x{start:x}", "8192", "--json");
        using JsonDocument answer = JsonDocument.Parse(json.Output);
        Assert.Equal((1, 4096), (json.ExitCode, answer.RootElement.GetProperty("missing").GetInt32()));
        Assert.Contains("4096 of 8192 bytes cannot be read", Assert.Single(answer.RootElement.GetProperty("gaps").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        ToolResult text = Tool.Run(Executable.Vmcore, "read", "--physical", PatchedSample.Original, $"0x{start:x}", "8192");
        Assert.Equal(1, text.ExitCode);
        Assert.Contains("the answer is not complete: 4096 of 8192 bytes cannot be read", text.Error, StringComparison.Ordinal);
    }

    /// <summary>The stack of a task that has ended is no gap; that of one that has not is.</summary>
    [Theory]
    [InlineData(0x20UL, 0, "the task has ended")]
    [InlineData(0UL, 1, "is not on its stack")]
    public void AStackThatTheKernelTookBackIsNotMissing(ulong exitState, int status, string words)
    {
        using TemporaryFolder folder = new();
        string task;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
            task = $"((struct task_struct *)0x{dump.KernelView.RequireTasks().Tasks.First(static t => t.Pid == 2).Address:x})";
        string patched = PatchedSample.WithValues(folder, ($"{task}->exit_state", exitState), ($"{task}->stack", 0));
        ToolResult result = Tool.Run(Executable.Vmcore, "bt", patched, "2");
        Assert.Equal(status, result.ExitCode);
        Assert.Contains(words, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void TimesOfTheLogAreAskedForInOneWay()
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "dmesg", PatchedSample.Original, "-T", "-t", "none");
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("contradict", result.Error, StringComparison.Ordinal);
        Tool.Succeed(Executable.Vmcore, "dmesg", PatchedSample.Original, "-T", "-t", "ctime");
    }

    /// <summary>What a process wrote into the log does not tell how the kernel died, whatever it looks like.</summary>
    [Fact]
    public void WhatProcessesLoggedIsNoPanic()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        Assert.Equal("Kernel panic - not syncing: sysrq triggered crash", CrashSummary.Read(dump.KernelView).Panic);
        CrashLog log = new();
        log.Add(null, "BUG: kernel NULL pointer dereference, address: 0000000000000018");
        log.Add(null, "Oops: 0000 [#1] PREEMPT SMP NOPTI");
        Assert.Equal("BUG: kernel NULL pointer dereference, address: 0000000000000018", (log.Panic ?? log.Cause())?.Line);
    }
}
