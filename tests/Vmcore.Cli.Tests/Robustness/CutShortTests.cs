using System.Diagnostics;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Robustness;

/// <summary>Dumps that end early: the disk is full, a limit is reached, somebody stops it. What is there is marked incomplete and readable.</summary>
public sealed class CutShortTests(SampleCore core) : IClassFixture<SampleCore>, IDisposable
{
    private const string LibKdumpFile = """
        import kdumpfile, sys
        dump = kdumpfile.kdumpfile(sys.argv[1])
        good = 0
        for pfn in range(256, 25600):
            try:
                dump.read(kdumpfile.KDUMP_MACHPHYSADDR, pfn * 4096, 4096)
                good += 1
            except Exception:
                pass
        print(good)
        """;

    private readonly Shell _shell = new();

    public void Dispose() => _shell.Dispose();

    [Theory]
    [InlineData("-c", true)]
    [InlineData("", true)]
    [InlineData("-E", false)]
    public void TheDiskIsFull(string options, bool isKdump)
    {
        string enter = Environment.UserName == "root" ? "unshare -m" : "unshare -rm";
        Finished done = _shell.Run($"mkdir disk; exec {enter} sh -c 'mount -t tmpfs -o size=8m tmpfs disk && $M -d 0 {options} {core.Path} disk/out; "
            + "s=$?; cp --sparse=always disk/out .; exit $s'");
        done.Refused("no space is left on the target");
        CheckCut("out", isKdump, atLeast: 1000);
    }

    [Theory]
    [InlineData("-c", true, 8000)]
    [InlineData("", true, 30_000)]
    [InlineData("-E", false, 30_000)]
    [InlineData("-E", false, 195_000)]
    public void TheFileMayNotGrow(string options, bool isKdump, int kilobytes)
    {
        Executable.NeedsNative("a limit that the runtime's own files are above");
        _shell.Run($"ulimit -f {kilobytes}; $M -d 0 {options} {core.Path} out").Refused("the target may not become larger");
        CheckCut("out", isKdump, atLeast: 1000);
    }

