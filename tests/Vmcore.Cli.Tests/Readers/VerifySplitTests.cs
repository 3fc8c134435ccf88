using System.Buffers.Binary;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Formats.Flattened;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore verify</c> of split dumps, flattened streams and dumps that are not complete.</summary>
public sealed class VerifySplitTests : IDisposable
{
    private const int Block = 4096;
    private static readonly string s_vmcore = Executable.Vmcore;

    private readonly TemporaryFolder _folder = new();

    private string[] Parts => [_folder.File("a"), _folder.File("b"), _folder.File("c")];

    private string Manifest => _folder.File("manifest");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AWholeSetIsSoundInAnyOrder()
    {
        Split();
        JsonElement answer = Verify(0, [Parts[2], Parts[0], Parts[1], "--manifest", Manifest]);
        Assert.Equal(("sound", 0), (answer.GetProperty("result").GetString(), answer.GetProperty("problem_count").GetInt32()));
        Assert.Equal(Parts[2], answer.GetProperty("file").GetString());
        Assert.Equal([Parts[2], Parts[0], Parts[1]], answer.GetProperty("parts").EnumerateArray().Select(p => p.GetString()!));
        string whole = _folder.File("whole");
        Tool.Dump("-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, whole);
        JsonElement one = Verify(0, [whole]);
        foreach (string member in (string[])["pages", "pages_read", "pmem_metadata_pages", "pmem_user_data_pages"])
            Assert.Equal(one.GetProperty(member).GetUInt64(), answer.GetProperty(member).GetUInt64());
        Assert.False(one.TryGetProperty("parts", out _));

        // Files may have other names later: that of a whole set are known by their order.
        File.Move(Parts[1], _folder.File("moved"));
        Verify(0, [_folder.File("moved"), Parts[0], Parts[2], "--manifest", Manifest]);
    }

    [Fact]
    public void DebiansSetIsSound()
    {
        Assert.SkipUnless(File.Exists(Tool.Debian), "makedumpfile is not installed");
        Tool.Succeed(Tool.Debian, ["--split", "--splitblock-size", "1024", "-c", "-d", "31", RealCrash.Get("sample stock-6.1-nopmem").Path, .. Parts]);
        Verify(0, Parts);
    }

    [Fact]
    public void FlattenedPartsAreASetToo()
    {
        Split();
        string flat = _folder.File("flat");
        using (var sink = new FlattenedSink(File.Create(flat), flat))
        {
            byte[] bytes = File.ReadAllBytes(Parts[1]);
            sink.Write(0, bytes);
            sink.Complete(bytes.Length);
        }

        Verify(0, [Parts[0], flat, Parts[2]]);
        byte[] stream = File.ReadAllBytes(flat);
        File.WriteAllBytes(flat, stream[..(stream.Length / 2)]);
        Assert.Contains(Problems(Verify(1, [Parts[0], flat, Parts[2]])), p => p.File == flat);
    }

    [Fact]
    public void WhatIsMissingIsNamed()
    {
        Split();
        (string Kind, string File, long? Offset, string What)[] problems = Problems(Verify(1, [Parts[0], Parts[2], "--manifest", Manifest]));
        byte[] middle = File.ReadAllBytes(Parts[1]);
        ulong start = BinaryPrimitives.ReadUInt64LittleEndian(middle.AsSpan(Block + 80)),
            end = BinaryPrimitives.ReadUInt64LittleEndian(middle.AsSpan(Block + 88));
        Assert.Contains(("split", Parts[0], Block + 80, $"pages 0x{start:x}-0x{end:x}"), problems);
        Assert.Single(problems, p => p.Kind == "split");
        Assert.Single(problems, p => p.Kind == "manifest");
        Assert.Equal(2, Problems(Verify(1, [Parts[1]])).Count(p => p.Kind == "split"));
    }

    [Theory]
    [InlineData(0, 0x10, "phys_base")]
    [InlineData(8, 1, "dump_level")]
    [InlineData(48, 4, "ELF notes")]
    [InlineData(48, -1, "")]
    public void APartThatDisagreesIsFound(int field, int change, string what)
    {
        Split();
        Change(Parts[1], bytes => BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Block + field),
            change < 0 ? change : BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(Block + field)) ^ change));
        if (what.Length == 0)
            Assert.Equal("no_dump", Verify(2, Parts).GetProperty("result").GetString());
        else
            Assert.Contains(Problems(Verify(1, Parts)), p => p.File == Parts[1] && p.What == what);
    }

    [Fact]
    public void BitmapsMustBeTheSameInAllParts()
    {
        Split();
        long at = 0;
        Change(Parts[2], bytes => bytes[at = Bitmaps(bytes) + 100] ^= 0x10);
        Assert.Contains(("split", Parts[2], at, "bitmaps"), Problems(Verify(1, Parts)));
    }

    [Fact]
    public void DamageIsFoundInItsFile()
    {
        Split();
        long torn = 0, descriptor = 0;
        Change(Parts[1], bytes =>
        {
            int at = Enumerable.Range(0, 500).Select(i => Descriptors(bytes) + (i * 24))
                .First(i => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(i + 12)) != 0);
            torn = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
            bytes.AsSpan((int)torn, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 8))).Fill(0xa5);
        });
        Change(Parts[2], bytes => BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan((int)(descriptor = Descriptors(bytes)) + 12), 0x77));
        Assert.Equal([("page", Parts[1], torn), ("descriptor", Parts[2], descriptor + 12)],
            Problems(Verify(1, Parts)).Select(p => (p.Kind, p.File, p.Offset!.Value)));
        (string Kind, string File, long? Offset, string What)[] compared = Problems(Verify(1, [.. Parts, "--manifest", Manifest]));
        Assert.Equal([Parts[1], Parts[1], Parts[2], Parts[2]], compared.Where(p => p.Kind == "manifest").Select(p => p.File));
    }

    [Fact]
    public void ATruncatedPartIsFound()
    {
        Split();
        foreach (int keep in (int[])[2 * Block, Bitmaps(File.ReadAllBytes(Parts[1])) + 1000, 40 * Block])
        {
            Change(Parts[1], bytes => bytes, keep);
            Assert.NotEmpty(Problems(Verify(keep == 2 * Block ? 2 : 1, Parts)));
            Split();
        }
    }

    [Fact]
    public void WhatIsNoSetIsRefused()
    {
        Split();
        string other = _folder.File("other"), rest = _folder.File("rest");
        Tool.Dump("--split", "-c", "-d", "31", RealCrash.Get("sample stock-6.1-nopmem").Path, other, rest);
        foreach (string[] files in (string[][])[[Parts[0], Parts[1], Parts[1]], [Parts[0], other],
            [Parts[0], RealCrash.Get("sample rfc-v2-6.1").Path], [Parts[0], _folder.File("missing")], [Parts[0], _folder.Path]])
        {
            JsonElement answer = Verify(2, files);
            Assert.Equal("no_dump", answer.GetProperty("result").GetString());
            Assert.Contains(Problems(answer).Single().File, files.Skip(1));
        }
    }

    [Fact]
    public void UserDataInAPartIsFound()
    {
        Tool.Dump(["--split", "-l", "-d", "31", "--include-pmem-userdata", RealCrash.Get("sample rfc-v2-6.1").Path, .. Parts]);
        JsonElement answer = Verify(1, Parts);
        Assert.True(answer.GetProperty("pmem_user_data_found").GetUInt64() > 1000);
        Assert.All(Problems(answer), p => Assert.True(p.Kind == "pmem" && Parts.Contains(p.File)));
    }

    [Fact]
    public void PartsThatAreFullAreNamed()
    {
        Assert.Equal(1, Tool.Run(Executable.Makedumpfile,
            ["--split", "-L", "600K", "-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, .. Parts]).ExitCode);
        (string Kind, string File, long? Offset, string What)[] problems = Problems(Verify(1, Parts));
        Assert.Contains(("file", Parts[0], 424L, "completeness"), problems);
    }

    [Theory]
    [InlineData("-F", "-l", "-d", "31")]
    [InlineData("-F", "-E", "-d", "31")]
    public void AFlattenedStreamIsSoundAndATruncatedOneIsNot(params string[] options)
    {
        string flat = _folder.File("flat");
        byte[] stream = Tool.Succeed(Executable.Makedumpfile, [.. options, RealCrash.Get("sample rfc-v2-6.1").Path]).OutputBytes;
        File.WriteAllBytes(flat, stream);
        Verify(0, [flat]);
        File.WriteAllBytes(flat, stream[..(stream.Length * 3 / 4)]);
        Assert.Contains(Problems(Verify(1, [flat])), p => p.Kind == "file");
    }

    [Theory]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":[]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":[null]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":[{\"file\":\"a\",\"size\":1,\"sha256\":\"x\",\"ranges\":[]}]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":[{\"file\":\"a\",\"size\":0,\"sha256\":null,\"ranges\":[]}]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":[{\"file\":null,\"size\":0,\"sha256\":\"x\",\"ranges\":null}]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"sha256\":\"x\",\"ranges\":[],\"parts\":[{\"file\":\"a\",\"size\":0,\"sha256\":\"x\",\"ranges\":[]}]}")]
    [InlineData("{\"schema\":1,\"size\":0,\"parts\":7}")]
    public void AManifestOfPartsThatIsNoneIsRefused(string text)
    {
        Split();
        File.WriteAllText(Manifest, text);
        ToolResult result = Tool.Run(s_vmcore, ["verify", .. Parts, "--manifest", Manifest]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("manifest", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryCommandReadsASet()
    {
        Split();
        string whole = _folder.File("whole");
        Tool.Dump("-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, whole);
        foreach (string command in (string[])["dmesg", "modules", "mounts", "pmem"])
            Assert.Equal(Tool.Run(s_vmcore, command, whole).Output, Tool.Run(s_vmcore, [command, .. Parts]).Output);
        string[] others = ["--part", Parts[1], "--part", Parts[2]];
        foreach (string[] words in (string[][])[["bt"], ["ps"], ["print", "init_task.comm"], ["symbol", "panic"],
            ["type", "list_head"], ["read", "linux_banner", "64"], ["vtop", "linux_banner"]])
        {
            ToolResult one = Tool.Run(s_vmcore, [words[0], whole, .. words[1..]]), set = Tool.Run(s_vmcore, [words[0], Parts[0], .. words[1..], .. others]);
            Assert.Equal(0, set.ExitCode);
            Assert.Equal(one.Output, set.Output);
        }
    }

    private static void Change(string path, Action<byte[]> change) => Change(path, bytes =>
    {
        change(bytes);
        return bytes;
    });

    private static void Change(string path, Func<byte[], byte[]> change, int? keep = null)
    {
        byte[] bytes = change(File.ReadAllBytes(path));
        File.WriteAllBytes(path, bytes[..(keep ?? bytes.Length)]);
    }

    private static int Bitmaps(byte[] bytes) => (1 + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(432))) * Block;

    private static int Descriptors(byte[] bytes) => Bitmaps(bytes) + (BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(436)) * Block);

    private static (string Kind, string File, long? Offset, string What)[] Problems(JsonElement answer) =>
    [
        .. answer.GetProperty("problems").EnumerateArray().Select(p => (
            p.GetProperty("kind").GetString()!,
            p.GetProperty("file").GetString()!,
            p.GetProperty("offset") is { ValueKind: JsonValueKind.Number } offset ? offset.GetInt64() : (long?)null,
            p.GetProperty("what").GetString()!)),
    ];

    private static JsonElement Verify(int status, string[] words)
    {
        ToolResult result = Tool.Run(s_vmcore, ["verify", "--json", .. words]);
        Assert.True(result.ExitCode == status, $"exit status {result.ExitCode}, expected {status}\n{result.Output}\n{result.Error}");
        using var document = JsonDocument.Parse(result.Output);
        return document.RootElement.Clone();
    }

    private void Split() => Tool.Dump(["--split", "-f", "--manifest", Manifest, "-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, .. Parts]);
}
