using System.Text.RegularExpressions;

namespace Vmcore.Tests.House;

/// <summary>
/// What bounds hostile input is a property of <c>IO.ReadLimits</c>, so that whoever opens a dump can see and change it. A constant that is called a limit is
/// one that nobody can.
/// </summary>
public sealed partial class LimitTests
{
    /// <summary>Where such a name is right, and why.</summary>
    private static readonly Dictionary<string, string> s_allowed = new(StringComparer.Ordinal)
    {
        ["src/Vmcore/Compression/"] = "lengths and distances that the compressed formats have, by the names that their descriptions give them",
    };

    [Fact]
    public void BoundsAreReadLimits()
    {
        string[] found = [.. SourceFile.Library.Where(static f => !s_allowed.Keys.Any(k => f.Path.StartsWith(k, StringComparison.Ordinal)))
            .SelectMany(static f => Limit().Matches(f.Code).Select(m => $"  {f.Path}:{f.Code.AsSpan(0, m.Index).Count('\n') + 1}: {m.Groups["name"].Value}"))];
        Assert.True(found.Length == 0, "A bound on hostile input is a property of IO/ReadLimits (docs/design.md, Limits on hostile input); "
            + $"a fact of a format, of hardware or of presentation says in its name what it is:\n{string.Join('\n', found)}");
    }

    [Fact]
    public void WhatIsAllowedIsThere() =>
        Assert.All(s_allowed.Keys, static place =>
            Assert.Contains(SourceFile.Library, f => f.Path.StartsWith(place, StringComparison.Ordinal) && Limit().IsMatch(f.Code)));

    /// <summary>The default bounds are for whoever has no dump: the face of the library, parsers that are asked alone.</summary>
    [Fact]
    public void BoundsAreHandedDown() =>
        Assert.Empty(SourceFile.Shipped.Where(static f => NotHandedDown().IsMatch(f.Code)).Select(static f => f.Path));

    [GeneratedRegex(@"\bconst [\w?]+ (?:[^;=]*=[^;=]*, )*(?<name>\w*(?:Max|Most)[A-Z]\w*) ?=")]
    private static partial Regex Limit();

    // Taken where it is used; "?? ReadLimits.Default" and the defaults of properties are for those who were given none.
    [GeneratedRegex(@"ReadLimits\.Default\.")]
    private static partial Regex NotHandedDown();
}
