using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What the words of a command line mean: options that do not exist, files that are none, names of symbols.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Dump => RealCrash.Get("sample rfc-v2-6.1").Path;

    public static TheoryData<string, string, string> Formats => new()
    {
        { "1F8B080000000000", "gzip", "gzip -d" },
        { "FD377A585A000000", "xz", "xz -d" },
        { "28B52FFD00000000", "zstd", "zstd -d" },
        { "425A6839314159", "bzip2", "bzip2 -d" },
        { "04224D1800000000", "lz4", "lz4 -d" },
        { "5145564D00000003", "saved state of a QEMU machine", "virsh dump --memory-only" },
        { Convert.ToHexString("LibvirtQemudSave"u8), "libvirt", "virsh dump --memory-only" },
        { "41564D4C01000000", "AVML", "avml-convert" },
        { "D2BED2BE08000000", "VMware", "vmss2core" },
        { "ED238F61730119A8", "LKCD", "crash reads LKCD" },
        { Convert.ToHexString("PAGEDU64"u8), "Windows", "Linux" },
        { "0011223344556677", "bytes 0011223344556677", "an ELF core file" },
    };

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("ps", "--foo")]
    [InlineData("ps", "-j")]
    [InlineData("dmesg", "-c")]
    [InlineData("info", "--bogus")]
    public void AnOptionThatDoesNotExistIsNoFile(string command, string option)
    {
        foreach (string[] line in (string[][])[[command, Dump, option], [command, option, Dump]])
        {
            ToolResult result = Tool.Run(Executable.Vmcore, line);
            Assert.Equal(1, result.ExitCode);
            Assert.Equal($"vmcore: {command}: there is no option '{option}' ('vmcore {command} --help' lists them; "
                + "a word that begins with - goes behind --)\n", result.Error);
            Assert.Empty(result.Output);
        }
    }

    [Fact]
    public void VerifyThatWasAskedWronglyHasVerifiedNothing() => Assert.Equal(2, Tool.Run(Executable.Vmcore, "verify", Dump, "--foo").ExitCode);

    [Theory]
    [InlineData("info")]
    [InlineData("ps")]
    [InlineData("verify")]
    public void AnEmptyNameIsSaidSo(string command) =>
        Assert.Contains("the name is empty", Tool.Run(Executable.Vmcore, command, "").Error, StringComparison.Ordinal);

    [Fact]
    public void AFileThatIsNamedTwiceIsSaidSo()
    {
        Assert.Contains("is named twice", Tool.Run(Executable.Vmcore, "info", Dump, Dump).Error, StringComparison.Ordinal);
        string link = _folder.File("link");
        File.CreateSymbolicLink(link, Dump);
        Assert.Contains("is the same file as", Tool.Run(Executable.Vmcore, "info", Dump, link).Error, StringComparison.Ordinal);
        string other = _folder.File("other");
        File.WriteAllText(other, "\u007fELF");
        Assert.Contains("the parts of one split", Tool.Run(Executable.Vmcore, "info", Dump, other).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-a", "-c")]
    [InlineData("-a", "--cpu", "0")]
    [InlineData("1", "--cpu", "0")]
    public void QuestionsThatContradictAreRefused(params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, ["bt", Dump, .. words]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("ask one at a time", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void AFormatThatIsNotReadIsNamed(string head, string name, string advice)
    {
        string file = _folder.File("foreign");
        File.WriteAllBytes(file, [.. Convert.FromHexString(head), .. new byte[1000]]);
        ToolResult result = Tool.Run(Executable.Vmcore, "info", file);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(name, result.Error, StringComparison.Ordinal);
        Assert.Contains(advice, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void SymbolsAreFoundByPatternAndAllOfAName()
    {
        string[] panics = Lines(Tool.Succeed(Executable.Vmcore, "symbol", Dump, "panic*"));
        Assert.Contains(panics, static l => l.EndsWith(" panic", StringComparison.Ordinal));
        Assert.True(panics.Length > 3);
        Assert.All(panics, static l => Assert.StartsWith("panic", l.Split(' ')[2], StringComparison.Ordinal));
        string[] shows = Lines(Tool.Succeed(Executable.Vmcore, "symbol", Dump, "s_show"));
        Assert.True(shows.Length > 1, "kernels have several functions s_show");
        Assert.All(shows, static l => Assert.EndsWith(" s_show", l, StringComparison.Ordinal));
    }

    [Fact]
    public void MembersOfNamelessUnionsAreInTheJson()
    {
        ToolResult result = Tool.Succeed(Executable.Vmcore, "type", "--json", Dump, "struct page");
        using JsonDocument json = JsonDocument.Parse(result.OutputBytes);
        JsonElement union = json.RootElement.GetProperty("types")[0].GetProperty("members").EnumerateArray()
            .First(static m => m.GetProperty("name").GetString()!.Length == 0);
        JsonElement inner = union.GetProperty("members")[0];
        Assert.Equal(64, inner.GetProperty("bit_offset").GetInt64());
        Assert.Contains("\"lru\"", union.GetRawText(), StringComparison.Ordinal);
        Assert.Contains("\"compound_head\"", union.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void DatesNameTheirZone() =>
        Assert.Matches(@"^\[\w{3} \w{3} \d+ \d\d:\d\d:\d\d \d{4} UTC\] ", Tool.Succeed(Executable.Vmcore, "dmesg", "-T", Dump).Output);

    [Fact]
    public void ControlCharactersOfAFileDoNotReachTheTerminal()
    {
        string rules = Path.Combine(Repository.Root, "tests", "fuzz", "corpus", "erase", "control.conf");
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-f", "-d", "31", "--config", rules, Dump, "/dev/null");
        Assert.NotEqual(0, result.ExitCode);
        Assert.DoesNotContain(result.Error + result.Output, static c => c is < ' ' and not ('\n' or '\t' or '\r') or '\u007f' or '\u009b');
    }

    private static string[] Lines(ToolResult result) => result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
