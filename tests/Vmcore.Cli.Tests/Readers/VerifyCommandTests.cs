using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary><c>vmcore verify</c>: what is whole is sound, and each kind of damage is found where it is.</summary>
public sealed class VerifyCommandTests
{
    private static readonly string s_vmcore = Executable.Vmcore;

    [Theory]
    [InlineData("-l", "-d", "31")]
    [InlineData("-c", "-d", "31")]
    [InlineData("-c", "-d", "1", "--dedup")]
    [InlineData("-E", "-d", "31")]
    [InlineData("-z", "-d", "63")]
    public void AWholeDumpIsSound(params string[] options)
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump"), manifest = folder.File("manifest");
        Tool.Dump([.. options, "--manifest", manifest, RealCrash.Get("sample rfc-v2-6.1").Path, dump]);
        using JsonDocument answer = Verify(dump, 0, "--manifest", manifest);
        JsonElement root = answer.RootElement;
        Assert.Equal(("sound", 0), (root.GetProperty("result").GetString(), root.GetProperty("problem_count").GetInt32()));
        Assert.Equal(root.GetProperty("pages").GetUInt64(), root.GetProperty("pages_read").GetUInt64());
        Assert.True(root.GetProperty("pmem_user_data_pages").GetUInt64() > 100000);
        Assert.Equal(0UL, root.GetProperty("pmem_user_data_found").GetUInt64());
        using JsonDocument written = JsonDocument.Parse(File.ReadAllBytes(manifest));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(dump))), written.RootElement.GetProperty("sha256").GetString());
        Assert.Equal(new FileInfo(dump).Length, written.RootElement.GetProperty("size").GetInt64());
    }

    [Fact]
    public void UserDataInADumpIsFound()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Dump("-l", "-d", "31", "--include-pmem-userdata", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        using JsonDocument answer = Verify(dump, 1);
        Assert.True(answer.RootElement.GetProperty("pmem_user_data_found").GetUInt64() > 1000);
        Assert.All(answer.RootElement.GetProperty("problems").EnumerateArray(), p => Assert.Equal("pmem", p.GetProperty("kind").GetString()));
    }

    [Fact]
    public void DamagedPagesAndDescriptorsAreFoundWhereTheyAre()
    {
        using TemporaryFolder folder = new();
        string dump = Make(folder);
        byte[] bytes = File.ReadAllBytes(dump);
        int descriptors = Descriptors(bytes);

        // Pages of zero share one place; these have their own.
        int[] at = [.. Enumerable.Range(0, 5000).Select(i => descriptors + (i * 24))
            .Where(i => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(i + 12)) != 0).Take(50)];

        // One page is torn, one lies behind the end, one begins in its neighbour, one has a codec that there is not.
        long torn = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at[10]));
        bytes.AsSpan((int)torn, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at[10] + 8))).Fill(0xa5);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at[20]), 1L << 50);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at[31]), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at[31])) - 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at[40] + 12), 0x77);
        File.WriteAllBytes(dump, bytes);
        using JsonDocument answer = Verify(dump, 1);
        (string?, long)[] found = [.. answer.RootElement.GetProperty("problems").EnumerateArray()
            .Select(p => (p.GetProperty("kind").GetString(), p.GetProperty("offset").GetInt64()))];
        Assert.Contains(("page", torn), found);
        Assert.Contains(("descriptor", at[20]), found);
        Assert.Contains(("descriptor", at[31]), found);
        Assert.Contains(("descriptor", (long)at[40] + 12), found);
        Assert.Equal(4, found.Length);
    }

    [Theory]
    [InlineData(0x25)]
    [InlineData(0x26)]
    [InlineData(0x27)]
    public void FramesOfAnOldZstdAreDamagedPages(byte version)
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Dump("-z", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        byte[] bytes = File.ReadAllBytes(dump);
        ReadOnlySpan<byte> magic = [0x28, 0xb5, 0x2f, 0xfd];
        int at = bytes.AsSpan().IndexOf(magic);
        bytes[at] = version;
        File.WriteAllBytes(dump, bytes);
        using JsonDocument answer = Verify(dump, 1);
        JsonElement problem = Assert.Single(answer.RootElement.GetProperty("problems").EnumerateArray());
        Assert.Equal(at, problem.GetProperty("offset").GetInt64());
    }

    [Fact]
    public void ABitmapThatDisagreesIsFound()
    {
        using TemporaryFolder folder = new();
        string dump = Make(folder);
        byte[] bytes = File.ReadAllBytes(dump);
        int block = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(428)), bitmap = (1 + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(432))) * block;

        // The second bitmap says that the first page on pmem's user data is there; the first one loses a page of RAM.
        int second = bitmap + (BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(436)) / 2 * block);
        bytes[second + (0x100500 / 8)] |= 1;
        int ram = bytes.AsSpan(second, 0x10000 / 8).IndexOfAnyExcept((byte)0);
        bytes[bitmap + ram] = 0;
        File.WriteAllBytes(dump, bytes);
        using JsonDocument answer = Verify(dump, 1);
        string[] kinds = [.. answer.RootElement.GetProperty("problems").EnumerateArray().Select(p => p.GetProperty("kind").GetString()!)];
        Assert.Contains("bitmap", kinds);
        Assert.Contains("pmem", kinds);
    }

    [Fact]
    public void ATruncatedDumpIsNotSound()
    {
        using TemporaryFolder folder = new();
        string dump = Make(folder);
        long length = new FileInfo(dump).Length;
        using (FileStream file = new(dump, FileMode.Open))
            file.SetLength(length / 2);
        using JsonDocument answer = Verify(dump, 1);
        Assert.True(answer.RootElement.GetProperty("problem_count").GetInt64() > 1000);
        Assert.Equal(1000, answer.RootElement.GetProperty("problems").GetArrayLength());
    }

    [Fact]
    public void ATruncatedCoreFileIsNotSound()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        Tool.Dump("-E", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        using (FileStream file = new(dump, FileMode.Open))
            file.SetLength(file.Length / 2);
        using JsonDocument answer = Verify(dump, 1);
        Assert.Contains(answer.RootElement.GetProperty("problems").EnumerateArray(),
            p => p.GetProperty("found").GetString()!.Contains("truncated", StringComparison.Ordinal));
    }

    [Fact]
    public void AManifestTellsTheRangeThatChanged()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump"), manifest = folder.File("manifest");
        Tool.Dump("-l", "-d", "31", "--manifest", manifest, RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        byte[] bytes = File.ReadAllBytes(dump);

        // The time of the crash: no structure tells that it was another.
        bytes[408] ^= 1;
        File.WriteAllBytes(dump, bytes);
        using JsonDocument answer = Verify(dump, 1, "--manifest", manifest);
        Assert.Equal(["64 MiB range or less at 0", "whole file"], answer.RootElement.GetProperty("problems").EnumerateArray().Select(p =>
            p.GetProperty("what").GetString() == "whole file" ? "whole file" : $"64 MiB range or less at {p.GetProperty("offset")}"));
        Assert.Equal("sound", Verify(dump, 0).RootElement.GetProperty("result").GetString());
    }

    [Theory]
    [InlineData("", "no JSON in line 1")]
    [InlineData("{\n\"schema\": 1,\n\"size\"", "no JSON in line 3")]
    [InlineData("{} {}", "no JSON in line 1")]
    [InlineData("null", "the manifest: null, expected an object")]
    [InlineData("{}", "no ranges")]
    [InlineData("{\"ranges\":[], \"sha256\":null}", "no sha256")]
    [InlineData("{\"size\":1.5}", "size: a number that is not whole or too large")]
    [InlineData("{\"schema\":4294967296}", "schema: 4294967296, expected a smaller number")]
    [InlineData("{\"file\":[]}", "file: a list, expected text")]
    [InlineData("{\"ranges\":{}}", "ranges: an object, expected a list")]
    [InlineData("{\"schema\":1,\"size\":5,\"sha256\":\"x\",\"ranges\":[{\"offset\":0,\"length\":9,\"sha256\":\"x\"}]}", "9 bytes at 0")]
    [InlineData("{\"schema\":1,\"size\":5,\"sha256\":\"x\",\"ranges\":[null]}", "a range: null, expected an object")]
    [InlineData("{\"schema\":1,\"size\":5,\"sha256\":\"x\",\"ranges\":[{\"offset\":0}]}", "no sha256")]
    [InlineData("{\"schema\":2,\"size\":0,\"sha256\":\"x\",\"unknown\":[{}],\"ranges\":[]}", "manifest schema: found 2")]
    public void AManifestThatIsNoneIsRefused(string text, string found)
    {
        using TemporaryFolder folder = new();
        string dump = Make(folder), manifest = folder.File("manifest");
        File.WriteAllText(manifest, text);
        ToolResult result = Tool.Run(s_vmcore, "verify", dump, "--manifest", manifest);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(manifest, result.Error, StringComparison.Ordinal);
        Assert.Contains(found, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
        using JsonDocument answer = Verify(dump, 2, "--manifest", manifest);
        Assert.Equal("no_manifest", answer.RootElement.GetProperty("result").GetString());
        JsonElement problem = Assert.Single(answer.RootElement.GetProperty("problems").EnumerateArray());
        Assert.Equal(["manifest", manifest], [problem.GetProperty("kind").GetString()!, problem.GetProperty("file").GetString()!]);
    }

    /// <summary>Whoever deletes dumps that are not sound must not do so for a slip of the pen.</summary>
    [Theory]
    [InlineData("--manifest", "missing")]
    [InlineData("--manifest", "/")]
    [InlineData("--manifest")]
    [InlineData("--manifests", "x")]
    [InlineData("--vmlinux", "missing")]
    public void AMistakeIsNoDamage(params string[] words)
    {
        using TemporaryFolder folder = new();
        ToolResult result = Tool.Run(s_vmcore, ["verify", Make(folder), .. words]);
        Assert.Equal(2, result.ExitCode);
        Assert.NotEqual("", result.Error);
        Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNoDumpIsToldFromADamagedOne()
    {
        using TemporaryFolder folder = new();
        string dump = folder.File("dump");
        File.WriteAllText(dump, "no dump");
        Assert.Equal("no_dump", Verify(dump, 2).RootElement.GetProperty("result").GetString());
        Assert.Equal(2, Tool.Run(s_vmcore, "verify", folder.File("missing")).ExitCode);
    }

    [Theory]
    [InlineData("-F")]
    [InlineData("--dry-run")]
    public void AManifestNeedsOneFile(string option)
    {
        using TemporaryFolder folder = new();
        string[] output = option == "-F" ? [] : [folder.File("dump")];
        ToolResult result = Tool.Run(Executable.Makedumpfile,
            [option, "--manifest", folder.File("manifest"), RealCrash.Get("sample rfc-v2-6.1").Path, .. output]);
        Assert.Equal(1, result.ExitCode);
        Assert.False(File.Exists(folder.File("manifest")));
    }

    private static string Make(TemporaryFolder folder)
    {
        string dump = folder.File("dump");
        Tool.Dump("-l", "-d", "31", RealCrash.Get("sample rfc-v2-6.1").Path, dump);
        return dump;
    }

    private static int Descriptors(byte[] bytes)
    {
        int block = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(428));
        return (1 + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(432)) + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(436))) * block;
    }

    private static JsonDocument Verify(string dump, int status, params string[] more)
    {
        ToolResult result = Tool.Run(s_vmcore, ["verify", dump, "--json", .. more]);
        Assert.True(result.ExitCode == status, $"exit status {result.ExitCode}, expected {status}\n{result.Output}\n{result.Error}");
        return JsonDocument.Parse(result.Output);
    }
}
