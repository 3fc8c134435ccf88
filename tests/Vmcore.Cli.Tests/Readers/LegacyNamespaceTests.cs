using System.Text.Json;
using Vmcore.Formats.Elf;
using Vmcore.Pmem;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>
/// A namespace without an info block whose memmap is in RAM, as legacy ones have it (memmap=SIZE!START): a real crash in which the info block of the
/// namespace with map=mem is zero. <c>info</c> and <c>pmem</c> say the same of it.
/// </summary>
public sealed class LegacyNamespaceTests
{
    [Fact]
    public void InfoAndPmemAgreeOnIt()
    {
        using TemporaryFolder folder = new();
        string dump = WithoutBlock(folder);
        using JsonDocument info = Ask("info", dump), pmem = Ask("pmem", dump);
        JsonElement[] of = [.. info.RootElement.GetProperty("pmem").GetProperty("namespaces").EnumerateArray()];
        JsonElement[] ours = [.. pmem.RootElement.GetProperty("namespaces").EnumerateArray()];
        Assert.Equal(["namespace0.0 fsdax dev complete", "namespace0.1 devdax dev complete", "namespace0.2 unknown mem none"],
            of.Select(static n => Line(n, n.GetProperty("memmap"))));
        Assert.Equal(of.Select(static n => Line(n, n.GetProperty("memmap"))), ours.Select(static n => Line(n, n.GetProperty("memmap").GetProperty("state"))));

        // Its pages are known as before.
        Assert.Equal(512UL, ours[2].GetProperty("pages").GetProperty("mapped").GetUInt64());
        Assert.Contains("  unknown  map=mem\n    memmap in RAM;", Tool.Run(Executable.Vmcore, "info", dump).Output, StringComparison.Ordinal);
        string text = Tool.Run(Executable.Vmcore, "pmem", dump).Output;
        Assert.Contains("legacy, or its info block is lost, memmap in RAM (map=mem)", text, StringComparison.Ordinal);
    }

    private static string Line(JsonElement item, JsonElement state) =>
        $"{item.GetProperty("name").GetString()} {item.GetProperty("mode").GetString()} {item.GetProperty("map").GetString()} {state.GetString()}";

    private static string WithoutBlock(TemporaryFolder folder)
    {
        string copy = PatchedSample.Copy(folder);
        long offset;
        using (CrashDump dump = CrashDump.Open(copy))
        {
            PmemNamespace item = dump.Pmem.Namespaces.Single(static n => n.Map == PmemMap.Memory);
            ulong at = item.Range.Start + 4096;
            ElfSegment load = dump.Loads.First(l => l.PhysicalAddress <= at && at < l.PhysicalAddress + l.FileSize);
            offset = (long)(load.Offset + (at - load.PhysicalAddress));
        }

        using FileStream file = File.Open(copy, FileMode.Open, FileAccess.ReadWrite);
        file.Position = offset;
        file.Write(new byte[4096]);
        return copy;
    }

    private static JsonDocument Ask(string command, string dump) => JsonDocument.Parse(Tool.Run(Executable.Vmcore, command, dump, "--json").Output);
}
