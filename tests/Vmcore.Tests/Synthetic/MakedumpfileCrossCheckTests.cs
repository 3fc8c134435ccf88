using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>Holds the generator against the real world: makedumpfile, where it is installed, must read its vmcores and count as the oracle does.</summary>
public sealed class MakedumpfileCrossCheckTests
{
    private const string Tool = "/usr/bin/makedumpfile";

    /// <summary>Its rules are right up to 6.1.</summary>
    [Theory]
    [InlineData(KernelEra.V4_19)]
    [InlineData(KernelEra.V5_4)]
    [InlineData(KernelEra.V5_10)]
    [InlineData(KernelEra.V5_15)]
    [InlineData(KernelEra.V6_1)]
    public void CountsAreThoseOfTheOracle(KernelEra era)
    {
        foreach (int level in new[] { 0, 1, 2, 4, 8, 16, 31 })
            Check(SampleMachines.EveryKind(new() { Era = era, KaslrOffset = 0x1e000000 }), new() { Producer = CoreProducer.KexecLoad }, level);
    }

    private static void Check(SyntheticMachine machine, ElfShape shape, int level)
    {
        if (!File.Exists(Tool))
            Assert.Skip("makedumpfile is not installed.");
        string folder = Directory.CreateTempSubdirectory("vmcore-synthetic").FullName;
        try
        {
            string core = Path.Combine(folder, "vmcore");
            machine.WriteSparse(core, shape);
            string report = Run("--message-level", "31", "-l", "-d", level.ToString(CultureInfo.InvariantCulture), core, Path.Combine(folder, "dump"));
            IReadOnlyDictionary<ExpectedVerdict, ulong> expected = machine.Count(machine.Core(shape), level);
            string context = $"level {level}\n{report}";
            Assert.True(expected[ExpectedVerdict.ZeroFilled] == Line(report, "Pages filled with zero"), context + "zero " + expected[ExpectedVerdict.ZeroFilled]);
            Assert.True(expected[ExpectedVerdict.CacheNonPrivate] == Line(report, "Non-private cache pages"), context + "cache " + expected[ExpectedVerdict.CacheNonPrivate]);
            Assert.True(expected[ExpectedVerdict.CachePrivate] == Line(report, "Private cache pages"), context + "private " + expected[ExpectedVerdict.CachePrivate]);
            Assert.True(expected[ExpectedVerdict.User] == Line(report, "User process data pages"), context + "user " + expected[ExpectedVerdict.User]);
            Assert.True(expected[ExpectedVerdict.Free] == Line(report, "Free pages"), context + "free " + expected[ExpectedVerdict.Free]);
            Assert.True(expected[ExpectedVerdict.HwPoison] == Line(report, "Hwpoison pages"), context + "hwpoison " + expected[ExpectedVerdict.HwPoison]);
            Assert.True(expected[ExpectedVerdict.Offline] == Line(report, "Offline pages"), context + "offline " + expected[ExpectedVerdict.Offline]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static ulong Line(string report, string name)
    {
        Match match = Regex.Match(report, $@"^\s*{Regex.Escape(name)}\s*: 0x(?<n>[0-9a-f]{{16}})", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
        Assert.True(match.Success, $"No line '{name}' in: {report}");
        return ulong.Parse(match.Groups["n"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    private static string Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
