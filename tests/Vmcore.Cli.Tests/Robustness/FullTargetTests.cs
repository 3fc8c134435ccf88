using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Robustness;

/// <summary>Every mode that writes a file, onto a target that takes only some of it: status 1 and a sentence, never a signal, never success.</summary>
public sealed class FullTargetTests(SampleCore core) : IClassFixture<SampleCore>, IDisposable
{
    private readonly Shell _shell = new();

    public void Dispose() => _shell.Dispose();

    /// <summary>Beyond <c>ulimit -f</c> (here in blocks of 512 bytes) the system sends SIGXFSZ, which kills whoever does not ignore it.</summary>
    [Theory]
    [InlineData("$M -d 31 in out")]
    [InlineData("$M -E -d 31 in out")]
    [InlineData("$M -F -d 31 in > out")]
    [InlineData("$M -F -E -d 31 in > out")]
    [InlineData("$M -R out < flat")]
    [InlineData("$M --split -d 31 in out out2")]
    [InlineData("$M --reassemble part1 part2 out")]
    [InlineData("$M --dump-dmesg log out")]
    [InlineData("$M --dump-dmesg -F log > out")]
    [InlineData("$V map in -o out.html")]
    public void TheFileMayNotGrow(string command)
    {
        Executable.NeedsNative("a limit that the runtime's own files are above");
        string vmcore = $"V=$(dirname $M)/vmcore; ln -s {core.Path} in; ln -s {RealCrash.Get("sample rfc-v2-6.1").Path} log; ";
        Finished ready = _shell.Run(vmcore + "$M -F -d 31 in > flat && $M --split -d 31 in part1 part2");
        Assert.Equal(0, ready.Status);
        Finished done = _shell.Run($"V=$(dirname $M)/vmcore; ulimit -f 1; {command} 2> errors; s=$?; head -c 500 errors >&2; exit $s").Clean();
        Assert.True(done.Status is 1, $"{command}: status {done.Status}\n{done.Text}");
        Assert.Matches("File too large|may not become larger", done.Text);
    }

    /// <summary>A stream that ends in the middle of a record is not ended once more.</summary>
    [Theory]
    [InlineData("", 4)]
    [InlineData("", 8)]
    [InlineData("", 16)]
    [InlineData("", 24)]
    [InlineData("", 40)]
    [InlineData("", 600)]
    [InlineData("-E", 16)]
    [InlineData("-E", 600)]
    public void AStreamOntoANearlyFullDisk(string options, int kilobytes)
    {
        string enter = Environment.UserName == "root" ? "unshare -m" : "unshare -rm";
        Finished done = _shell.Run($"mkdir disk; exec {enter} sh -c 'mount -t tmpfs -o size=2m tmpfs disk && "
            + $"head -c {2048 - kilobytes}k /dev/zero > disk/fill; "
            + $"$M -F -d 0 {options} {core.Path} > disk/flat'").Clean();
        Assert.Equal(1, done.Status);
        Assert.Matches("no space is left|No space left", done.Text);
    }
}
