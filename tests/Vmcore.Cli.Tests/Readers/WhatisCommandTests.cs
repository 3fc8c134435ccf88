using System.Globalization;
using System.Text.Json;
using Vmcore.Kernel.Block;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What addresses are, and what workers and disks had to do, on the sample of a real crash.</summary>
public sealed class WhatisCommandTests
{
    [Theory]
    [InlineData("schedule+0x0, code of the kernel", "schedule")]
    [InlineData("slab_caches+0x8, data of the kernel", "&slab_caches.prev")]
    [InlineData("linux_banner+0x0, read-only data of the kernel", "linux_banner")]
    [InlineData("the task_struct of PID 1 ", "init_task.tasks.next")]
    [InlineData("slab cache task_struct, object ", "init_task.tasks.next")]
    [InlineData("on the stack of PID 0 \"swapper/0\"", "init_task.stack")]
    [InlineData("on the stack hardirq_stack_ptr of CPU 0, 0x3ff8 from its start", "per_cpu(hardirq_stack_ptr,0)")]
    [InlineData("vmap: 0x", "per_cpu(hardirq_stack_ptr,0)")]
    [InlineData("asked for by irq_init_percpu_irqstack+0x", "per_cpu(hardirq_stack_ptr,0)")]
    [InlineData("memory of CPU 0: runqueues+0x4 ", "&per_cpu(runqueues,0).nr_running")]
    [InlineData("0 bytes into the struct page of page 0x0", "*(unsigned long *)vmemmap_base")]
    [InlineData("LIST_POISON1, which an entry has", "0xdead000000000108")]
    [InlineData("error -12 as a pointer", "0xfffffffffffffff4")]
    [InlineData("NULL and 0x18 bytes", "0x18")]
    [InlineData("no memory there: not mapped", "0xffffffffff000000")]
    [InlineData("rw-s, /mnt/pmem0/a at 0x123", "0x7fbc95648123", "--pid", "121")]
    [InlineData("It is user data: Vmcore keeps it out of every dump.", "0x7fbc95648123", "--pid", "121")]
    [InlineData("It is page 0 (offset 0x0) of the file /mnt/pmem0/a", "0x107c00000", "--physical")]
    [InlineData("It holds struct pages of the namespace", "0x100200000", "--physical")]
    public void AnAddressIsExplained(string expected, string address, params string[] options)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, ["whatis", PatchedSample.Original, address, .. options]);
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
    }

    /// <summary>The member is whatever stands 8 bytes into the structure: the same answer by another word.</summary>
    [Fact]
    public void JsonSaysTheSame()
    {
        using var answer = JsonDocument.Parse(
            Tool.Succeed(Executable.Vmcore, "whatis", "--json", PatchedSample.Original, "init_task.tasks.next", "per_cpu(runqueues,0)").Output);
        JsonElement[] all = [.. answer.RootElement.GetProperty("addresses").EnumerateArray()];
        JsonElement item = all[0].GetProperty("object"), variable = all[1].GetProperty("per_cpu");
        Assert.Equal(("task_struct", "in_use", 1), (Text(item, "cache"), Text(item, "state"), item.GetProperty("pid").GetInt32()));
        Assert.True(item.GetProperty("offset").GetInt64() > 0);
        Assert.Equal(("runqueues", 0, 0), (Text(variable, "variable"), variable.GetProperty("cpu").GetInt32(), variable.GetProperty("offset").GetInt32()));
        Assert.Equal(JsonValueKind.Null, all[1].GetProperty("object").ValueKind);
    }

    [Theory]
    [InlineData("--physical: only", "init_task", "--physical", "--pid", "1")]
    [InlineData("'init_task' is no physical address", "init_task", "--physical")]
    [InlineData("has no memory of its own", "0x1000", "--pid", "2")]
    [InlineData("there is no task 99999", "0x1000", "--pid", "99999")]
    public void WhatContradictsIsRefused(string expected, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, ["whatis", PatchedSample.Original, .. words]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(expected.Split(':')[0], result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }

    /// <summary>pmem takes bios: what was not done is what its CPUs counted.</summary>
    [Fact]
    public void BiosThatAreNotDoneAreCounted()
    {
        Assert.Equal("no disk had I/O to do\n", Tool.Succeed(Executable.Vmcore, "io", PatchedSample.Original).Output);
        ulong counter;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
        {
            BlockDisk disk = BlockDisks.Load(dump.KernelView).Disks.Single(static d => d.Name == "pmem0");
            Assert.Equal((0L, 0L), (disk.Reads, disk.Writes));
            counter = dump.Evaluate(Invariant($"((struct gendisk *)0x{disk.Address:x})->part0->bd_stats")).AsUInt64() + dump.PerCpu!.OffsetOf(0)!.Value;
        }

        using TemporaryFolder folder = new();
        string patched = PatchedSample.WithValue(folder, Invariant($"((struct disk_stats *)0x{counter:x})->in_flight[1]"), 3);
        Assert.StartsWith("pmem0  259:0  0 reads and 3 writes not done\n", Tool.Succeed(Executable.Vmcore, "io", patched).Output, StringComparison.Ordinal);
        Assert.Contains("pmem0  259:0  0 reads and 3 writes not done\n", Tool.Run(Executable.Vmcore, "report", patched).Output, StringComparison.Ordinal);
    }

    /// <summary>Every worker of every pool is a task that is named for it; in the sample all are idle.</summary>
    [Fact]
    public void PoolsHaveTheirWorkers()
    {
        using var answer = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, "workqueues", "--all", "--json", PatchedSample.Original).Output);
        JsonElement[] pools = [.. answer.RootElement.GetProperty("pools").EnumerateArray()];
        int workers = pools.Sum(static p => p.GetProperty("workers").GetInt32());
        using var tasks = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, "ps", "--json", PatchedSample.Original).Output);
        JsonElement[] all = [.. tasks.RootElement.GetProperty("tasks").EnumerateArray()];
        Assert.Equal(all.Count(static t => Text(t, "name").StartsWith("kworker/", StringComparison.Ordinal)), workers);
        Assert.Equal("no worker had work\n", Tool.Succeed(Executable.Vmcore, "workqueues", PatchedSample.Original).Output);
    }

    private static string Text(JsonElement item, string member) => item.GetProperty(member).GetString()!;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
