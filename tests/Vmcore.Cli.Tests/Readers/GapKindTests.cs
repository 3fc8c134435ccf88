using System.Text.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Tasks;

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

    /// <summary>Of a dump that ends early: an object is in its cache, or why that cannot be told is said; it is never "in no slab".</summary>
    [Fact]
    public void SlabLookUpNeverDeniesWhatItCannotRead()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("dump");
        Tool.Dump("-d", "31", "-l", PatchedSample.Original, path);
        ulong[] tasks;
        using (CrashDump whole = CrashDump.Open(path))
            tasks = [.. whole.KernelView.RequireTasks().Tasks.Where(static t => t.Pid != 0).Select(static t => t.Address)];
        long length = new FileInfo(path).Length;
        int found = 0, unknown = 0;
        foreach (int percent in (int[])[80, 60, 45, 30])
        {
            using (FileStream file = new(path, FileMode.Open))
                file.SetLength(length * percent / 100);
            using CrashDump dump = CrashDump.Open(path);
            if (dump.Types is null || dump.Memmap is null)
                continue;
            SlabCaches slabs = dump.OpenSlabs();
            foreach (ulong task in tasks)
            {
                if (slabs.Find(task, out Finding? problem) is { } slot)
                {
                    Assert.Equal((task, null), (slot.Address, problem));
                    found++;
                }
                else
                {
                    Assert.Equal(FindingCode.SlabUnknown, problem?.Code);
                    unknown++;
                }
            }
        }

        Assert.True(found > 0 && unknown > 0, $"{found} found, {unknown} unknown");
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
}
