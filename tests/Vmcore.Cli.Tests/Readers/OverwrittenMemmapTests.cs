using System.Buffers.Binary;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Formats.Elf;
using Vmcore.Pmem;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>
/// A memmap on pmem that a capture kernel's driver wrote anew: a real crash in which each struct page of the namespaces has what a fresh one has, with
/// another kernel's addresses. What the struct pages said is known otherwise, and nothing is called idle.
/// </summary>
public sealed class OverwrittenMemmapTests
{
    // struct page of 6.1 on x86_64: two words of links or dev_pagemap behind the flags, then mapping and index.
    private const int StructPage = 64, Words = 8, Mapping = 24, Index = 32;
    private const ulong OtherBase = 0x40000000000;

    [Fact]
    public void FilesAndDevicesAreKnownAllTheSame()
    {
        using TemporaryFolder folder = new();
        string before = RealCrash.Get("sample rfc-v2-6.1").Path, after = Overwritten(folder);
        using JsonDocument good = Ask(before), answer = Ask(after);
        JsonElement root = answer.RootElement;
        Assert.Equal(["overwritten", "overwritten", "none"],
            root.GetProperty("namespaces").EnumerateArray().Select(n => n.GetProperty("memmap").GetProperty("state").GetString()!));
        Assert.Equal(Files(good), Files(answer));
        Assert.Equal(good.RootElement.GetProperty("processes").GetRawText(), root.GetProperty("processes").GetRawText());
        foreach (JsonElement item in root.GetProperty("namespaces").EnumerateArray().Take(2))
        {
            JsonElement pages = item.GetProperty("pages");
            Assert.Equal(pages.GetProperty("total").GetUInt64(), pages.GetProperty("unreadable").GetUInt64());
            Assert.All((string[])["idle", "mapped", "shared", "in_use", "foreign", "pinned", "poisoned"],
                state => Assert.Equal(0UL, pages.GetProperty(state).GetUInt64()));
        }

        Assert.Equal(
            good.RootElement.GetProperty("namespaces").EnumerateArray().Select(n => n.GetProperty("devices").GetRawText()),
            root.GetProperty("namespaces").EnumerateArray().Select(n => n.GetProperty("devices").GetRawText()));

        // Said once for each namespace.
        Assert.Equal(2, root.GetProperty("findings").EnumerateArray().Count(f => f.GetString()!.Contains("written anew", StringComparison.Ordinal)));
        Assert.Contains("unknown (struct page written anew after the crash)", Tool.Run(Executable.Vmcore, "pmem", after).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0x107c10", "mapped", "It is page 16 (offset 0x10000) of the file /mnt/pmem0/a, inode 12 of ext4 on pmem0.")]
    [InlineData("0x108412", "mapped", "It is page 18 of the device /dev/dax0.1 (device number")]
    [InlineData("0x101000", null, "It may have been idle; that is not known.")]
    public void OnePageIsExplainedWithoutItsStruct(string pfn, string? state, string words)
    {
        using TemporaryFolder folder = new();
        string dump = Overwritten(folder);
        using JsonDocument answer = Ask(dump, "--page", pfn);
        Assert.Equal(state, answer.RootElement.GetProperty("state").GetString());
        string text = Tool.Run(Executable.Vmcore, "pmem", dump, "--page", pfn).Output;
        Assert.Contains(words, text, StringComparison.Ordinal);
        Assert.Contains("written anew after the crash", text, StringComparison.Ordinal);
        Assert.DoesNotContain("It is idle", text, StringComparison.Ordinal);
    }

    /// <summary>The same where the memmap is not in the dump at all: a devdax device has no page tree, and is known by page tables alone.</summary>
    [Fact]
    public void WithoutMemmapADeviceIsKnownByPageTables()
    {
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "63", "-l", RealCrash.Get("sample rfc-v2-6.1").Path, folder.File("dump"));
        using JsonDocument good = Ask(RealCrash.Get("sample rfc-v2-6.1").Path), answer = Ask(folder.File("dump"));
        Assert.Equal(Files(good), Files(answer));
    }

    private static List<string> Files(JsonDocument answer) => [.. answer.RootElement.GetProperty("files").EnumerateArray()
        .Select(f => $"{f.GetProperty("path").GetString()} {f.GetProperty("pages").GetUInt64()} {f.GetProperty("ranges").GetRawText()}").Order()];

    private static string Overwritten(TemporaryFolder folder)
    {
        string path = folder.File("overwritten");
        Tool.Dump("-d", "31", "-E", RealCrash.Get("sample rfc-v2-6.1").Path, path);
        List<long> pages = [];
        using (CrashDump dump = CrashDump.Open(path))
        {
            foreach (PmemNamespace item in dump.Pmem.Namespaces.Where(n => n.Map == PmemMap.Device))
            {
                ulong block = (item.Range.Start + 0x1000) >> 12;
                foreach (ulong pfn in item.Metadata.SelectMany(r => Enumerable.Range(0, (int)r.Count).Select(i => r.Start + (ulong)i)).Where(p => p != block))
                {
                    ElfSegment load = dump.Loads.First(l => l.PhysicalAddress <= pfn << 12 && pfn << 12 < l.PhysicalAddress + l.FileSize);
                    pages.Add((long)(load.Offset + ((pfn << 12) - load.PhysicalAddress)));
                }
            }
        }

        using FileStream file = new(path, FileMode.Open);
        byte[] bytes = new byte[4096];
        foreach (long offset in pages)
        {
            file.Position = offset;
            file.ReadExactly(bytes);
            for (int at = 0; at < bytes.Length; at += StructPage)
            {
                Span<byte> page = bytes.AsSpan(at, StructPage);
                foreach (int word in (int[])[Words, Words + 8])
                {
                    ulong value = BinaryPrimitives.ReadUInt64LittleEndian(page[word..]);
                    if (value >> 47 == 0x1ffff)
                        BinaryPrimitives.WriteUInt64LittleEndian(page[word..], value + OtherBase);
                }

                page[Mapping..(Index + 8)].Clear();
            }

            file.Position = offset;
            file.Write(bytes);
        }

        return path;
    }

    private static JsonDocument Ask(string dump, params string[] more) =>
        JsonDocument.Parse(Tool.Run(Executable.Vmcore, ["pmem", dump, "--json", .. more]).Output);
}
