using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>The samples run on the bundled dump, and what they say is so.</summary>
public sealed class SampleTests
{
    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    [Theory]
    [InlineData("FindText", "LAB-ANON-TEXT", "0x")]
    [InlineData("PageStates", "", "PmemMetadata")]
    [InlineData("DaxInodes", "", "     256 pages  inode 12  1048576 bytes  /mnt/pmem0/a\n")]
    [InlineData("OpenFiles", "", "      1 init                0 /dev/console\n")]
    [InlineData("OpenFiles", "", " /mnt/pmem0/a\n")]
    [InlineData("SlabOf", "0xffff8b5041099800", "task_struct: object at 0xffff8b5041099740, 5896 bytes, +192\n")]
    public void SamplesRun(string name, string argument, string wanted)
    {
        string[] arguments = ["exec", Sample(name), Dump, .. argument.Length > 0 ? new[] { argument } : []];
        Assert.Contains(wanted, Tool.Succeed("dotnet", arguments).Output, StringComparison.Ordinal);
    }

    /// <summary>A text that lies on the pmem, in the raw vmcore too, is not found.</summary>
    [Fact]
    public void WhatUsersHaveOnPmemIsNotFound()
    {
        ToolResult result = Tool.Run("dotnet", "exec", Sample("FindText"), Dump, "LAB-PMEM-CANARY");
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
    }

    [Fact]
    public void AnAddressOfTheKernelsImageIsInNoSlab()
    {
        ToolResult result = Tool.Run("dotnet", "exec", Sample("SlabOf"), Dump, "ffffffff84012600");
        Assert.Equal((1, "in no slab\n"), (result.ExitCode, result.Output));
    }

    /// <summary>What the kernel takes from a cache of its own is found in it: the tasks (but the one in the kernel's image), their files and memory.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1")]
    [InlineData("stock-6.12")]
    public void ObjectsAreInTheirCaches(string name)
    {
        using CrashDump dump = CrashDump.Open(RealCrash.Get(name).Path);
        SlabCaches slabs = dump.OpenSlabs();
        int found = 0;
        foreach (KernelTask task in dump.KernelView.RequireTasks().Tasks.Where(static t => t.Pid != 0))
        {
            SlabObject slot = Assert.IsType<SlabObject>(slabs.Find(task.Address + 100, out _));
            Assert.Equal(("task_struct", task.Address), (slot.Cache.Name, slot.Address));
            foreach ((string member, string cache) in new[] { ("mm", "mm_struct"), ("signal", "signal_cache"), ("sighand", "sighand_cache") })
            {
                ulong address = task.Object.Member(member).AsUInt64();
                if (slabs.Find(address, out _) is not { } part)
                    continue; // None, or that of the kernel itself.
                Assert.Equal((cache, address), (part.Cache.Name, part.Address));
                found++;
            }
        }

        Assert.True(found > 20);
    }

    [Fact]
    public void HashesAreThoseOfInfo()
    {
        using JsonDocument info = JsonDocument.Parse(Tool.Succeed(Executable.Vmcore, "info", "--json", Dump).Output);
        string[] theirs = [.. info.RootElement.GetProperty("pmem").GetProperty("namespaces").EnumerateArray()
            .Select(static n => $"{n.GetProperty("metadata_sha256").GetString()}  {n.GetProperty("name").GetString()}")];
        Assert.Equal(theirs, Tool.Succeed("dotnet", "exec", Sample("NamespaceHash"), Dump).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>What the package's README says that its program prints.</summary>
    [Fact]
    public void TheProgramOfTheReadmePrintsWhatItSays()
    {
        string readme = File.ReadAllText(Path.Combine(Repository.Root, "src", "Vmcore", "README.md"));
        string shown = readme.Split("```text\n")[1].Split("```")[0];
        Assert.EndsWith(shown, Tool.Succeed("dotnet", "exec", Sample("FirstLook"), Dump).Output, StringComparison.Ordinal);
    }

    /// <summary>Holes of the machine are no pages, and what a dump leaves out is classified by its struct page all the same.</summary>
    [Fact]
    public void TheSamplePageStatesCountsTheSameInAFilteredDump()
    {
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "31", "-l", Dump, folder.File("dump"));
        Assert.Equal(Tool.Succeed("dotnet", "exec", Sample("PageStates"), Dump).Output,
            Tool.Succeed("dotnet", "exec", Sample("PageStates"), folder.File("dump")).Output);
    }

    private static string Sample(string name) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples", name, "bin"), name + ".dll", SearchOption.AllDirectories)
            .First(f => f.Contains("Release", StringComparison.Ordinal));
}
