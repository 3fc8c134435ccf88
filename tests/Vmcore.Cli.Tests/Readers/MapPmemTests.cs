using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Kernel.Block;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>
/// The pmem in <c>vmcore map</c>: each piece is drawn as what it was on the machine (tests/data, and what its programs had mapped when it crashed), and as what
/// is put into a copy of its dump.
/// </summary>
public sealed class MapPmemTests
{
    // The data of the bundled crash's first namespace: its metadata end there.
    private const ulong Data = 0x100400;

    private static readonly string s_vmcore = Executable.Vmcore;

    [Fact]
    public void PiecesAreWhatTheyWereOnTheMachine()
    {
        using JsonDocument map = Ask(PatchedSample.Original);
        JsonElement pmem = map.RootElement.GetProperty("pmem");
        Assert.Equal(
            ["namespace0.0 fsdax 0x100000 32768: metadata 513, reserved 511, mapped 512, idle 31232",
                "namespace0.1 devdax 0x108000 32768: metadata 513, reserved 511, mapped 4096, idle 27648",
                "namespace0.2 fsdax 0x110000 8192: metadata 1, reserved 511, mapped 512, idle 7168",
                "in no namespace  0x112000 40448: unassigned 40448"],
            pmem.GetProperty("areas").EnumerateArray().Select(AreaLine));
        Assert.Equal(("namespace0.0", "mapped", "/mnt/pmem0/a", "121 labtool, 122 labtool"), At(pmem, 0x107c10));
        Assert.Equal(("namespace0.1", "mapped", "/dev/dax0.1", "137 labtool"), At(pmem, 0x108412));
        Assert.Equal(("namespace0.0", "idle", "", ""), At(pmem, 0x101000));
        Assert.Equal(("namespace0.0", "metadata", "", ""), At(pmem, 0x100300));
        Assert.Empty(pmem.GetProperty("bad_blocks").EnumerateArray());
        Assert.Empty(pmem.GetProperty("findings").EnumerateArray());
        Assert.False(pmem.GetProperty("cut_short").GetBoolean());
    }

    [Fact]
    public void AWholeDumpOfAnotherKernelIsDrawnRightToo()
    {
        using JsonDocument map = Ask(RealCrash.Get("stock-6.12").Path);
        JsonElement pmem = map.RootElement.GetProperty("pmem");
        Assert.Equal(
            ["namespace0.0 fsdax 0x100000 65536: metadata 1025, reserved 511, mapped 512, idle 63488",
                "namespace0.1 devdax 0x110000 32768: metadata 513, reserved 511, mapped 4096, idle 27648",
                "in no namespace  0x118000 15872: unassigned 15872"],
            pmem.GetProperty("areas").EnumerateArray().Select(AreaLine));
        Assert.Empty(pmem.GetProperty("findings").EnumerateArray());
    }

