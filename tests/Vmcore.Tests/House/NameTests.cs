using System.Text.RegularExpressions;

namespace Vmcore.Tests.House;

/// <summary>How things are named, and what may be named where.</summary>
public sealed partial class NameTests
{
    /// <summary>
    /// Who may name the memory that shows pmem user data: those who find the kernel and the pmem, the check that no such data is in a dump, and the search
    /// for copies of what is erased.
    /// </summary>
    private static readonly string[] s_mayNameUnfiltered =
    [
        "src/Vmcore/Dumping/DumpNotes.cs",
        "src/Vmcore/Opening/DumpFile.cs",
        "src/Vmcore/Opening/DumpKernel.cs",
        "src/Vmcore/Opening/KernelInMemory.cs",
        "src/Vmcore/Opening/OpenedDump.cs",
        "src/Vmcore/Opening/PmemSearch.cs",
        "src/Vmcore/Verification/DumpVerifier.cs",
    ];

    [Fact]
    public void TestsAreNamedInPascalCase()
    {
        string[] wrong = [.. SourceFile.All.SelectMany(static f => TestMethods.Of(f)
            .Where(static m => !PascalCase().IsMatch(m.Name)).Select(m => $"{f.Path}: {m.Name}"))];
        Assert.True(wrong.Length == 0, $"Name tests by what holds, in PascalCase (EveryLevelIsExact):\n  {string.Join("\n  ", wrong)}");
    }

    /// <summary>One word for one thing (docs/design.md, Words): who reads the name of a type need not ask which one is meant.</summary>
    [Fact]
    public void TypesOfTwoRoomsHaveTwoNames()
    {
        string[] wrong = [.. SourceFile.Shipped
            .SelectMany(static f => f.Types.Select(t => (Type: t, f.Namespace, f.Path)))
            .GroupBy(static t => t.Type).Where(static g => g.Select(static t => t.Namespace).Distinct().Count() > 1)
            .Select(static g => $"{g.Key}: {string.Join(", ", g.Select(static t => t.Path))}")];
        Assert.True(wrong.Length == 0, $"These names mean two things. Rename the one that fewer files use:\n  {string.Join("\n  ", wrong)}");
    }

    [Fact]
    public void TestsAssertSomething()
    {
        string[] wrong = [.. TestMethods.WithoutAssertion().Select(static m => $"{m.File}: {m.Name}")];
        Assert.True(wrong.Length == 0, $"A test that cannot fail proves nothing. Assert what is to hold:\n  {string.Join("\n  ", wrong)}");
    }

    [Fact]
    public void UserDataIsOneWordAwayInFewPlaces() =>
        KnownViolations.Check(
            "unfiltered",
            SourceFile.Shipped.Where(static f => Unfiltered().IsMatch(f.Code) && !s_mayNameUnfiltered.Contains(f.Path))
                .Select(static f => (f.Path, $"{f.Path}: {Unfiltered().Match(f.Code).Value}")),
            "Unfiltered memory has the user data on pmem in it, and nothing that prints or returns bytes may read it. Take the plain Memory:");

    [Fact]
    public void WhoMayNameUnfilteredStillDoes()
    {
        foreach (string path in s_mayNameUnfiltered)
        {
            Assert.True(SourceFile.All.Any(f => f.Path == path && Unfiltered().IsMatch(f.Code)),
                $"{path} names no unfiltered memory any more: take it out of the list of {nameof(NameTests)}");
        }
    }

    [GeneratedRegex("^[A-Z][A-Za-z0-9]*$")]
    private static partial Regex PascalCase();

    [GeneratedRegex(@"\bUnfiltered\w*")]
    private static partial Regex Unfiltered();
}
