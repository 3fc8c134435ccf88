using System.Text;
using Vmcore.Cli.Tests.Readers;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>Images of RAM bring the pmem along with all that is on it, and no header says where it lies: nobody gets to see user data all the same.</summary>
public sealed class RamImageCanaryTests(RamImageCanaryTests.Images images) : IClassFixture<RamImageCanaryTests.Images>
{
    /// <summary>The machine with canaries, as images of its RAM.</summary>
    public sealed class Images : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Images()
        {
            File = new();
            Raw = RamImage.Raw(_folder, File.Path);
            (string image, long offset) = RamImage.Find(Raw, File.Machine.Canary);
            byte[] canary = new byte[CanarySource.Text.Length];
            using FileStream stream = System.IO.File.OpenRead(image);
            stream.Position = offset + 0x48;
            stream.ReadExactly(canary);
            Assert.Equal(CanarySource.Text, Encoding.ASCII.GetString(canary));
        }

        internal CanaryFile File { get; }

        internal string[] Raw { get; }

        internal string Output => _folder.File("out");

        public void Dispose()
        {
            File.Dispose();
            _folder.Dispose();
        }
    }

    [Theory]
    [InlineData("vmcore read DUMP ADDRESS -f string")]
    [InlineData("vmcore read DUMP PHYSICAL -p -f raw")]
    [InlineData("vmcore print DUMP new_utsname ADDRESS --json")]
    [InlineData("vmcore print DUMP -p new_utsname PHYSICAL")]
    public void NobodyGetsUserDataByItsAddress(string command)
    {
        string line = command["vmcore ".Length..].Replace("DUMP ", "", StringComparison.Ordinal)
            .Replace("ADDRESS", FormattableString.Invariant($"0x{images.File.Text:x}"), StringComparison.Ordinal)
            .Replace("PHYSICAL", FormattableString.Invariant($"0x{images.File.Machine.Canary + 0x48:x}"), StringComparison.Ordinal);
        ToolResult result = Tool.Run(Executable.Vmcore, RamImage.Line(line, images.Raw));
        Assert.NotEqual(0, result.ExitCode);
        CanaryFile.AssertClean(result.Output + result.Error, line, 0);
    }

    [Theory]
    [InlineData("-d", "0")]
    [InlineData("-d", "31")]
    [InlineData("-E", "-d", "1")]
    public void NoDumpHasUserData(params string[] options)
    {
        Tool.Dump(["-f", .. options, .. RamImage.Options(images.Raw), images.Output]);
        Clean(Encoding.Latin1.GetString(File.ReadAllBytes(images.Output)));
    }

    [Fact]
    public void AStreamHasNone() => Clean(Tool.Dump(["-F", "-E", "-d", "31", .. RamImage.Options(images.Raw)]).Output);

    /// <summary>Without the kernel's list of what is where nothing of the image can be told from user data.</summary>
    [Fact]
    public void AnImageWhoseKernelDoesNotSayWhatIsPmemIsRefused()
    {
        ulong physical;
        using (CrashDump dump = CrashDump.Open(images.File.Path))
            physical = dump.KernelView.RequireMemory().Translate(dump.Evaluate("iomem_resource.child").Address!.Value).PhysicalAddress;
        (string image, long offset) = RamImage.Find(images.Raw, physical);
        byte[] before = new byte[sizeof(ulong)];
        using (FileStream stream = File.OpenRead(image))
        {
            stream.Position = offset;
            stream.ReadExactly(before);
        }

        RamImage.Patch(image, offset, new byte[sizeof(ulong)]);
        try
        {
            ToolResult result = Tool.Run(Executable.Vmcore, RamImage.Line("read -p -f string 0x100000 64", images.Raw));
            Assert.NotEqual(0, result.ExitCode);
            Assert.Equal("", result.Output);
        }
        finally
        {
            RamImage.Patch(image, offset, before);
        }
    }

    private static void Clean(string written) => CanaryFile.AssertClean(written, "makedumpfile --raw", 0);
}
