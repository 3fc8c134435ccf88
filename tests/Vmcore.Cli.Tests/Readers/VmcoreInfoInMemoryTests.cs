namespace Vmcore.Cli.Tests.Readers;

/// <summary>Dumps of hypervisors that do not bring vmcoreinfo: the kernel's note in its memory is found, and proven by that kernel.</summary>
public sealed class VmcoreInfoInMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheNoteInTheMachinesMemoryStandsInForTheOneThatIsMissing()
    {
        string sample = PatchedSample.Original, bare = PatchedSample.WithHeader(_folder, "VMCOREINFO\0"u8, "VMCOREINGO\0"u8);
        foreach (string command in (string[])["ps", "modules", "mounts"])
            Assert.Equal(Tool.Succeed(Executable.Vmcore, command, sample).Output, Tool.Succeed(Executable.Vmcore, command, bare).Output);
        Tool.Dump("-f", "-l", "-d", "31", bare, _folder.File("dump"));
        Assert.Contains("The dump is sound", Tool.Succeed(Executable.Vmcore, "verify", _folder.File("dump")).Output, StringComparison.Ordinal);
    }
}
