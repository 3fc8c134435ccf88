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
    public void CountsAreThoseOfTheOracle(KernelEra era) =>
        Check(SampleMachines.EveryKind(new() { Era = era, KaslrOffset = 0x1e000000 }), new() { Producer = CoreProducer.KexecLoad }, 1, 2, 4, 8, 16, 31);

    [Fact]
    public void FiveLevelsAndLargeRecordsAreRead() =>
        Check(SampleMachines.EveryKind(new()
        {
            Levels = 5,
            StructPageSize = 72,
            MemSectionSize = 32,
            PageOffsetBase = 0xff1100b240000000,
            VmemmapBase = 0xffd4007fc0000000,
        }), new(), 31);

    [Fact]
    public void EncryptedTablesAndGigabyteLeavesAreRead() =>
        Check(SampleMachines.EveryKind(new() { SmeMask = 1ul << 47, GigabyteDirectMap = true, VmemmapBasePages = true, StructPageSize = 56 }), new(), 31);

    /// <summary>It knows nothing of pmem: its counts are those of the RAM, and the memmap on the media must be good enough to be read.</summary>
    [Theory]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemMode.DevDax, SyntheticPmemMap.Dev)]
    [InlineData(SyntheticPmemMode.FsDax, SyntheticPmemMap.Mem)]
    public void PmemOfWholeSectionsIsRead(SyntheticPmemMode mode, SyntheticPmemMap map)
    {
        SyntheticMachine machine = SampleMachines.EveryKind(new() { RfcList = true });
        machine.AddPmem(4ul << 30, 256 << 20).AddNamespace(0, 256 << 20, new() { Mode = mode, Map = map });
        Check(machine, new(), 31);
    }

    [Theory]
    [InlineData(SyntheticMemoryModel.SparseExtremeNoVmemmap)]
    [InlineData(SyntheticMemoryModel.SparseStatic)]
    [InlineData(SyntheticMemoryModel.Flat)]
    public void OtherMemoryModelsAreRead(SyntheticMemoryModel model) =>
        Check(SampleMachines.EveryKind(new() { MemoryModel = model, NodesShift = model == SyntheticMemoryModel.Flat ? 0 : 6 }), new(), 31);

    private static void Check(SyntheticMachine machine, ElfShape shape, params int[] levels)
    {
        if (!File.Exists(Tool))
            Assert.Skip("makedumpfile is not installed.");
        string folder = Directory.CreateTempSubdirectory("vmcore-synthetic").FullName;
        try
        {
            string core = Path.Combine(folder, "vmcore");
            machine.WriteSparse(core, shape);
            foreach (int level in levels)
            {
                string report = Run("--message-level", "16", "-f", "-l", "-d",
                    level.ToString(CultureInfo.InvariantCulture), core, Path.Combine(folder, "dump"));
                IReadOnlyDictionary<ExpectedVerdict, ulong> expected = machine.Count(machine.Core(shape), level);
                string[] wanted =
                [
                    $"zero {expected[ExpectedVerdict.ZeroFilled]}",
                    $"cache {expected[ExpectedVerdict.CacheNonPrivate]}",
                    $"private {expected[ExpectedVerdict.CachePrivate]}",
                    $"user {expected[ExpectedVerdict.User]}",
                    $"free {expected[ExpectedVerdict.Free]}",
                    $"hwpoison {expected[ExpectedVerdict.HwPoison]}",
                    $"offline {expected[ExpectedVerdict.Offline]}",
                ];
                string[] said =
                [
                    $"zero {Line(report, "Pages filled with zero")}",
                    $"cache {Line(report, "Non-private cache pages")}",
                    $"private {Line(report, "Private cache pages")}",
                    $"user {Line(report, "User process data pages")}",
                    $"free {Line(report, "Free pages")}",
                    $"hwpoison {Line(report, "Hwpoison pages")}",
                    $"offline {Line(report, "Offline pages")}",
                ];
                Assert.Equal(wanted, said);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static ulong Line(string report, string name)
    {
        Match match = Regex.Match(report, $@"^\s*{Regex.Escape(name)}\s*: 0x(?<n>[0-9a-f]{{16}})",
            RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
        Assert.True(match.Success, $"No line '{name}' in: {report}");
        return ulong.Parse(match.Groups["n"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    private static string Run(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Tool, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
