namespace Vmcore.Cli.Tests.Robustness;

/// <summary>Inputs that are no vmcore, options that conflict, consoles that are not there.</summary>
public sealed class BadInputTests(SampleCore core) : IClassFixture<SampleCore>, IDisposable
{
    private readonly Shell _shell = new();

    public void Dispose() => _shell.Dispose();

    [Theory]
    [InlineData("printf 'no dump at all' > in", "in", "file format: found bytes 6E6F")]
    [InlineData(": > in", "in", "an empty file")]
    [InlineData("mkdir in", "in", "Is a directory")]
    [InlineData("true", "in", "No such file or directory")]
    [InlineData("true", "/dev/null", "an empty file")]
    [InlineData("true", "/dev/zero", "file format")]
    [InlineData("mkfifo in; (echo x > in) &", "in", "it is a pipe")]
    [InlineData("head -c 64 $F > in", "in", "program headers")]
    [InlineData("head -c 20 $F > in", "in", "ELF header")]
    [InlineData("printf 'KDUMP   ' > in", "in", "kdump header")]
    [InlineData("ln -s in in", "in", "in:")]
    public void NotAVmcore(string prepare, string input, string words)
    {
        _shell.Run($"F={core.Path}; {prepare}\n$M -d 31 {input} out").Refused(words).Refused("makedumpfile Failed.");
        Assert.False(File.Exists(_shell.PathOf("out")));
    }

    /// <summary>No empty file is left, and -f does not cost the file that is there.</summary>
    [Theory]
    [InlineData("-E kdump out", "can only be made of an ELF file")]
    [InlineData("-E --time-limit 9 kdump out", "can only be made of an ELF file")]
    [InlineData("-E --manifest other kdump out", "can only be made of an ELF file")]
    [InlineData("-d 31 --manifest other text out", "file format")]
    [InlineData("--split -d 31 $F out none/other", "No such file or directory")]
    [InlineData("--manifest other $F none/out", "No such file or directory")]
    [InlineData("--reassemble kdump kdump out", "only parts of a split dump together")]
    [InlineData("--dump-dmesg text out", "file format")]
    [InlineData("-R out < text", "Nothing is written.")]
    [InlineData("-g out -x text", "ELF header")]
    public void WhatIsRefusedLeavesTheOutputAlone(string arguments, string words)
    {
        _shell.Run($"$M -c -d 31 {core.Path} kdump; echo text > text; F={core.Path}; $M {arguments}").Refused(words);
        Assert.False(File.Exists(_shell.PathOf("out")));
        Assert.False(File.Exists(_shell.PathOf("other")));
        _shell.Run($"echo precious | tee out > other; chmod 644 out; F={core.Path}; $M -f {arguments}").Refused(words);
        Assert.Equal("precious\n", File.ReadAllText(_shell.PathOf("out")));
        Assert.Equal("precious\n", File.ReadAllText(_shell.PathOf("other")));
        Assert.Equal("644", _shell.Run("stat -c %a out").Output.Trim());
    }

    [Fact]
    public void AFileThatMayNotBeRead()
    {
        Executable.NeedsNative("a copy of it alone, which another user may run");
        // Root may read everything: as somebody else.
        string user = Environment.UserName == "root" ? "setpriv --reuid 65534 --clear-groups " : "";
        Finished done = _shell.Run($"chmod 755 .; cp -L $M m; chmod 755 m; cp /bin/sh in; chmod 0 in; exec {user}./m makedumpfile -d 31 in /tmp/none-of-it");
        done.Refused("in: cannot open: Permission denied");
    }

