using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Kernel.Locks;

namespace Vmcore.Tests.Kernel.Locks;

/// <summary>
/// Crashes that were made on purpose, by a module that says who holds what and who waits for it (tests/vm/guest/ways.c): the dump proves the same, and nothing
/// else. Run where VMCORE_WAYS names a folder with NAME.kdump and NAME.txt.
/// </summary>
public sealed partial class LockTruthTests
{
    [Fact]
    public void TheDumpProvesWhatTheModuleSays()
    {
        string? folder = Environment.GetEnvironmentVariable("VMCORE_WAYS");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "VMCORE_WAYS names no folder with crashes made on purpose");
        int waits = 0, owners = 0;
        foreach (string truth in Directory.EnumerateFiles(folder!, "*.txt").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(truth), path = Path.ChangeExtension(truth, ".kdump"), text = File.ReadAllText(truth);
            if (!File.Exists(path))
                continue;
            using CrashDump dump = CrashDump.Open(path);
            var proven = LockWaits.Load(dump.KernelView);
            foreach (Match match in Waits().Matches(text))
            {
                int pid = Number(match, "pid");
                LockWait? wait = proven.Of(dump.Tasks!.Tasks.Single(t => t.Pid == pid));
                Assert.True(wait?.Lock.Address == Address(match), $"{name}: {match.Value}: 0x{wait?.Lock.Address:x}");
                Assert.Equal(match.Value.Contains("for reading", StringComparison.Ordinal) ? LockMode.Read : LockMode.Exclusive, wait!.Mode);
                waits++;
            }

            foreach (Match match in Holds().Matches(text))
            {
                if (proven.Locks.FirstOrDefault(l => l.Address == Address(match)) is not { } held)
                    continue;

                // Of readers and of a semaphore no name is noted, and one that ended is nobody any more.
                bool hasEnded = dump.Tasks!.Tasks.All(t => t.Pid != Number(match, "pid"));
                if (match.Value.Contains("for reading", StringComparison.Ordinal))
                    Assert.True(held is { Owner: null, Readers: > 0 }, $"{name}: {match.Value}: {held.Owner}");
                else if (held.Kind == LockKind.Semaphore)
                    Assert.Null(held.Owner);
                else
                    Assert.True(held.Owner?.Pid == (hasEnded ? null : Number(match, "pid")), $"{name}: {match.Value}: {held.Owner}");
                owners++;
            }

            Assert.Equal(name.StartsWith("deadlock", StringComparison.Ordinal) ? 1 : 0, proven.Cycles.Count);
            Assert.Empty(proven.Problems);
        }

        Assert.True(waits > 10 && owners > 5, $"{waits} waits, {owners} owners");
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    private static ulong Address(Match match) => ulong.Parse(match.Groups["address"].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<pid>\d+) \S+ waits for (?:mutex|rwsem|semaphore|completion)\b.* at (?<address>[0-9a-f]{16})$", RegexOptions.Multiline)]
    private static partial Regex Waits();

    [GeneratedRegex(@"^(?:mutex|rwsem|semaphore)\b.* at (?<address>[0-9a-f]{16}) is held by (?<pid>\d+) ", RegexOptions.Multiline)]
    private static partial Regex Holds();
}