    /// <summary>Without metadata the files' page trees and the processes' page tables name some pages; of the others it is not known what they were.</summary>
    [Fact]
    public void WhatIsLostIsNotKnown()
    {
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "63", "-l", PatchedSample.Original, folder.File("dump"));
        using JsonDocument map = Ask(folder.File("dump"), exitCode: 1);
        JsonElement[] areas = [.. map.RootElement.GetProperty("pmem").GetProperty("areas").EnumerateArray()];
        foreach ((int number, ulong mapped) in (ReadOnlySpan<(int, ulong)>)[(0, 512), (1, 4096)])
        {
            JsonElement totals = areas[number].GetProperty("totals");
            Assert.Equal(mapped, totals.GetProperty("mapped").GetUInt64());
            Assert.False(totals.TryGetProperty("idle", out _));
            Assert.True(totals.GetProperty("unknown").GetUInt64() > 20000);
        }
    }

    [Fact]
    public void WhatFailedIsPinnedOrSharedIsMarked()
    {
        using TemporaryFolder folder = new();
        string copy = Patched(folder);
        using JsonDocument map = Ask(copy);
        JsonElement pmem = map.RootElement.GetProperty("pmem");
        JsonElement totals = pmem.GetProperty("areas")[0].GetProperty("totals");
        Assert.Equal((1UL, 1UL, 1UL, 1UL), (totals.GetProperty("poisoned").GetUInt64(), totals.GetProperty("pinned").GetUInt64(),
            totals.GetProperty("shared").GetUInt64(), totals.GetProperty("bad_block").GetUInt64()));
        Assert.Equal(["0x10040c000-0x10040d000", "0x108500000-0x108502000"], pmem.GetProperty("bad_blocks").EnumerateArray()
            .Select(b => $"{b.GetProperty("start")}-{b.GetProperty("end")}"));
        Assert.Equal(2UL, pmem.GetProperty("areas")[1].GetProperty("totals").GetProperty("bad_block").GetUInt64());
        foreach ((ulong pfn, string letter) in (ReadOnlySpan<(ulong, string)>)[(Data + 5, "x"), (Data + 12, "y"), (Data + 40, "w"), (0x108501, "y")])
            Assert.Contains(letter, CellOf(pmem, pfn, out _), StringComparison.Ordinal);

        string text = Tool.Succeed(s_vmcore, "map", copy).Output;
        foreach (string words in (string[])["of it poisoned (memory failed)", "of it bad block (content is lost)", "of it pinned (direct I/O, RDMA)",
            "shared by several files"])
            Assert.Contains(words, text, StringComparison.Ordinal);

        // What can be pointed at in a still picture, and what stands in it.
        Tool.Succeed(s_vmcore, "map", copy, "-o", folder.File("map.svg"));
        XElement svg = XDocument.Load(folder.File("map.svg")).Root!;
        string[] hints = [.. svg.Descendants().Where(e => e.Name.LocalName == "title").Select(e => e.Value)];
        Assert.Contains(hints, h => h.StartsWith("namespace0.0: mapped: of one file or device", StringComparison.Ordinal)
            && h.Contains("/mnt/pmem0/a", StringComparison.Ordinal));
        Assert.Contains(hints, h => h.Contains("poisoned (memory failed) 1 page", StringComparison.Ordinal));
        ABrowserShowsIt(folder, copy);
    }

    private static void ABrowserShowsIt(TemporaryFolder folder, string dump)
    {
        const string Browser = "/usr/bin/chromium";
        string page = folder.File("map.html");
        Tool.Succeed(s_vmcore, "map", dump, "-o", page);
        Assert.InRange(new FileInfo(page).Length, 20_000, 400_000);
        if (!File.Exists(Browser))
            return;

        // As a user without a mouse would: go through the squares, open the table, take a file.
        const string Visit = "<script>const c=document.querySelector('.ns canvas'),key=k=>c.dispatchEvent(new KeyboardEvent('keydown',{key:k}));"
            + "for(let i=0;i<2;i++)key('ArrowRight');document.body.dataset.first=$('ppicked').textContent;"
            + "document.querySelector('.ns details').open=true;document.querySelector('.ns details').ontoggle();"
            + "document.body.dataset.rows=document.querySelector('.ns table').textContent;"
            + "document.querySelector('#pfiles button').click();document.body.dataset.file=$('ppicked').textContent;"
            + "document.body.dataset.legend=$('plegend').textContent;</script></body>";
        File.WriteAllText(page, File.ReadAllText(page).Replace("</body>", Visit, StringComparison.Ordinal));
        string visited = Tool.Succeed(Browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + folder.File("profile"),
            "--window-size=390,2000", "--dump-dom", "file://" + page).Output;
        Assert.Matches("<html[^>]* data-pmem=\"4\"", visited);
        Assert.Matches("data-first=\"namespace0.00x100[0-9a-f]+ ", visited);
        Assert.Matches("data-rows=\"[^\"]*mapped: of one file or device[^\"]*/mnt/pmem0/a", visited);
        Assert.Matches("data-file=\"/dev/dax0.1[^\"]*mapped by process 137 labtool", visited);
        Assert.Matches("data-legend=\"[^\"]*idle[^\"]*in no namespace[^\"]*poisoned[^\"]*bad block[^\"]*pinned", visited);
        Assert.DoesNotMatch("data-legend=\"[^\"]*not known", visited);
    }

    /// <summary>A copy of the bundled crash with a page of pmem that failed, one that is pinned, one that is shared, a bad block of a disk and a bad range
    /// of the bus: in the kernel's own structures.</summary>
    private static string Patched(TemporaryFolder folder)
    {
        List<(string, ulong)> values = [];
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
        {
            string Page(ulong pfn)
            {
                Assert.True(dump.Memmap!.Model.TryGetStructPage(pfn, out ulong address, out _));
                return $"((struct page *)0x{address:x})";
            }

            void Put(string expression, ulong value) => values.Add((expression, value));
            string flags = Page(Data + 5) + "->flags";
            Put(flags, dump.Evaluate(flags).AsUInt64() | (1UL << (int)dump.Evaluate("PG_hwpoison").AsUInt64()));
            Put(Page(Data + 40) + "->_refcount.counter", 3);
            Put(Page(Data + 77) + "->mapping", 1);
            Put(Page(Data + 77) + "->index", 2);

            // Sectors 96 to 103 of /dev/pmem0: page 12 of its data.
            string disk = $"((struct gendisk *)0x{BlockDisks.Load(dump.KernelView).Disks.Single(d => d.Name == "pmem0").Address:x})->bb";
            Put(disk + "->count", 1);
            Put(disk + "->page[0]", (1UL << 63) | (96UL << 9) | 7);

            // The rest of that page is free: a range of the bus lies there.
            ulong entry = dump.Evaluate(disk + "->page").AsUInt64() + 2048;
            ulong bus = dump.KernelView.ParseExpression("list_for_each(nvdimm_bus_list, struct nvdimm_bus, list)").Values().First().Item!.AsUInt64();
            string head = $"((struct nvdimm_bus *)0x{bus:x})->badrange.list", range = $"((struct badrange_entry *)0x{entry:x})";
            ulong headAt = dump.Evaluate("&" + head).AsUInt64(), link = dump.Evaluate($"&{range}->list").AsUInt64();
            Put(head + ".next", link);
            Put(head + ".prev", link);
            Put(range + "->start", 0x108500000);
            Put(range + "->length", 0x2000);
            Put(range + "->list.next", headAt);
            Put(range + "->list.prev", headAt);
        }

        return PatchedSample.WithValues(folder, [.. values]);
    }

    private static string AreaLine(JsonElement area)
    {
        IEnumerable<string> totals = area.GetProperty("totals").EnumerateObject().Select(t => $"{t.Name} {t.Value}");
        return $"{area.GetProperty("name")} {area.GetProperty("mode")} 0x{area.GetProperty("start_pfn").GetUInt64():x} "
            + $"{area.GetProperty("pages")}: {string.Join(", ", totals)}";
    }

    /// <summary>The area of a page, the one state of its cell, the file that has it and who has that mapped.</summary>
    private static (string Area, string State, string File, string Processes) At(JsonElement pmem, ulong pfn)
    {
        string cell = CellOf(pmem, pfn, out string area);
        Assert.Matches("^[a-j][0-9]+$", cell);
        string state = pmem.GetProperty("states")[cell[0] - 'a'].GetProperty("key").GetString()!;
        JsonElement[] files = [.. pmem.GetProperty("files").EnumerateArray().Where(f => f.GetProperty("ranges").EnumerateArray()
            .Any(r => pfn >= r.GetProperty("pfn").GetUInt64() && pfn - r.GetProperty("pfn").GetUInt64() < r.GetProperty("pages").GetUInt64()))];
        IEnumerable<JsonElement> processes = files.SelectMany(f => f.GetProperty("processes").EnumerateArray());
        return (area, state, string.Concat(files.Select(f => f.GetProperty("path").GetString())),
            string.Join(", ", processes.Select(p => $"{p.GetProperty("pid")} {p.GetProperty("name")}")));
    }

    private static string CellOf(JsonElement pmem, ulong pfn, out string name)
    {
        foreach (JsonElement area in pmem.GetProperty("areas").EnumerateArray())
        {
            ulong start = area.GetProperty("start_pfn").GetUInt64(), size = area.GetProperty("cell_pages").GetUInt64();
            if (pfn < start || pfn - start >= area.GetProperty("pages").GetUInt64())
                continue;
            name = area.GetProperty("name").GetString()!;
            ulong at = start;
            foreach (string run in area.GetProperty("cells").EnumerateArray().Select(c => c.GetString()!))
            {
                int colon = run.IndexOf(':', StringComparison.Ordinal);
                at += ulong.Parse(run.AsSpan(0, colon), CultureInfo.InvariantCulture) * size;
                if (pfn < at)
                    return run[(colon + 1)..];
            }
        }

        throw new InvalidOperationException($"no cell has page 0x{pfn:x}");
    }

    private static JsonDocument Ask(string dump, int exitCode = 0)
    {
        ToolResult result = Tool.Run(s_vmcore, "map", "--json", dump);
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Error));
        return JsonDocument.Parse(result.Output);
    }
}
