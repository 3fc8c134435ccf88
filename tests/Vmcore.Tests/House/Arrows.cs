namespace Vmcore.Tests.House;

/// <summary>A file of one room that needs a type of another.</summary>
/// <param name="From">The room that needs it.</param>
/// <param name="To">The room that it is in.</param>
/// <param name="File">The file that names it.</param>
/// <param name="What">The type's name, or the using directive.</param>
internal sealed record Arrow(string From, string To, string File, string What);

/// <summary>
/// Who needs whom in the library, read from its sources: a using directive is an arrow (the compiler refuses one that is not needed), and so is the name of
/// a type of a namespace around the file's own.
/// </summary>
internal static class Arrows
{
    internal static IReadOnlyList<Arrow> All { get; } = [.. Read(Rooms.FromDesign)];

    private static IEnumerable<Arrow> Read(Rooms rooms)
    {
        SourceFile[] files = [.. SourceFile.Library];
        ILookup<string, (string Namespace, string Room)> types = files
            .SelectMany(f => f.Types.Select(t => (Type: t, Place: (f.Namespace ?? "", rooms.Of(f)))))
            .ToLookup(static t => t.Type, static t => t.Place, StringComparer.Ordinal);
        ILookup<string, string> roomsOf = files.Where(static f => f.Namespace is not null)
            .ToLookup(static f => f.Namespace!, f => rooms.Of(f), StringComparer.Ordinal);
        foreach (SourceFile file in files)
        {
            string room = rooms.Of(file);
            foreach (string name in file.Usings.Where(static u => u != "Vmcore"))
            {
                foreach (string other in roomsOf[name].Distinct().Where(o => o != room))
                    yield return new(room, other, file.Path, $"using {name}");
            }

            foreach (string chain in file.Names)
            {
                foreach (string other in Named(file, chain, types).Distinct().Where(o => o != room))
                    yield return new(room, other, file.Path, chain);
            }
        }
    }

    /// <summary>The rooms that have the type that a name means by the namespaces around the file, as the compiler looks: the nearest first.</summary>
    private static IEnumerable<string> Named(SourceFile file, string chain, ILookup<string, (string Namespace, string Room)> types)
    {
        string[] parts = chain.Split('.');
        for (string around = file.Namespace ?? ""; around.Length > 0; around = Parent(around))
        {
            for (int i = 0; i < parts.Length; i++)
            {
                string qualified = i == 0 ? around : $"{(parts[0] == "Vmcore" ? "" : around + ".")}{string.Join('.', parts[..i])}";
                string[] found = [.. types[parts[i]].Where(t => t.Namespace == qualified).Select(static t => t.Room)];
                if (found.Length > 0)
                    return found;
            }
        }

        return file.Usings.Contains("Vmcore") ? types[parts[0]].Where(static t => t.Namespace == "Vmcore").Select(static t => t.Room) : [];
    }

    private static string Parent(string name) => name.LastIndexOf('.') is >= 0 and var dot ? name[..dot] : "";
}
