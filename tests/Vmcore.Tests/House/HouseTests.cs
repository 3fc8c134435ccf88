using System.Text.RegularExpressions;

namespace Vmcore.Tests.House;

/// <summary>The rules read sources as text: that they read them rightly is tested here.</summary>
public sealed partial class HouseTests
{
    [Theory]
    [InlineData("a // b \"c\"\nd", "a         \nd")]
    [InlineData("a /* b\nc */ d", "a     \n     d")]
    [InlineData("f(\"x // y\", z)", "f(        , z)")]
    [InlineData("f(@\"x\\\", z)", "f(@   , z)")]
    [InlineData("f(\"x\\\"y\", z)", "f(      , z)")]
    [InlineData("f(\"\", z)", "f(\"\", z)")]
    [InlineData("$\"a{b}c\" + d", "$   b    + d")]
    [InlineData("$\"{{a}}\" + d", "$        + d")]
    [InlineData("$\"a{(b ? \"c\" : d)}e\" + f", "$   (b ?     : d)    + f")]
    [InlineData("\"\"\"a \"b\" c\"\"\" + d", "              + d")]
    [InlineData("c == '\"' || d", "c ==     || d")]
    [InlineData("c == '\\'' || d", "c ==      || d")]
    public void CommentsAndStringsAreBlanked(string text, string wanted)
    {
        string code = CodeText.Of(text).Code;
        Assert.Equal(text.Length, code.Length);
        Assert.Equal(Squeeze(wanted), Squeeze(code));
    }

    [Fact]
    public void EveryTestIsFound()
    {
        SourceFile[] files = [.. SourceFile.All.Where(static f => f.Path.StartsWith("tests/", StringComparison.Ordinal))];
        foreach (SourceFile file in files)
            Assert.Equal((file.Path, TestAttribute().Count(file.Code)), (file.Path, TestMethods.Of(file).Count()));
        Assert.True(files.Sum(static f => TestAttribute().Count(f.Code)) > 500);
    }

    [Fact]
    public void ArrowsAreFound()
    {
        // As it must be, whatever else changes: dumps are compressed, and pmem is found by means of the memmap's page tables.
        Assert.Contains(Arrows.All, static a => a.From == "Dumping" && a.To == "Compression");
        Assert.Contains(Arrows.All, static a => a.From == "CrashDump.cs" && a.To == "Opening");
    }

    private static string Squeeze(string text) => Blanks().Replace(text, " ").TrimEnd();

    [GeneratedRegex(" +")]
    private static partial Regex Blanks();

    [GeneratedRegex(@"\[(?:Fact|Theory)\b")]
    private static partial Regex TestAttribute();
}
