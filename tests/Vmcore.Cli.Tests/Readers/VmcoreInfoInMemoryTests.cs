using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Dumps of hypervisors that do not bring vmcoreinfo: the kernel's note in its memory is found, and proven by that kernel.</summary>
public sealed class VmcoreInfoInMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheNoteInTheMachinesMemoryStandsInForTheOneThatIsMissing()
    {
        const int Headers = 1 << 16;
        string sample = RealCrash.Get("sample rfc-v2-6.1").Path, bare = _folder.File("bare");
        Tool.Succeed("cp", "--sparse=always", sample, bare);
        using (FileStream file = File.Open(bare, FileMode.Open, FileAccess.ReadWrite))
        {
            byte[] head = new byte[Headers];
            file.ReadExactly(head);
            int at = head.AsSpan().IndexOf("VMCOREINFO\0"u8);
            Assert.True(at > 0);
            "VMCOREINGO"u8.CopyTo(head.AsSpan(at));
            file.Position = 0;
            file.Write(head);
        }

        foreach (string command in (string[])["ps", "modules", "mounts"])
            Assert.Equal(Tool.Succeed(Executable.Vmcore, command, sample).Output, Tool.Succeed(Executable.Vmcore, command, bare).Output);
        Tool.Dump("-f", "-l", "-d", "31", bare, _folder.File("dump"));
        Assert.Contains("The dump is sound", Tool.Succeed(Executable.Vmcore, "verify", _folder.File("dump")).Output, StringComparison.Ordinal);
    }
}
