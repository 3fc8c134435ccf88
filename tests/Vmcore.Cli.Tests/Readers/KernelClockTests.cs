using System.Globalization;
using System.Text.Json;
using Vmcore.Kernel.Summary;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>A dump that a hypervisor took has no CRASHTIME: what time it was, the kernel's own clock says.</summary>
public sealed class KernelClockTests
{
    [Fact]
    public void TheClockAgreesWithTheTimeOfTheCrash()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        KernelClock clock = KernelClock.TryRead(dump.KernelView)!;
        Assert.InRange(clock.Now, dump.VmcoreInfo!.CrashTime!.Value - 1, dump.VmcoreInfo.CrashTime.Value + 1);
        Assert.Equal(clock.Now - clock.Boot, (long)clock.Uptime.TotalSeconds);
    }

    [Fact]
    public void WithoutCrashtimeTheClockTellsTheTime()
    {
        using TemporaryFolder folder = new();
        string bare = PatchedSample.WithHeader(folder, "CRASHTIME="u8, "CRASHTIMX="u8);
        string text = Tool.Run(Executable.Vmcore, "info", bare).Output;
        Assert.Contains("by the kernel's clock", text, StringComparison.Ordinal);
        Assert.DoesNotContain("time unknown", text, StringComparison.Ordinal);
        using JsonDocument whole = Json("info", PatchedSample.Original), without = Json("info", bare);
        long crash = whole.RootElement.GetProperty("crash_time").GetInt64();
        Assert.Equal(JsonValueKind.Null, without.RootElement.GetProperty("crash_time").ValueKind);
        Assert.InRange(without.RootElement.GetProperty("crash").GetProperty("clock_time").GetInt64(), crash - 1, crash + 1);

        // Lines of the log get the same times, to the second that the clock is exact to.
        DateTime[] ours = Times(bare), theirs = Times(PatchedSample.Original);
        Assert.Equal(theirs.Length, ours.Length);
        Assert.All(ours.Zip(theirs), static t => Assert.InRange((t.First - t.Second).TotalSeconds, -2, 2));
    }

    /// <summary>A clock that contradicts vmcoreinfo is not believed.</summary>
    [Fact]
    public void AClockOfAnotherTimeIsNotShown()
    {
        using TemporaryFolder folder = new();
        using JsonDocument answer = Json("info", PatchedSample.WithHeader(folder, "CRASHTIME=1"u8, "CRASHTIME=2"u8));
        Assert.Equal(JsonValueKind.Null, answer.RootElement.GetProperty("crash").GetProperty("clock_time").ValueKind);
    }

    private static DateTime[] Times(string dump) => [.. Tool.Run(Executable.Vmcore, "dmesg", "-T", dump).Output.Split('\n')
        .Where(static l => l.Contains(" UTC] ", StringComparison.Ordinal))
        .Select(static l => DateTime.ParseExact(
            string.Join(' ', l[1..l.IndexOf(" UTC] ", StringComparison.Ordinal)].Split(' ', StringSplitOptions.RemoveEmptyEntries)),
            "ddd MMM d HH:mm:ss yyyy", CultureInfo.InvariantCulture))];

    private static JsonDocument Json(string command, string dump) => JsonDocument.Parse(Tool.Run(Executable.Vmcore, command, dump, "--json").Output);
}
