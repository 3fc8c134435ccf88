using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>Rooms need only rooms that lie below them: the order is that of the table in <c>docs/design.md</c>.</summary>
public sealed class ArrowTests
{
    [Fact]
    public void NoArrowPointsUp()
    {
        Rooms rooms = Rooms.FromDesign;
        KnownViolations.Check(
            "arrow",
            Arrows.All.Where(a => rooms.Floor(a.From) < rooms.Floor(a.To)).Select(static a => ($"{a.From} -> {a.To}", $"{a.File}: {a.What}")),
            "A room needs one above it (docs/design.md, table of rooms). Move the thing to the lower room, or hand that room the small thing that it needs:");
    }

    [Fact]
    public void NoRoomsNeedEachOther() =>
        KnownViolations.Check(
            "circle",
            Circles().Select(static c => (string.Join(' ', c), string.Join("\n    ", Within(c).Distinct().Take(20)))),
            "These rooms need each other, directly or through others. One of the arrows must go:");

    [Fact]
    public void OneArchitectureIsNamedInItsFolderOnly() =>
        KnownViolations.Check(
            "architecture",
            SourceFile.Shipped.Where(static f => !f.Path.StartsWith("src/Vmcore/Architectures/", StringComparison.Ordinal))
                .SelectMany(static f => f.Usings
                    .Where(static u => u.StartsWith("Vmcore.Architectures.", StringComparison.Ordinal))
                    .Select(u => (f.Path, $"using {u}"))),
            "What is above Architectures asks an Architecture, and never one of them by name:");

    [Fact]
    public void TheTableOfRoomsIsThatOfTheFolders()
    {
        Rooms rooms = Rooms.FromDesign;
        string[] inSources = [.. SourceFile.Library.Select(rooms.Of).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(rooms.Names.Count, rooms.Names.Distinct(StringComparer.Ordinal).Count());
        Assert.True(!inSources.Except(rooms.Names).Any(),
            $"docs/design.md: the table of rooms lacks {string.Join(", ", inSources.Except(rooms.Names))}: add each at the height where it belongs.");
        Assert.True(!rooms.Names.Except(inSources).Any(),
            $"docs/design.md: the table of rooms has {string.Join(", ", rooms.Names.Except(inSources))}, and src/Vmcore has not.");
    }

    [Fact]
    public void TheProjectsNeedEachOtherOneWay()
    {
        Assert.DoesNotContain("ProjectReference", File.ReadAllText(Path.Combine(SourceTree.Root, "src/Vmcore/Vmcore.csproj")), StringComparison.Ordinal);
        foreach (SourceFile file in SourceFile.All.Where(static f => f.Path.StartsWith("src/Vmcore.Kexec/", StringComparison.Ordinal)))
            Assert.False(file.Usings.Any(static u => u.Split('.') is ["Vmcore", "Cli" or "Kdump", ..]), $"{file}: the loader needs nothing above it");
        foreach (SourceFile file in SourceFile.All.Where(static f => f.Path.StartsWith("src/Vmcore.Kdump/", StringComparison.Ordinal)))
            Assert.False(file.Usings.Any(static u => u.StartsWith("Vmcore.Cli", StringComparison.Ordinal)), $"{file}: kdump needs no command line");
    }

    /// <summary>The sets of rooms each of which leads to every other.</summary>
    private static IEnumerable<string[]> Circles()
    {
        ILookup<string, string> next = Arrows.All.ToLookup(static a => a.From, static a => a.To, StringComparer.Ordinal);
        var reached = Rooms.FromDesign.Names.ToDictionary(static r => r, r => Reach(r, next), StringComparer.Ordinal);
        var done = new HashSet<string>(StringComparer.Ordinal);
        foreach (string room in Rooms.FromDesign.Names.Where(r => reached[r].Contains(r)))
        {
            string[] circle = [.. Rooms.FromDesign.Names.Where(o => reached[room].Contains(o) && reached[o].Contains(room))];
            if (done.Add(circle[0]))
                yield return circle;
        }
    }

    private static IEnumerable<string> Within(string[] circle) =>
        Arrows.All.Where(a => circle.Contains(a.From) && circle.Contains(a.To)).Select(static a => $"{a.From} -> {a.To}  {a.File}: {a.What}");

    private static HashSet<string> Reach(string room, ILookup<string, string> next)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>([room]);
        while (open.TryPop(out string? from))
        {
            foreach (string to in next[from].Where(seen.Add))
                open.Push(to);
        }

        return seen;
    }
}
