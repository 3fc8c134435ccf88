using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore pmem</c> and <c>vmcore mounts</c> on real crashes, against what these machines said before they crashed.</summary>
public sealed class PmemCommandTests
{
    private static readonly string s_vmcore = Executable.Vmcore;

    [Fact]
    public void EveryMappedFileIsFoundWithItsPages()
    {
        using JsonDocument answer = Ask("pmem", RealCrash.Get("sample rfc-v2-6.1").Path);
        JsonElement root = answer.RootElement;
        Assert.Equal(("pmem", 1), (root.GetProperty("command").GetString(), root.GetProperty("schema").GetInt32()));
        Assert.Equal(
            ["/dev/dax0.1 4096 - dax0.1", "/mnt/pmem0.2/a 256 12 pmem0.2",
                "/mnt/pmem0.2/b 256 13 pmem0.2", "/mnt/pmem0/a 256 12 pmem0", "/mnt/pmem0/b 256 13 pmem0"],
            root.GetProperty("files").EnumerateArray().Select(FileLine));
        Assert.All(root.GetProperty("files").EnumerateArray(), f => Assert.Equal(f.GetProperty("pages").GetUInt64(), Sum(f.GetProperty("ranges"), "pages")));
        Assert.Equal(
            ["namespace0.0 fsdax dev complete 31744 31232 512",
                "namespace0.1 devdax dev complete 31744 27648 4096", "namespace0.2 fsdax mem none 7680 7168 512"],
            root.GetProperty("namespaces").EnumerateArray().Select(NamespaceLine));
        Assert.Empty(root.GetProperty("findings").EnumerateArray());
    }

    /// <summary>A filtered dump has the metadata, and so gives the same answer.</summary>
    [Fact]
    public void AFilteredDumpSaysTheSame()
    {
        using TemporaryFolder folder = new();
        string raw = RealCrash.Get("sample rfc-v2-6.1").Path, dump = folder.File("dump");
        Tool.Dump("-d", "31", "-l", raw, dump);
        using JsonDocument before = Ask("pmem", raw), after = Ask("pmem", dump);
        foreach (string part in (string[])["namespaces", "files", "processes", "regions"])
            Assert.Equal(before.RootElement.GetProperty(part).GetRawText(), after.RootElement.GetProperty(part).GetRawText());
    }

    /// <summary>Without its metadata nothing is made up; what the files' own page trees and the processes' page tables in RAM say is still known.</summary>
    [Fact]
    public void WithoutMetadataTheFilesAreKnownByTheirPageTrees()
    {
        using TemporaryFolder folder = new();
        Tool.Dump("-d", "63", "-l", RealCrash.Get("sample rfc-v2-6.1").Path, folder.File("dump"));
        using JsonDocument answer = Ask("pmem", folder.File("dump"));
        JsonElement first = answer.RootElement.GetProperty("namespaces")[0];
        Assert.Equal("missing", first.GetProperty("memmap").GetProperty("state").GetString());
        Assert.Equal(first.GetProperty("pages").GetProperty("total").GetUInt64(), first.GetProperty("pages").GetProperty("unreadable").GetUInt64());
        Assert.Equal(
            ["/dev/dax0.1 4096 - dax0.1",
                "/mnt/pmem0.2/a 256 12 pmem0.2", "/mnt/pmem0.2/b 256 13 pmem0.2", "/mnt/pmem0/a 256 12 pmem0", "/mnt/pmem0/b 256 13 pmem0"],
            answer.RootElement.GetProperty("files").EnumerateArray().Select(FileLine));
        Assert.All(answer.RootElement.GetProperty("files").EnumerateArray(), f => Assert.Equal(0UL, f.GetProperty("shared_pages").GetUInt64()));

        // The kernel's tree alone tells where the namespaces are; a devdax namespace goes on under the name of its device.
        using JsonDocument raw = Ask("pmem", RealCrash.Get("sample rfc-v2-6.1").Path);
        foreach (string part in (string[])["start", "end", "devices"])
        {
            Assert.Equal(
                raw.RootElement.GetProperty("namespaces").EnumerateArray().Select(n => n.GetProperty(part).GetRawText()),
                answer.RootElement.GetProperty("namespaces").EnumerateArray().Select(n => n.GetProperty(part).GetRawText()));
        }

        Assert.Equal(raw.RootElement.GetProperty("regions").GetRawText(), answer.RootElement.GetProperty("regions").GetRawText());
        string text = Tool.Run(s_vmcore, "pmem", folder.File("dump")).Output;
        Assert.Contains("mode not known, no info block of it in the dump", text, StringComparison.Ordinal);
        Assert.DoesNotContain("raw, or without", text, StringComparison.Ordinal);
    }

