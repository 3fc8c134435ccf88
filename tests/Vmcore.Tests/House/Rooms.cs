using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>
/// The rooms of the library, bottom first, as the table of <c>docs/design.md</c> has them: a room is a folder below <c>src/Vmcore</c>
/// (with <c>/*</c>: and its sub-folders), or a file of <c>src/Vmcore</c> itself.
/// </summary>
internal sealed partial class Rooms
{
    private Rooms(IReadOnlyList<string> names) => Names = names;

    internal static Rooms FromDesign { get; } = Read();

    /// <summary>Their names, bottom first.</summary>
    internal IReadOnlyList<string> Names { get; }

    /// <summary>The room of a file of the library; where the table has none, the folder that it lacks.</summary>
    internal string Of(SourceFile file)
    {
        string place = file.Folder == "src/Vmcore" ? file.Name : file.Folder["src/Vmcore/".Length..];
        return Names.FirstOrDefault(n => n.EndsWith("/*", StringComparison.Ordinal) && (place + "/").StartsWith(n[..^1], StringComparison.Ordinal)) ?? place;
    }

    /// <summary>How high a room lies; the lowest is 0.</summary>
    internal int Floor(string room)
    {
        for (int i = 0; i < Names.Count; i++)
        {
            if (Names[i] == room)
                return i;
        }

        throw new InvalidOperationException($"docs/design.md: the table of rooms has no `{room}`: add it, at the height where it belongs.");
    }

    private static Rooms Read()
    {
        string text = File.ReadAllText(Path.Combine(SourceTree.Root, "docs", "design.md"));
        var names = new List<string>();
        foreach (string line in text.Split('\n').SkipWhile(static l => !l.StartsWith("| room", StringComparison.Ordinal)).Skip(2))
        {
            if (!line.StartsWith('|'))
                break;
            names.AddRange(Quoted().Matches(line.Split('|')[1]).Select(static m => m.Groups["name"].Value));
        }

        Assert.True(names.Count > 10, "docs/design.md has no table whose head starts with \"| room\".");
        return new(names);
    }

    [GeneratedRegex("`(?<name>[^`]+)`")]
    private static partial Regex Quoted();
}