    [Fact]
    public void TheTargetTakesNothing() =>
        _shell.Run($"$M -f -d 31 {core.Path} /dev/full").Refused("No space left on device");

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(20_000)]
    [InlineData(100_000)]
    [InlineData(5_000_000)]
    public void ASizeLimit(int bytes)
    {
        _shell.Run($"$M -d 0 -L {bytes} {core.Path} out").Refused("the size limit of -L is reached");
        CheckCut("out", isKdump: true, atLeast: bytes > 1_000_000 ? 100 : 0);
    }

    [Fact]
    public void AListOfLevelsGoesOnUntilOneFits()
    {
        long all = Size("all", "-d 0"), few = Size("few", "-d 31");
        Assert.True(few + 1_000_000 < all);
        Finished done = _shell.Run($"$M -d 0,31 -L {(all + few) / 2} {core.Path} out").Clean();
        Assert.Equal(0, done.Status);
        Assert.Equal(0, _shell.Run("cmp out few").Status);
        _shell.Run($"$M -f -d 0,31 -L {few / 2} {core.Path} out").Refused("size limit");
    }

    [Theory]
    [InlineData("INT", "-c")]
    [InlineData("TERM", "-c")]
    [InlineData("HUP", "-z")]
    public void ASignalEndsTheDumpInOrder(string signal, string options)
    {
        (int status, string text) = Interrupt(signal, $"{options} -d 0 --num-threads 1", "out");
        Assert.Equal(1, status);
        Assert.Contains("it was asked to stop", text, StringComparison.Ordinal);
        CheckCut("out", isKdump: true, atLeast: 1);
    }

    [Fact]
    public void KilledOutrightTheHeaderSaysIncomplete()
    {
        Interrupt("KILL", "-c -d 0 --num-threads 1", "out");
        using CrashDump dump = CrashDump.Open(_shell.PathOf("out"));
        Assert.True(dump.IsIncomplete);
    }

    /// <summary>The pipe holds the dump up until its input has been cut.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("-E")]
    public void TheInputBecomesShorterMeanwhile(string options)
    {
        Finished done = _shell.Run($"""
            cp --sparse=always {core.Path} input; mkfifo pipe
            $M -F -d 0 --num-threads {(options.Length == 0 ? 1 : 0)} {options} input > pipe 2> errors & dump=$!
            exec 3< pipe; head -c 100000 <&3 > flat; truncate -s 50M input; cat <&3 >> flat; exec 3<&-
            wait $dump; s=$?; cat errors >&2; $M -R out < flat; exit $s
            """.Replace(" --num-threads 0", "", StringComparison.Ordinal));
        done.Refused("input became shorter while it was dumped: ");
        Assert.Contains("marked incomplete", done.Text, StringComparison.Ordinal);
        using CrashDump dump = CrashDump.Open(_shell.PathOf("out"));
        Assert.True(dump.IsIncomplete);
    }

    private long Size(string name, string options)
    {
        Assert.Equal(0, _shell.Run($"$M {options} {core.Path} {name}").Status);
        return new FileInfo(_shell.PathOf(name)).Length;
    }

    /// <summary>Stops a dump when some of its data is written. On a busy machine it can end before the signal comes: then once more.</summary>
    private (int Status, string Text) Interrupt(string signal, string options, string output)
    {
        for (int tries = 1; ; tries++)
        {
            (int Status, string Text) done = InterruptOnce(signal, options, output);
            if (done.Status != 0 || tries == 20)
                return done;
            File.Delete(_shell.PathOf(output));
        }
    }

    /// <summary>Freezes the dump first, so that it cannot end meanwhile.</summary>
    private (int Status, string Text) InterruptOnce(string signal, string options, string output)
    {
        // Who runs the tests under nohup has SIGHUP ignored, in the background of a script SIGINT: so would the dump.
        using Process process = _shell.Start($"exec env --default-signal=HUP,INT,TERM $M {options} {core.Path} {output}");
        Task<string> errors = process.StandardError.ReadToEndAsync(), text = process.StandardOutput.ReadToEndAsync();
        var file = new FileInfo(_shell.PathOf(output));
        while (!process.HasExited)
        {
            file.Refresh();
            if (file.Exists && file.Length > 1 << 20)
                break;
            Thread.Sleep(1);
        }

        _shell.Run($"kill -STOP {process.Id}; kill -{signal} {process.Id}; kill -CONT {process.Id}");
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(2)));
        return (process.ExitCode, text.Result + errors.Result);
    }

    /// <summary>The file says that it is incomplete, and every page that it gives is the vmcore's.</summary>
    private void CheckCut(string name, bool isKdump, int atLeast)
    {
        using CrashDump raw = CrashDump.Open(core.Path), cut = CrashDump.Open(_shell.PathOf(name));
        Assert.True(cut.IsIncomplete);
        byte[] expected = new byte[4096], found = new byte[4096];
        int good = 0;
        for (ulong pfn = 256; pfn < 25_600; pfn++)
        {
            if (cut.Memory.ReadPage(pfn, found) != MemoryStatus.Ok)
                continue;
            Assert.Equal(MemoryStatus.Ok, raw.Memory.ReadPage(pfn, expected));
            Assert.True(expected.AsSpan().SequenceEqual(found), $"pfn 0x{pfn:x}");
            good++;
        }

        Assert.InRange(good, atLeast, 25_343);
        if (!isKdump || good == 0)
            return;
        File.WriteAllText(_shell.PathOf("read.py"), LibKdumpFile);
        Finished read = _shell.Run($"/usr/bin/python3 read.py {name}");
        Assert.Equal("", read.Errors);
        Assert.InRange(int.Parse(read.Output, System.Globalization.CultureInfo.InvariantCulture), Math.Min(good, 1), 25_344);
    }
}