    [Theory]
    [InlineData(31)]
    [InlineData(2)]
    [InlineData(16)]
    public void NoVmcoreinfoAtALevelThatNeedsIt(int level)
    {
        Finished done = _shell.Run($"$M -d {level} {core.BarePath} out").Refused("doesn't contain vmcoreinfo.\n");
        Assert.Contains("Specify '-x' option or '-i' option.", done.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(32)]
    public void NoVmcoreinfoAtALevelThatDoesNotNeedIt(int level)
    {
        Assert.Equal(0, _shell.Run($"$M -d {level} {core.BarePath} out").Clean().Status);
        Assert.Equal(0, _shell.Run("grep -c SYN-PMEM-CANARY out; true").Output.Trim() is "0" ? 0 : 1);
    }

    [Theory]
    [InlineData("-E -c $F out")]
    [InlineData("-d 64 $F out")]
    [InlineData("-d -1 $F out")]
    [InlineData("-d 99999999999999999999 $F out")]
    [InlineData("-d 1,31,x $F out")]
    [InlineData("-L 99999999999999999999 $F out")]
    [InlineData("-L -5 $F out")]
    [InlineData("--num-threads 99999999999999999999 $F out")]
    [InlineData("--message-level 99999999999999999999 $F out")]
    [InlineData("--pmem-range 0x2000-0x1000 $F out")]
    [InlineData("--pmem-range zz $F out")]
    [InlineData("--no-such-option $F out")]
    [InlineData("$F")]
    [InlineData("")]
    public void OptionsThatMakeNoSense(string arguments)
    {
        _shell.Run($"F={core.Path}; $M {arguments}").Refused("");
        Assert.False(File.Exists(_shell.PathOf("out")));
    }

    [Fact]
    public void AClosedConsoleCostsNeitherTheDumpNorItsHeader()
    {
        Assert.Equal(0, _shell.Run($"$M -d 31 {core.Path} ref >/dev/null 2>&1").Status);
        foreach (string closed in new[] { ">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full" })
        {
            Assert.Equal(0, _shell.Run($"rm -f out; $M -d 31 {core.Path} out {closed}").Clean().Status);
            Assert.Equal(0, _shell.Run("cmp ref out").Status);
        }
    }

    [Theory]
    [InlineData(">&-")]
    [InlineData(">/dev/full")]
    [InlineData("| head -c 100000 > /dev/null")]
    public void AFlattenedDumpThatNobodyTakes(string target)
    {
        Finished done = _shell.Run($"{{ $M -F -d 1 {core.Path}; echo $? > status; }} {target}").Clean();
        string status = File.Exists(_shell.PathOf("status"))
            ? File.ReadAllText(_shell.PathOf("status")).Trim()
            : done.Status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal("1", status);
    }

    [Fact]
    public void WhatWasCutShortIsNotAtAHundredPercent()
    {
        Finished done = _shell.Run($"$M -L 20M -d 0 {core.Path} out").Refused("is incomplete");
        Assert.Contains("Excluding unnecessary pages   : [100.0 %]", done.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("Copying data                  : [100.0 %]", done.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--mem-usage", ">&-")]
    [InlineData("--mem-usage", ">/dev/full")]
    [InlineData("--dump-dmesg -F", ">&-")]
    [InlineData("--help", ">/dev/full")]
    [InlineData("-v", ">/dev/full")]
    public void AnAnswerThatNobodyTakes(string mode, string target)
    {
        if (target == ">&-")
            Executable.NeedsNative("no standard output: the runtime's own files would take its number");
        _shell.Run($"$M {mode} {core.Path} {target}").Refused("STDOUT: ");
    }

    [Fact]
    public void LittleAddressSpaceGivesADumpOrAFailureWithoutATrace()
    {
        Executable.NeedsNative("its memory");
        foreach (int megabytes in new[] { 20, 60, 150, 300, 600 })
        {
            Finished done = _shell.Run($"ulimit -v {megabytes * 1024}; $M -f -d 31 {core.Path} out");
            Assert.DoesNotContain("   at ", done.Text, StringComparison.Ordinal);
            if (done.Status == 0)
            {
                using CrashDump dump = CrashDump.Open(_shell.PathOf("out"));
                Assert.False(dump.IsIncomplete);
            }
        }
    }

    [Theory]
    [InlineData("-c")]
    [InlineData("-l")]
    [InlineData("-p")]
    [InlineData("-z")]
    [InlineData("-E -D")]
    public void AnEmptyRootFileSystemIsEnough(string options)
    {
        Executable.NeedsNative("nothing below it");
        string enter = Environment.UserName == "root" ? "chroot" : "unshare -r chroot";
        Finished done = _shell.Run($"mkdir root; cp -L $M root/makedumpfile; cp --sparse=always {core.Path} root/vmcore; "
            + $"exec {enter} root /makedumpfile -d 31 --message-level 31 {options} /vmcore /dump");
        Assert.Equal(0, done.Clean().Status);
        Assert.Contains("sha256: ", _shell.Run($"{enter} root /makedumpfile -f -d 31 -D {options} /vmcore /dump").Text, StringComparison.Ordinal);
        Assert.Equal(0, _shell.Run($"$M -d 31 {options} root/vmcore here && cmp here root/dump").Status);
    }
}
