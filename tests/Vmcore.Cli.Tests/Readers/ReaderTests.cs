using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>The tools that people open dumps with: they read ours as they read the vmcore,
/// and find in it the kernel, its processes, and struct pages on pmem.</summary>
public sealed class ReaderTests
{
    private const string Python = "/usr/bin/python3";

    [Theory]
    [InlineData("drgn", "-l", "-d", "31")]
    [InlineData("drgn", "-c", "-d", "31")]
    [InlineData("drgn", "-d", "1")]
    [InlineData("drgn", "-z", "-d", "31")]
    [InlineData("drgn", "-p", "-d", "31")]
    [InlineData("drgn", "-E", "-d", "31")]
    [InlineData("kdumpfile", "-l", "-d", "31")]
    [InlineData("kdumpfile", "-c", "-d", "31")]
    [InlineData("kdumpfile", "-d", "1")]
    [InlineData("kdumpfile", "-z", "-d", "31")]
    [InlineData("kdumpfile", "-p", "-d", "31")]
    [InlineData("kdumpfile", "-E", "-d", "31")]
    public void ADumpIsRead(string reader, params string[] options)
    {
        Require(reader);
        RealCrash crash = RealCrash.Get("sample rfc-v2-6.1");
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Dump([.. options, crash.Path, dump]);
        Read(reader, dump, crash);
    }

    /// <summary>Pages that share a block in a part share it in the whole too.</summary>
    [Theory]
    [InlineData("drgn", "-l")]
    [InlineData("kdumpfile", "-c")]
    public void JoinedPartsThatShareBlocksAreRead(string reader, string codec)
    {
        Require(reader);
        RealCrash crash = RealCrash.Get("sample rfc-v2-6.1");
        using TemporaryFolder folder = new();
        string[] parts = [folder.File("a"), folder.File("b"), folder.File("c")];
        string joined = folder.File("joined"), plain = folder.File("plain");
        Tool.Dump(["--split", "--dedup", codec, "-d", "1", crash.Path, .. parts]);
        Tool.Dump(["--reassemble", .. parts, joined]);
        Tool.Dump(codec, "-d", "1", crash.Path, plain);
        long saved = new FileInfo(plain).Length - new FileInfo(joined).Length;
        Assert.True(saved > 50_000, $"only {saved} bytes less than without --dedup");
        Assert.InRange(new FileInfo(joined).Length, 1, parts.Sum(static p => new FileInfo(p).Length));
        Read(reader, joined, crash);
    }

    private static void Require(string reader) =>
        Assert.SkipUnless(File.Exists(Python) && Tool.Run(Python, "-c", "import " + reader).ExitCode == 0, $"{reader} is not installed for {Python}");

    private static void Read(string reader, string dump, RealCrash crash)
    {
        string script = Path.Combine(Repository.Root, "tests", "readers", "read-" + reader);
        ToolResult result = Tool.Succeed(Python, script, dump, crash.Path, Path.Combine(Repository.Data, "rfc-v2-6.1.symbols"), "init", "kthreadd", "labtool");
        Assert.Contains("struct page of pfn 1003ff, which is on pmem", result.Output, StringComparison.Ordinal);
        Assert.Contains("list: [108000, 108400), [100000, 100400)", result.Output, StringComparison.Ordinal);
        Assert.Contains("processes", result.Output, StringComparison.Ordinal);
    }

    /// <summary>Without debug information crash can do no more than this.</summary>
    [Theory]
    [InlineData("-l")]
    [InlineData("-c")]
    [InlineData("-E")]
    public void CrashKnowsTheRelease(string option)
    {
        const string Crash = "/usr/bin/crash";
        Assert.SkipUnless(File.Exists(Crash), "crash is not installed");
        using TemporaryFolder folder = new();
        Tool.Dump(option, "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, folder.File("dump"));
        Assert.Equal("6.1.192-pmemlab", Tool.Succeed(Crash, "--osrelease", folder.File("dump")).Output.Trim());
    }
}