    /// <summary>A disk is named after its namespace, and needs no mapped file to be known.</summary>
    [Fact]
    public void DevicesAreThoseOfTheMachine()
    {
        using JsonDocument answer = Ask("pmem", RealCrash.Get("stock-6.12").Path);
        Assert.Equal(
            ["pmem0", "dax0.1"],
            answer.RootElement.GetProperty("namespaces").EnumerateArray()
                .SelectMany(n => n.GetProperty("devices").EnumerateArray().Select(d => d.GetString())));
    }

    /// <summary>What is lost is not said not to have been: a dump without the kernel's tree knows of no namespace, nor that there was none.</summary>
    [Fact]
    public void WithoutTheKernelsTreeNothingIsSaidToBeInNoNamespace()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Dump("-d", "31", "-l", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        using (FileStream file = new(dump, FileMode.Open))
            file.SetLength(file.Length / 8);
        Assert.Contains("Persistent memory 0x", Tool.Run(s_vmcore, "pmem", dump).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("in no namespace", Tool.Run(s_vmcore, "pmem", dump).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0x107c10", "user_data", "It is page 16 (offset 0x10000) of the file /mnt/pmem0/a, inode 12 of ext4 on pmem0.")]
    [InlineData("0x108412", "user_data", "It is page 18 of the device /dev/dax0.1 (device number")]
    [InlineData("0x100001", "info_block", "It holds the namespace's info block: metadata.")]
    [InlineData("1049088", "memmap", "It holds struct pages of the namespace, its memmap: metadata. They describe the pages from 0x100000 on")]
    [InlineData("0x101000", "user_data", "It is idle")]
    [InlineData("0x11a000", "user_data", "in no namespace")]
    [InlineData("0x10", "not_pmem", "is not on pmem")]
    public void OnePageIsExplained(string pfn, string kind, string words)
    {
        string dump = RealCrash.Get("sample rfc-v2-6.1").Path;
        using JsonDocument answer = Ask("pmem", dump, "--page", pfn);
        Assert.Equal(kind, answer.RootElement.GetProperty("kind").GetString());
        Assert.Contains(words, Tool.Succeed(s_vmcore, "pmem", dump, "--page", pfn).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("0x1000000000000")]
    public void AnImpossiblePageIsRefused(string pfn) =>
        Assert.NotEqual(0, Tool.Run(s_vmcore, "pmem", RealCrash.Get("sample rfc-v2-6.1").Path, "--page=" + pfn).ExitCode);

    [Fact]
    public void ProcessesThatMapPmemAreFound()
    {
        using JsonDocument answer = Ask("pmem", RealCrash.Get("stock-6.12").Path);
        Assert.Equal(
            ["198 labtool rw-s /mnt/pmem0/a 1048576", "199 labtool rw-s /mnt/pmem0/a 1048576",
                "200 labtool rw-s /mnt/pmem0/b 1048576", "201 labtool rw-s /dev/dax0.1 16777216"],
            answer.RootElement.GetProperty("processes").EnumerateArray().SelectMany(p => p.GetProperty("areas").EnumerateArray().Select(a =>
                $"{p.GetProperty("pid")} {p.GetProperty("name")} {a.GetProperty("permissions")} {a.GetProperty("path")} {Hex(a, "end") - Hex(a, "start")}")));
        Assert.Equal(
            ["/dev/dax0.1 4096 - dax0.1", "/mnt/pmem0/a 256 12 pmem0", "/mnt/pmem0/b 256 13 pmem0"],
            answer.RootElement.GetProperty("files").EnumerateArray().Select(FileLine));
    }

    [Fact]
    public void MountsAreThoseOfProcMounts()
    {
        string[] expected =
        [
            "rootfs / rootfs rw", "proc /proc proc rw,relatime", "sys /sys sysfs rw,relatime", "dev /dev devtmpfs rw,relatime", "tmpfs /run tmpfs rw,relatime",
            "debugfs /sys/kernel/debug debugfs rw,relatime", "/dev/vda /out ext4 ro,relatime",
            "/dev/pmem0 /mnt/pmem0 ext4 rw,relatime", "/dev/pmem0.2 /mnt/pmem0.2 ext4 rw,relatime", "tmpfs /tmpfs tmpfs rw,relatime",
        ];
        using JsonDocument answer = Ask("mounts", RealCrash.Get("sample rfc-v2-6.1").Path);
        Assert.Equal(expected, MountLines(answer));
        Assert.Equal(["/mnt/pmem0", "/mnt/pmem0.2"], answer.RootElement.GetProperty("mounts").EnumerateArray()
            .Where(m => m.GetProperty("dax").GetBoolean()).Select(m => m.GetProperty("target").GetString()));
    }

    /// <summary>The truth was written down before the script remounted its data disk, so that one's option differs.</summary>
    [Theory]
    [InlineData("rfc-v2-6.1")]
    [InlineData("stock-6.12")]
    public void MountsOfWholeDumpsAreThoseOfProcMounts(string name)
    {
        string path = RealCrash.Get(name).Path, truth = Path.Combine(Path.GetDirectoryName(path)!, name, "first", "mounts");
        Assert.SkipUnless(File.Exists(truth), $"{truth} does not exist");
        string[] ours = ["rw", "ro", "relatime", "nosuid", "nodev", "noexec", "noatime"];
        using JsonDocument answer = Ask("mounts", path);
        IEnumerable<string> expected = File.ReadLines(truth).Select(l => l.Split(' ')).Select(w =>
            $"{w[0]} {w[1]} {w[2]} {(w[0] == "/dev/vda" ? "ro,relatime" : string.Join(',', w[3].Split(',').Where(o => ours.Contains(o))))}");
        Assert.Equal(expected, MountLines(answer));
    }

    private static IEnumerable<string> MountLines(JsonDocument answer) =>
        answer.RootElement.GetProperty("mounts").EnumerateArray()
            .Select(m => $"{m.GetProperty("source")} {m.GetProperty("target")} {m.GetProperty("type")} {m.GetProperty("options")}");

    private static string FileLine(JsonElement f) =>
        $"{f.GetProperty("path")} {f.GetProperty("pages")} "
            + $"{(f.GetProperty("inode").ValueKind == JsonValueKind.Null ? "-" : f.GetProperty("inode").ToString())} {f.GetProperty("device")}";

    private static string NamespaceLine(JsonElement n)
    {
        JsonElement pages = n.GetProperty("pages");
        return $"{n.GetProperty("name")} {n.GetProperty("mode")} {n.GetProperty("map")} {n.GetProperty("memmap").GetProperty("state")} "
            + $"{pages.GetProperty("total")} {pages.GetProperty("idle")} {pages.GetProperty("mapped")}";
    }

    private static ulong Sum(JsonElement list, string member) =>
        list.EnumerateArray().Aggregate(0UL, (sum, item) => sum + item.GetProperty(member).GetUInt64());

    private static ulong Hex(JsonElement element, string member) => Convert.ToUInt64(element.GetProperty(member).GetString()![2..], 16);

    private static JsonDocument Ask(string command, string dump, params string[] more) =>
        JsonDocument.Parse(Tool.Run(s_vmcore, [command, dump, "--json", .. more]).Output);
}
