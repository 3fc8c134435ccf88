using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Makedumpfile;

/// <summary>Dumps in parts: written, joined, by us and by Debian's makedumpfile.</summary>
public sealed class SplitTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Sample => RealCrash.Get("sample stock-6.1-nopmem").Path;

    private string Joined => _folder.File("joined");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-l", "31", 2)]
    [InlineData("-c", "31", 3)]
    [InlineData("-z", "0", 5)]
    [InlineData("-f", "1", 2)]
    public void PartsJoinedAreTheDumpThatIsNotSplit(string codec, string level, int count)
    {
        string[] parts = Parts(count);
        ToolResult result = Tool.Dump(["--split", codec, "-d", level, Sample, .. parts]);
        Assert.Contains($"\nThe dumpfiles are saved to {string.Join(", ", parts.SkipLast(1))}, and {parts[^1]}.\n\nmakedumpfile Completed.\n",
            result.Output, StringComparison.Ordinal);
        string whole = _folder.File("whole");
        Tool.Dump(codec, "-d", level, Sample, whole);
        Tool.Dump(["--reassemble", .. parts.Reverse(), Joined]);

        // A whole dump has its pages in the order of their worth, each part for itself: as streams, in the order of addresses, they are the same bytes.
        byte[] stream = Stream(whole);
        Assert.True(stream.AsSpan().SequenceEqual(Stream(Joined)));
        Assert.Equal(new FileInfo(whole).Length, new FileInfo(Joined).Length);
        if (File.Exists(Tool.Debian) && codec != "-z")
        {
            Tool.Succeed(Tool.Debian, ["--reassemble", .. parts, _folder.File("theirs")]);
            Assert.True(stream.AsSpan().SequenceEqual(Stream(_folder.File("theirs"))));
        }

        byte[] Stream(string path) => Tool.Dump("-F", codec, "-d", level, path).OutputBytes;
    }

    [Fact]
    public void DebiansPartsAreJoinedAsDebianDoes()
    {
        Assert.SkipUnless(File.Exists(Tool.Debian), "makedumpfile is not installed");
        string[] parts = Parts(3);
        Tool.Succeed(Tool.Debian, ["--split", "--splitblock-size", "1024", "-c", "-d", "31", Sample, .. parts]);
        Tool.Succeed(Tool.Debian, ["--reassemble", .. parts, _folder.File("theirs")]);
        Tool.Dump(["--reassemble", parts[2], parts[0], parts[1], Joined]);
        Assert.True(File.ReadAllBytes(_folder.File("theirs")).AsSpan().SequenceEqual(File.ReadAllBytes(Joined)));
    }

    [Fact]
    public void PartsOpenTogether()
    {
        string[] parts = Parts(3);
        Tool.Dump(["--split", "--splitblock-size", "4", "-l", "-d", "31", Sample, .. parts]);
        Tool.Dump("-l", "-d", "31", Sample, Joined);
        using CrashDump whole = CrashDump.Open(Joined), set = CrashDump.Open(parts), one = CrashDump.Open(parts[1]);
        byte[] expected = new byte[4096], found = new byte[4096];
        for (ulong pfn = 0; pfn < whole.Memory.MaxPfn; pfn += 7)
        {
            Assert.Equal(whole.Memory.ReadPage(pfn, expected), set.Memory.ReadPage(pfn, found));
            Assert.Equal(expected, found);
        }

        Assert.NotNull(set.Kernel?.Utsname);
        Assert.False(set.IsIncomplete);
        Assert.True(one.IsIncomplete);
        Assert.Contains(one.Problems, p => p.ToString().Contains("part of a split dump", StringComparison.Ordinal));
    }

    [Fact]
    public void WhatDoesNotBelongTogetherIsNotJoined()
    {
        string[] parts = Parts(3);
        Tool.Dump(["--split", "-l", "-d", "31", Sample, .. parts]);
        string other = _folder.File("other"), rest = _folder.File("rest");
        Tool.Dump("--split", "-c", "-d", "31", Sample, other, rest);
        Expect("none for pfn", parts[0], parts[2]);
        Expect("none for pfn", parts[1], parts[2]);
        Expect("none for pfn", parts[0], parts[1]);
        Expect("each part once", [.. parts, parts[1]]);
        Expect("found", parts[0], rest);
        Expect("expected a part of a split", parts[0], Sample);
        Expect("No such file", parts[0], _folder.File("missing"));
        Expect("is the input itself", parts, parts[0]);
        Assert.False(File.Exists(Joined));
    }

    [Fact]
    public void APartThatIsCutOffIsJoinedAsFarAsItGoes()
    {
        string[] parts = Parts(2);
        Tool.Dump(["--split", "-l", "-d", "31", Sample, .. parts]);
        byte[] last = File.ReadAllBytes(parts[1]);
        File.WriteAllBytes(parts[1], last[..^100_000]);
        ToolResult result = Tool.Run(Executable.Makedumpfile, ["--reassemble", .. parts, Joined]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("pages are not in them", result.Error, StringComparison.Ordinal);
        using CrashDump joined = CrashDump.Open(Joined);
        Assert.True(joined.IsIncomplete);
        Assert.NotNull(joined.Kernel?.Utsname);
    }

    [Fact]
    public void PartsThatAreFullAreReadableAndSaySo()
    {
        string[] parts = Parts(2);
        ToolResult result = Tool.Run(Executable.Makedumpfile, ["--split", "-L", "1M", "-l", "-d", "31", Sample, .. parts]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("incomplete", result.Error, StringComparison.Ordinal);
        foreach (string part in parts)
        {
            Assert.InRange(new FileInfo(part).Length, 100_000, 3 << 20);
            using CrashDump dump = CrashDump.Open(part);
            Assert.True(dump.IsIncomplete);
        }

        Assert.Equal(1, Tool.Run(Executable.Makedumpfile, ["--reassemble", .. parts, Joined]).ExitCode);
        using CrashDump joined = CrashDump.Open(Joined);
        Assert.True(joined.IsIncomplete);
    }

    [Fact]
    public void NoFileIsTouchedIfOneMayNotBeWritten()
    {
        string[] parts = Parts(3);
        File.WriteAllText(parts[2], "mine");
        Assert.Equal(1, Tool.Run(Executable.Makedumpfile, ["--split", "-d", "31", Sample, .. parts]).ExitCode);
        Assert.False(File.Exists(parts[0]));
        Assert.Equal("mine", File.ReadAllText(parts[2]));
        Assert.Equal(1, Tool.Run(Executable.Makedumpfile, "--split", "-d", "31", Sample, parts[0], parts[0]).ExitCode);
        Assert.False(File.Exists(parts[0]));
    }

    private void Expect(string message, params IEnumerable<string> parts) => Expect(message, parts, Joined);

    private static void Expect(string message, IEnumerable<string> parts, string output)
    {
        ToolResult result = Tool.Run(Executable.Makedumpfile, ["--reassemble", .. parts, output]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private string[] Parts(int count) => [.. Enumerable.Range(0, count).Select(i => _folder.File($"part{i}"))];
}
