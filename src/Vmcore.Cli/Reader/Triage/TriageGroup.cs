using Vmcore.Cli.Json;

namespace Vmcore.Cli.Reader.Triage;

/// <summary>Dumps of one signature.</summary>
internal sealed class TriageGroup(TriageEntry first) : IJsonItem
{
    private readonly List<string> _kernels = [];
    private readonly List<string> _files = [];

    internal TriageEntry First => first;

    internal int Count { get; private set; }

    /// <summary>Seconds since 1970 of the first crash whose time is known; null if none is.</summary>
    internal long? FirstTime { get; private set; }

    /// <inheritdoc cref="FirstTime"/>
    internal long? LastTime { get; private set; }

    /// <summary>Releases, in the order of their first dump.</summary>
    internal IReadOnlyList<string> Kernels => _kernels;

    internal IReadOnlyList<string> Files => _files;

    /// <summary>Of a partial signature the whole one with the same parts; null if no dump has it.</summary>
    internal string? Like { get; set; }

    internal void Add(TriageEntry entry)
    {
        Count++;
        _files.Add(entry.File);
        if (entry.Release is { } release && !_kernels.Contains(release))
            _kernels.Add(release);
        if (entry.Time is { } time and > 0)
            (FirstTime, LastTime) = (Math.Min(FirstTime ?? time, time), Math.Max(LastTime ?? time, time));
    }

    /// <summary>Groups dumps: most dumps first, then by title.</summary>
    internal static List<TriageGroup> Of(IReadOnlyList<TriageEntry> entries)
    {
        var found = new Dictionary<string, TriageGroup>(StringComparer.Ordinal);
        List<TriageGroup> groups = [];
        foreach (TriageEntry entry in entries)
        {
            if (!found.TryGetValue(entry.Signature, out TriageGroup? group))
            {
                found.Add(entry.Signature, group = new(entry));
                groups.Add(group);
            }

            group.Add(entry);
        }

        foreach (TriageGroup partial in groups)
            partial.Like = partial.First.IsPartial ? groups.Find(g => !g.First.IsPartial && g.First.Digest == partial.First.Digest)?.First.Signature : null;
        groups.Sort(static (a, b) => a.Count != b.Count ? b.Count.CompareTo(a.Count)
            : string.CompareOrdinal(a.First.Title, b.First.Title) is not 0 and var order ? order : string.CompareOrdinal(a.First.Signature, b.First.Signature));
        return groups;
    }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1, "schema");
        json.Put("triage", "command");
        json.Put("group", "line");
        json.Put(First.Signature);
        json.Put(First.IsPartial, "signaturePartial");
        json.Put(Like, "like");
        json.Put(Count);
        json.Put(First.Title);
        json.Put(First.Kind);
        json.Put(First.Module, "suspectedModule");
        json.Put(First.Frames);
        json.Put(FirstTime);
        json.Put(LastTime);
        json.Put(Kernels);
        json.Put(Files);
    }
}
