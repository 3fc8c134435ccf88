using System.Text;
using System.Text.Json;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Robustness;

/// <summary>What a user may do to the reading commands: files that are no dump, dumps that
/// are not whole, outputs that nobody takes, odd terminals and locales.</summary>
public sealed class ReaderInputTests : IDisposable
{
    private static readonly string[] s_commands =
    [
        "info $F", "dmesg $F", "bt $F", "ps $F", "modules $F", "mounts $F", "pmem $F",
        "pmem --page 0x100700 $F", "map $F", "verify $F", "print $F init_task.comm",
        "type $F list_head", "symbol $F panic", "read $F linux_banner 64", "vtop $F linux_banner",
    ];

    private readonly Shell _shell = new();

    private static string Sample => RealCrash.Get("sample rfc-v2-6.1").Path;

    private string Vmcore => Executable.Vmcore;

    public void Dispose() => _shell.Dispose();

    [Theory]
    [InlineData("dmesg --tail 99999999999 $F", "--tail: found '99999999999', expected a number from 0 to 2147483647")]
    [InlineData("dmesg -n abc $F", "--tail: found 'abc', expected a number from 0 to 2147483647")]
    [InlineData("bt --cpu 1.5 $F", "--cpu: found '1.5', expected a number from 0 to 2147483647")]
    [InlineData("vtop --pid x $F linux_banner", "--pid: found 'x', expected a number from 0 to 2147483647")]
    [InlineData("map --level 64 $F", "--level: found '64', expected a number from 0 to 63")]
    public void WhatIsNoNumberIsSaidInWords(string command, string words)
    {
        Finished done = Run(command.Replace("$F", Sample, StringComparison.Ordinal)).Clean();
        Assert.Equal(1, done.Status);
        Assert.Contains(words, done.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", done.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(": > in", "in", "an empty file")]
    [InlineData("mkdir in", "in", "Is a directory")]
    [InlineData("true", "/dev/null", "an empty file")]
    [InlineData("true", "/dev/zero", "file format")]
    [InlineData("true", "missing", "No such file or directory")]
    [InlineData("$M -l -d 31 $S whole >/dev/null 2>&1; head -c 5000 whole > in", "in", "kdump sub_hdr_size")]
    public void WhatIsNoDumpIsRefusedByEveryCommand(string prepare, string input, string words)
    {
        _shell.Run($"S={Sample}; {prepare}").Clean();
        foreach (string command in s_commands)
        {
            foreach (string json in (string[])["", " --json"])
            {
                Finished done = Run(command.Replace("$F", input, StringComparison.Ordinal) + json).Clean();
                Assert.Equal(command.StartsWith("verify", StringComparison.Ordinal) ? 2 : 1, done.Status);
                Assert.Contains(words, done.Text, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("$M -l -d 31 $S whole; head -c 3000000 whole > in", "it was cut short or damaged")]
    [InlineData("$M -F -l -d 31 $S > whole; head -c 3000000 whole > in", "the dump is not complete")]
    [InlineData("head -c 300000 $S > in", "the dump is not complete")]
    [InlineData("$M --split -l -d 31 $S in other", "of which others are missing")]
    [InlineData("$M -L 2M -l -d 31 $S in", "the dump is not complete")]
    public void OfADumpThatIsNotWholeItIsSaidWhySomethingIsMissing(string prepare, string words)
    {
        _shell.Run($"S={Sample}; ({prepare}) >/dev/null 2>&1");
        int without = 0;
        foreach (string command in s_commands)
        {
            Finished done = Run(command.Replace("$F", "in", StringComparison.Ordinal)).Clean();
            Assert.InRange(done.Status, 0, 1);
            if (done.Status == 1 && !command.StartsWith("verify", StringComparison.Ordinal))
            {
                without++;
                Assert.Contains(words, done.Errors, StringComparison.Ordinal);
            }

            Finished json = Run(command.Replace("$F", "in", StringComparison.Ordinal) + " --json").Clean();
            if (json.Output.Length > 0)
                JsonDocument.Parse(json.Output).Dispose();
        }

        // The second half of a split dump has what the reader needs least.
        Assert.True(without > 3 || words.Contains("others", StringComparison.Ordinal), $"{without} commands failed");
        Assert.True(JsonDocument.Parse(Run("info --json in").Output).RootElement.GetProperty("incomplete").GetBoolean());
    }

    [Fact]
    public void AnAnswerThatNobodyTakesIsAnError()
    {
        Executable.NeedsNative("no standard output: the runtime's own files would take its number");
        // Not the status of a dump that is damaged, or of an answer with gaps (vmcore(1)).
        const int NotWritten = 3;
        foreach (string command in s_commands)
        {
            string line = command.Replace("$F", Sample, StringComparison.Ordinal);
            Assert.Equal(NotWritten, Run(line + " --json >&-").Clean().Status);
            Finished full = Run(line + " >/dev/full").Clean();
            Assert.Contains("No space left on device", full.Errors, StringComparison.Ordinal);
            Assert.Equal((command, NotWritten), (command, full.Status));

            // The sample is raw: it has user data.
            if (!command.StartsWith("verify", StringComparison.Ordinal))
                Assert.Equal("0", _shell.Run($"({Vmcore} {line} --json; echo $? >&2) | head -n 1 >/dev/null").Clean().Errors.Trim());
        }

        // What it is asked is in its exit status, or in a file.
        Assert.Equal(0, _shell.Run($"$M -l -d 31 {Sample} out >/dev/null 2>&1; {Vmcore} verify out >&-").Status);
        Assert.Equal(0, Run($"map -o map.svg {Sample} >&-").Status);
    }

    [Fact]
    public void WhoWritesToTheSameFileNextDoesNotWriteOverIt()
    {
        Finished done = _shell.Run(
            $"{{ {Vmcore}-dmesg {Sample}; {Vmcore} info {Sample}; {Vmcore} read {Sample} linux_banner 13 --format raw; echo END; }} >out; cat out").Clean();
        Assert.StartsWith("[    0.000000] Linux version 6.1", done.Output, StringComparison.Ordinal);
        Assert.Contains("\nFile:  ", done.Output, StringComparison.Ordinal);
        Assert.EndsWith("Linux versionEND\n", done.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void NothingInADumpGivesOrdersToATerminal()
    {
        byte[] bytes = File.ReadAllBytes(Sample);
        foreach (string key in (string[])["\nOSRELEASE=", "\nBUILD-ID=", "\nSYMBOL(init_uts_ns)="])
        {
            int at = bytes.AsSpan(0, 1 << 20).IndexOf(Encoding.ASCII.GetBytes(key));
            "\u001b[31m\u009b"u8.CopyTo(bytes.AsSpan(at + key.Length));
        }

        File.WriteAllBytes(_shell.PathOf("in"), bytes);
        foreach (string command in (string[])["info in", "pmem in", "verify in", "map in", "bt in"])
        {
            string color = command.StartsWith("info", StringComparison.Ordinal) ? "" : "--color never";
            Finished done = Run($"{command} {color} 2>&1 || true").Clean();
            Assert.DoesNotContain(done.Output, static c => c is < ' ' and not ('\n' or '\t') or (>= '\u007f' and <= '\u009f'));
        }
    }

    [Fact]
    public void NamesInTheKernelsMemoryGiveNoOrdersEither()
    {
        byte[] bytes = File.ReadAllBytes(Sample);
        ReadOnlySpan<byte> version = "\0#1 SMP"u8;
        int places = 0;
        for (int at = 0, next; (next = bytes.AsSpan(at).IndexOf(version)) >= 0; at += next + 1, places++)
            "\u001b\u000f"u8.CopyTo(bytes.AsSpan(at + next + 2));
        Assert.NotEqual(0, places);
        File.WriteAllBytes(_shell.PathOf("in"), bytes);
        Finished done = Run("info in 2>&1 || true").Clean();
        Assert.Contains("#\\x1b\\x0f", done.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(done.Output, static c => c is < ' ' and not ('\n' or '\t'));
    }

    [Theory]
    [InlineData("C")]
    [InlineData("POSIX")]
    [InlineData("de_DE.ISO-8859-1")]
    [InlineData("no_SUCH")]
    public void TextIsAsciiWhateverTheLocale(string locale)
    {
        foreach (string command in s_commands.Append("verify missing").Append("read $F 7x").Append("--help").Append("symbol --help"))
        {
            Finished done = _shell.Run($"LC_ALL={locale} LANG={locale} {Vmcore} {command.Replace("$F", Sample, StringComparison.Ordinal)}").Clean();
            Assert.True(Ascii.IsValid(done.Text), command);
        }
    }

    [Fact]
    public void ATerminalGetsColoursOnlyIfItIsToAndNoOrdersOtherwise()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "script is not installed");
        Assert.Contains("\u001b[", Terminal($"ps {Sample}"), StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b[?", Terminal($"ps {Sample}"), StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', Terminal($"ps {Sample}", "NO_COLOR=1"));
        Assert.DoesNotContain('\u001b', Terminal($"ps --color never {Sample}"));
        Assert.DoesNotContain('\u001b', Terminal($"info {Sample}"));
        Assert.DoesNotContain('\u001b', Run($"ps {Sample}").Output);
    }

    private string Terminal(string words, string environment = "") =>
        _shell.Run($"unset NO_COLOR; TERM=xterm {environment} script -qec 'stty cols 20; {Vmcore} {words}' /dev/null </dev/null").Clean().Output;

    private Finished Run(string words) => _shell.Run($"{Vmcore} {words}");
}
