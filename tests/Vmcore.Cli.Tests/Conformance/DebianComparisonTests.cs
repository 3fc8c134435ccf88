using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Formats.Kdump;
using Vmcore.IO;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>
/// Debian's makedumpfile on the same vmcore: the same bitmaps, bit for bit, and the same report. docs/compatibility.md says why each
/// difference that is allowed here is one.
/// </summary>
public sealed partial class DebianComparisonTests
{
    private static readonly int[] s_levels = [0, 1, 2, 4, 8, 16, 31];

    public static TheoryData<int> Levels() => [.. s_levels];

    [Theory]
    [MemberData(nameof(Levels))]
    public void TheBitmapsAndTheReportAreTheSame(int level)
    {
        Assert.SkipUnless(File.Exists(Tool.Debian), "makedumpfile is not installed");
        RealCrash crash = RealCrash.Get("sample stock-6.1-nopmem");
        using RawVmcore raw = new(crash.Path);
        using TemporaryFolder folder = new();
        string text = level.ToString(CultureInfo.InvariantCulture), ours = folder.File("ours"), theirs = folder.File("theirs");
        string[] options = ["-l", "-d", text, "--message-level", "16", crash.Path];
        Dictionary<string, ulong> ourReport = Report(Tool.Dump([.. options, ours]).Output);
        Dictionary<string, ulong> theirReport = Report(Tool.Succeed(Tool.Debian, [.. options, theirs]).Output);

        using KdumpFile our = KdumpFile.Open(FileSource.Open(ours)), their = KdumpFile.Open(FileSource.Open(theirs));
        Assert.Equal(their.MaxPfn, our.MaxPfn);
        CompareBitmap(KdumpBitmap.Memory, our, their, raw);
        CompareBitmap(KdumpBitmap.Dumped, our, their, raw);

        // They count each page of the kernel text's PT_LOAD twice, since it overlaps that of the RAM, and do not see that a partial page is zero.
        ulong twice = Overlap(raw), partial = (ulong)raw.Loads.Count(l => l.End % RawVmcore.PageSize != 0);
        foreach ((string label, ulong theirCount) in theirReport)
        {
            Assert.True(ourReport.TryGetValue(label, out ulong ourCount), $"our report has no line '{label}'");
            (ulong low, ulong high) = label switch
            {
                "Original pages" => (theirCount - twice, theirCount - twice),
                "Memory Hole" => (theirCount + twice, theirCount + twice),
                "Remaining pages" => (theirCount - twice - partial, theirCount - twice),
                "Excluded pages" or "Pages filled with zero" when (level & 1) != 0 => (theirCount, theirCount + partial),
                _ => (theirCount, theirCount),
            };
            Assert.True(ourCount >= low && ourCount <= high, $"{label}: ours is 0x{ourCount:x}, theirs 0x{theirCount:x}, expected 0x{low:x} to 0x{high:x}");
        }

        Assert.Equal(ourReport["Original pages"], ourReport["Excluded pages"] + ourReport["Remaining pages"]);
    }

    /// <summary>Compares a bitmap; a partial page at the end of a PT_LOAD may be there in ours alone.</summary>
    private static void CompareBitmap(KdumpBitmap which, KdumpFile ours, KdumpFile theirs, RawVmcore raw)
    {
        byte[] our = new byte[(ours.MaxPfn + 7) / 8], their = new byte[our.Length];
        Assert.True(ours.ReadBitmap(which, 0, our) && theirs.ReadBitmap(which, 0, their));
        for (ulong pfn = 0; pfn < ours.MaxPfn; pfn++)
        {
            bool inOurs = Bit(our, pfn), inTheirs = Bit(their, pfn);
            if (inOurs == inTheirs)
                continue;
            Assert.True(inOurs && raw.Loads.Any(l => l.End % RawVmcore.PageSize != 0 && l.End / RawVmcore.PageSize == pfn),
                $"{which}, pfn 0x{pfn:x}: {inOurs} in ours, {inTheirs} in theirs");
        }
    }

    private static bool Bit(byte[] bits, ulong pfn) => (bits[pfn >> 3] >> (int)(pfn & 7) & 1) != 0;

    private static ulong Overlap(RawVmcore raw)
    {
        RawLoad text = raw.Loads[0];
        return raw.Loads.Skip(1).Any(l => text.Address >= l.Address && text.End <= l.End) ? text.Size / RawVmcore.PageSize : 0;
    }

    private static Dictionary<string, ulong> Report(string output) =>
        ReportLine().Matches(output).ToDictionary(m => m.Groups["label"].Value.Trim(),
            m => ulong.Parse(m.Groups["pages"].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), StringComparer.Ordinal);

    [GeneratedRegex("^ *(?<label>[A-Z][^:\n]*?) *: 0x(?<pages>[0-9a-f]{16})$", RegexOptions.Multiline, 1000)]
    private static partial Regex ReportLine();
}
