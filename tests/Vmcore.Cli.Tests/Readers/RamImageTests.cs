using System.Text;
using Vmcore.Kernel.Resources;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Images of RAM, raw and LiME's: they say nothing of the machine, and the kernel in them says everything.</summary>
public sealed class RamImageTests(RamImageTests.Images images) : IClassFixture<RamImageTests.Images>, IDisposable
{
    private static readonly string[] s_commands = ["ps", "modules", "mounts", "dmesg", "bt -c", "symbol init_task", "print init_uts_ns", "pmem"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The images of the bundled crash.</summary>
    public sealed class Images : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Images()
        {
            Raw = RamImage.Raw(_folder, PatchedSample.Original);
            Lime = RamImage.Lime(_folder, PatchedSample.Original);
        }

        internal string[] Raw { get; }

        internal string Lime { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void RawImagesAnswerAsTheDumpDoes() => AnswersAreTheSame(command => RamImage.Line(command, images.Raw));

    [Fact]
    public void ALimeImageAnswersAsTheDumpDoes() =>
        AnswersAreTheSame(command => command.Split(' ') is [var name, .. var rest] ? [name, images.Lime, .. rest] : []);

    [Fact]
    public void ADumpIsMadeOfThem()
    {
        string dump = _folder.File("dump"), reference = _folder.File("reference");
        Tool.Dump(["-l", "-d", "31", .. RamImage.Options(images.Raw), dump]);
        Tool.Dump("-l", "-d", "31", images.Lime, _folder.File("lime"));
        Tool.Dump("-l", "-d", "31", PatchedSample.Original, reference);
        Assert.Contains("The dump is sound", Tool.Succeed(Executable.Vmcore, "verify", dump).Output, StringComparison.Ordinal);
        PagesAreTheSame(reference, dump);
        PagesAreTheSame(reference, _folder.File("lime"));
    }

    [Fact]
    public void VmcoreDmesgReadsRawImages() => Assert.Equal(
        Tool.Succeed(Executable.VmcoreDmesg, PatchedSample.Original).Output, Tool.Succeed(Executable.VmcoreDmesg, RamImage.Options(images.Raw)).Output);

    [Fact]
    public void AnImageAtAnotherAddressIsRefused()
    {
        (string file, long _) = Largest();
        Refused("no kernel that describes itself", "ps", "--raw", file + "@0x7000000");
    }

    [Fact]
    public void AnImageWithoutAKernelIsRefused()
    {
        string file = _folder.File("zeroes");
        using (FileStream image = File.Create(file))
            image.SetLength(16 << 20);
        Refused("no kernel that describes itself", "info", "--raw", file + "@0");
        Refused("give the others by --part", "ps", "--raw", file + "@0", "--raw", file + "@0x10000000");
        Refused("no kernel that describes itself", "read", "--raw", file + "@0", "-p", "0x1000", "16");
    }

    [Theory]
    [InlineData("expected FILE@ADDRESS", "FILE")]
    [InlineData("expected FILE@ADDRESS", "FILE@4096")]
    [InlineData("expected FILE@ADDRESS", "FILE@")]
    [InlineData("addresses below 2^52", "FILE@0xfffffffffffff000")]
    public void AWrongAddressIsRefused(string why, string word)
    {
        (string file, long _) = Largest();
        Refused(why, "ps", "--raw", word.Replace("FILE", file, StringComparison.Ordinal));
    }

    [Fact]
    public void ImagesThatOverlapAreRefused()
    {
        (string file, long _) = Largest();
        string copy = _folder.File("copy");
        File.WriteAllBytes(copy, new byte[1 << 16]);
        Refused("overlap", "ps", "--raw", file + "@0x100000", "--part", copy + "@0x200000");
    }

    [Fact]
    public void ADescriptionOfAnotherKernelIsRefused()
    {
        string text = _folder.File("vmcoreinfo");
        byte[] own = OwnVmcoreInfo();
        File.WriteAllText(text, Encoding.Latin1.GetString(own).Replace("OSRELEASE=6.1", "OSRELEASE=6.2", StringComparison.Ordinal));
        foreach (string command in (string[])["ps", "info", "dmesg", "bt", "pmem"])
            Refused("OSRELEASE", [.. RamImage.Line(command, images.Raw), "-i", text]);
        File.WriteAllText(text, OtherBuild(own));
        foreach (string command in (string[])["ps", "info", "dmesg", "bt", "pmem"])
            Refused("the build id is 00", [.. RamImage.Line(command, images.Raw), "-i", text]);
        File.WriteAllBytes(text, own);
        Assert.Equal(Tool.Succeed(Executable.Vmcore, "ps", PatchedSample.Original).Output,
            Tool.Succeed(Executable.Vmcore, [.. RamImage.Line("ps", images.Raw), "-i", text]).Output);
    }

    [Fact]
    public void TheKernelThatCapturesTheCrashIsNotTakenForTheOneThatCrashed()
    {
        byte[] note = SecondNote();
        KernelResource area;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
            area = dump.Resources!.All().First(static r => r.Name.StartsWith("Crash kernel", StringComparison.Ordinal));
        string image = _folder.File("crash-kernel");
        File.WriteAllBytes(image, new byte[1 << 20]);
        RamImage.Patch(image, 0x1000, note);
        string[] words = [.. images.Raw, FormattableString.Invariant($"{image}@0x{area.Range.Start:x}")];
        Assert.Equal(Tool.Succeed(Executable.Vmcore, RamImage.Line("dmesg", images.Raw)).Output,
            Tool.Succeed(Executable.Vmcore, RamImage.Line("dmesg", words)).Output);
    }

    [Fact]
    public void WhereSeveralKernelsDescribeThemselvesSomebodyHasToChoose()
    {
        byte[] note = SecondNote();
        (string file, long size) = Largest();
        string copy = _folder.File("image");
        Tool.Succeed("cp", "--sparse=always", file, copy);

        // The last page of a machine's RAM is rarely anybody's; here it is nobody's.
        long at = size - (2 << 20);
        RamImage.Patch(copy, at, note);
        string[] words = [.. images.Raw.Select(w => w.Replace(file + "@", copy + "@", StringComparison.Ordinal))];
        Refused("several kernels describe themselves", RamImage.Line("ps", words));
        string text = _folder.File("vmcoreinfo");
        File.WriteAllBytes(text, OwnVmcoreInfo());
        Tool.Succeed(Executable.Vmcore, [.. RamImage.Line("ps", words), "-i", text]);
    }

    [Fact]
    public void HolesOfAnImageAreNotRead()
    {
        string hole = _folder.File("hole");
        using (FileStream image = File.Create(hole))
            image.SetLength(1L << 42);
        Assert.Equal(Tool.Succeed(Executable.Vmcore, RamImage.Line("ps", images.Raw)).Output,
            Tool.Succeed(Executable.Vmcore, RamImage.Line("ps", [.. images.Raw, hole + "@0x100000000000"])).Output);
    }

    [Fact]
    public void ACutLimeImageIsSaidToBeOne()
    {
        string cut = _folder.File("cut.lime");
        File.Copy(images.Lime, cut);
        using (FileStream image = File.OpenWrite(cut))
            image.SetLength(image.Length - (1 << 20));
        ToolResult result = Tool.Run(Executable.Vmcore, "verify", cut);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("goes beyond the end of the file", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("program header", result.Output, StringComparison.Ordinal);
    }

    private static string OtherBuild(byte[] own)
    {
        string text = Encoding.Latin1.GetString(own);
        int at = text.IndexOf("BUILD-ID=", StringComparison.Ordinal) + "BUILD-ID=".Length;
        return string.Concat(text.AsSpan(0, at), "00", text.AsSpan(at + 2));
    }

    private static void AnswersAreTheSame(Func<string, string[]> line)
    {
        foreach (string command in s_commands)
        {
            string[] parts = command.Split(' ');
            ToolResult wanted = Tool.Run(Executable.Vmcore, [parts[0], PatchedSample.Original, .. parts[1..]]);
            ToolResult got = Tool.Run(Executable.Vmcore, line(command));
            Assert.True(got.ExitCode == wanted.ExitCode && got.Output == wanted.Output,
                $"{command}: {got.ExitCode} instead of {wanted.ExitCode}\n{got.Error}\n{Differing(wanted.Output, got.Output)}");
        }
    }

    private static string Differing(string wanted, string got) => string.Join('\n',
        wanted.Split('\n').Zip(got.Split('\n')).Where(static p => p.First != p.Second).Take(5).Select(static p => $"- {p.First}\n+ {p.Second}"));

    private static void PagesAreTheSame(string reference, string dump)
    {
        using CrashDump a = CrashDump.Open(reference), b = CrashDump.Open(dump);
        byte[] first = new byte[a.Memory.PageSize], second = new byte[a.Memory.PageSize];

        // Of the first MiB a vmcore has nothing.
        Assert.Equal(a.Memory.PresentPages().LongCount(static p => p >= 0x100), b.Memory.PresentPages().LongCount(static p => p >= 0x100));
        foreach (ulong pfn in a.Memory.PresentPages())
        {
            Assert.Equal(a.Memory.ReadPage(pfn, first), b.Memory.ReadPage(pfn, second));
            Assert.True(first.AsSpan().SequenceEqual(second), $"pfn 0x{pfn:x}");
        }
    }

    private static void Refused(string why, params string[] words)
    {
        ToolResult result = Tool.Run(Executable.Vmcore, words);
        Assert.True(result.ExitCode is 1 or 2 && result.Error.Contains(why, StringComparison.Ordinal), $"{result.ExitCode}: {result.Error}");
        Assert.Equal("", result.Output);
    }

    private (string File, long Size) Largest() => images.Raw
        .Select(static w => w[..w.LastIndexOf('@')]).Select(static f => (f, new FileInfo(f).Length)).MaxBy(static f => f.Length);

    private static byte[] OwnVmcoreInfo()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        return dump.VmcoreInfo!.Text.ToArray();
    }

    // The note of a kernel that is proven, and is not the same text: that of the crashed one with a line more.
    private static byte[] SecondNote()
    {
        string own = Encoding.Latin1.GetString(OwnVmcoreInfo());
        byte[] text = Encoding.Latin1.GetBytes(own.Replace("PAGESIZE=4096\n", "PAGESIZE=4096\nNUMBER(second)=1\n", StringComparison.Ordinal));
        using var note = new MemoryStream();
        using var writer = new BinaryWriter(note);
        writer.Write(11u);
        writer.Write((uint)text.Length);
        writer.Write(0u);
        writer.Write("VMCOREINFO\0\0"u8);
        writer.Write(text);
        writer.Flush();
        return note.ToArray();
    }
}
