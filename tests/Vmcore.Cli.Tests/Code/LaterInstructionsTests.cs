using System.Globalization;
using System.Text.RegularExpressions;
using Vmcore.Cli.Code;

namespace Vmcore.Cli.Tests.Code;

/// <summary>The instructions that we decode ourselves, beside what binutils says of the same words.</summary>
public sealed partial class LaterInstructionsTests
{
    private const int EachClass = 1500;

    // Fixed bits of each class, and a mask of those that vary.
    private static readonly (uint Fixed, uint Varies)[] s_classes =
    [
        (0x3820_0000, 0xc0df_f3ff), (0x08a0_7c00, 0xc05f_83ff), (0x0820_7c00, 0x405f_83ff), (0x3800_0800, 0xc0df_f3ff), (0xd503_201f, 0x0000_0fe0),
        (0x0000_0000, 0x0000_ffff),
    ];

    public static TheoryData<uint, string> Words => new()
    {
        { 0xb8a1_0062, "ldadda  w1, w2, [x3]" },
        { 0xf820_101f, "stclr   x0, [x0]" },
        { 0x38e1_8062, "swpalb  w1, w2, [x3]" },
        { 0xc8e0_fc41, "casal   x0, x1, [x2]" },
        { 0x4822_7c60, "casp    x2, x3, x0, x1, [x3]" },
        { 0xb840_0be1, "ldtr    w1, [sp]" },
        { 0x381f_f820, "sttrb   w0, [x1, #-0x1]" },
        { 0xd503_233f, "paciasp" },
        { 0xd503_245f, "bti     c" },
        { 0xd503_205f, "wfe" },
        { 0x0000_dead, "udf     #0xdead" },
    };

    [Theory]
    [MemberData(nameof(Words))]
    public void TheyAreWrittenAsAssemblersDo(uint word, string expected) => Assert.Equal(expected, LaterInstructions.TryDecode(word));

    [Theory]
    [InlineData(0xb940_0020)] // ldr w0, [x1]
    [InlineData(0x9100_0400)] // add x0, x0, #1
    [InlineData(0xd65f_03c0)] // ret
    [InlineData(0x4823_7c60)] // casp with an odd register
    [InlineData(0xf8a0_c020)] // ldapr, which libcapstone knows
    public void OthersAreLeftAlone(uint word) => Assert.Null(LaterInstructions.TryDecode(word));

    /// <summary>Whatever their registers and sizes are: what is decoded is what binutils decodes, but for hints that have got a name since.</summary>
    [Fact]
    public void AllOfThemAreWhatObjdumpSays()
    {
        const string Objdump = "aarch64-linux-gnu-objdump";
        Assert.SkipUnless(File.Exists("/usr/bin/" + Objdump), $"{Objdump} is not installed");
        var random = new Random(4711);
        List<uint> words = [];
        foreach ((uint @fixed, uint varies) in s_classes)
        {
            for (int i = 0; i < EachClass; i++)
                words.Add(@fixed | ((uint)random.NextInt64(1L << 32) & varies));
        }

        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("code"), [.. words.SelectMany(BitConverter.GetBytes)]);
        string[] theirs = [.. Line().Matches(Tool.Succeed(Objdump, "-D", "-z", "-b", "binary", "-m", "aarch64", folder.File("code")).Output)
            .Select(static m => Plain(m.Groups["text"].Value.Replace("clearbhb", "clrbhb", StringComparison.Ordinal)))]; // Its name before the manual had it.
        Assert.Equal(words.Count, theirs.Length);
        int decoded = 0;
        for (int i = 0; i < theirs.Length; i++)
        {
            if (LaterInstructions.TryDecode(words[i]) is not { } ours)
                continue;
            decoded++;
            if (!theirs[i].StartsWith("hint ", StringComparison.Ordinal))
                Assert.Equal((words[i], theirs[i]), (words[i], Plain(ours)));
        }

        Assert.InRange(decoded, EachClass * 3, words.Count);
    }

    // One blank, and numbers in decimal.
    private static string Plain(string text) => Number().Replace(Blanks().Replace(text.Split("//")[0].Trim(), " "), static m =>
        "#" + (m.Value.Contains("0x", StringComparison.Ordinal)
            ? (m.Value.Contains('-', StringComparison.Ordinal) ? "-" : "")
                + int.Parse(m.Value[(m.Value.IndexOf('x', StringComparison.Ordinal) + 1)..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : m.Value[1..]));

    [GeneratedRegex(@"^\s+[0-9a-f]+:\s+[0-9a-f]{8}\s+(?<text>.*)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex("#-?(?:0x)?[0-9a-f]+")]
    private static partial Regex Number();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
