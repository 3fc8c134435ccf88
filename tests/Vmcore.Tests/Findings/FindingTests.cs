using System.Globalization;
using System.Text.Json;
using Vmcore.Findings;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Findings;

/// <summary>Every code has words, and the words name each of the parameters that the code's description lists.</summary>
public sealed class FindingTests
{
    public static TheoryData<FindingCode> Codes => [.. Enum.GetValues<FindingCode>()];

    [Theory]
    [MemberData(nameof(Codes))]
    public void TheWordsNameEveryParameter(FindingCode code)
    {
        string words = FindingText.Of(code);
        Assert.NotEqual(code.ToString(), words);
        string description = Descriptions()[code.ToString()];
        int listed = description.Contains("No parameters.", StringComparison.Ordinal) ? 0
            : description[(description.IndexOf("Parameters: ", StringComparison.Ordinal) + 12)..].Split(", ").Length;
        for (int i = 0; i < listed; i++)
            Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{{{i}"), words, StringComparison.Ordinal);
        Assert.DoesNotContain(string.Create(CultureInfo.InvariantCulture, $"{{{listed}"), words, StringComparison.Ordinal);
        object[] parameters = [.. Enumerable.Range(0, listed).Select(static i => (object)(0xabc0 + i))];
        var finding = new Finding(code, parameters);
        Assert.Equal((code, listed), (finding.Code, finding.Parameters.Count));
        for (int i = 0; i < listed; i++)
            Assert.True(finding.ToString().Contains($"{0xabc0 + i}", StringComparison.Ordinal)
                || finding.ToString().Contains($"0x{0xabc0 + i:x}", StringComparison.Ordinal), finding.ToString());
        Assert.DoesNotContain('{', finding.ToString());
    }

    [Theory]
    [MemberData(nameof(Codes))]
    public void EveryCodeIsInTheDocuments(FindingCode code) =>
        Assert.Contains($"| `{JsonNamingPolicy.SnakeCaseLower.ConvertName(code.ToString())}` |",
            File.ReadAllText(Path.Combine(SourceTree.Root, "docs", "json-schema.md")), StringComparison.Ordinal);

    [Fact]
    public void TextsOfTheMachineAreNeverTakenForWords()
    {
        var finding = new Finding(FindingCode.PmemMetadataMissing, "{9} {0", new PhysicalRange(0x1000, 0x3000), 3UL, 7UL);
        Assert.Equal($"pmem: {{9}} {{0 at {new PhysicalRange(0x1000, 0x3000)}: 3 of 7 metadata pages are not in the dump", finding.ToString());
        Assert.Equal("nothing: {0} {1}", new Finding(FindingCode.KernelDoubtful, "nothing", "{0} {1}").ToString());
    }

    // The description of each code, as it stands in the source.
    private static Dictionary<string, string> Descriptions()
    {
        Dictionary<string, string> all = [];
        string text = "";
        string path = Path.Combine(SourceTree.Root, "src", "Vmcore", "Findings", "FindingCode.cs");
        foreach (string line in File.ReadLines(path).Select(static l => l.Trim()))
        {
            if (line.StartsWith("/// ", StringComparison.Ordinal))
                text += (text.Length > 0 ? " " : "") + line[4..];
            else if (line.EndsWith(',') && text.Length > 0)
                all[line.TrimEnd(',')] = text.Replace("<summary>", "", StringComparison.Ordinal).Replace("</summary>", "", StringComparison.Ordinal);
            if (!line.StartsWith("/// ", StringComparison.Ordinal))
                text = "";
        }

        return all;
    }
}
