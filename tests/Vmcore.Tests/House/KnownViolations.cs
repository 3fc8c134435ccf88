using Vmcore.Testing;

namespace Vmcore.Tests.House;

/// <summary>
/// What breaks a rule of the house and is known: <c>known-violations.txt</c>, a line each, <c>RULE: WHAT</c>. The list only shrinks: a violation that
/// is not in it fails a test, and so does a line that nothing needs any more.
/// </summary>
internal static class KnownViolations
{
    private const string FileName = "tests/Vmcore.Tests/House/known-violations.txt";

    /// <summary>Compares the violations that were found with those that are known.</summary>
    /// <param name="rule">The rule's word in the list.</param>
    /// <param name="found">What breaks it: what the list names, and where it is.</param>
    /// <param name="advice">What whoever reads the failure should do.</param>
    internal static void Check(string rule, IEnumerable<(string What, string Where)> found, string advice)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (string line in File.ReadLines(Path.Combine(SourceTree.Root, FileName)))
        {
            if (line.StartsWith(rule + ": ", StringComparison.Ordinal))
                known.Add(line[(rule.Length + 2)..].Trim());
        }

        var violations = found.ToLookup(static f => f.What, static f => f.Where, StringComparer.Ordinal);
        string[] added = [.. violations.Where(v => !known.Contains(v.Key)).Select(static v => $"  {v.Key}\n    {string.Join("\n    ", v.Distinct().Take(8))}")];
        string[] gone = [.. known.Where(k => !violations.Contains(k)).Select(k => $"  {rule}: {k}")];
        Assert.True(added.Length == 0, $"{advice}\n{string.Join('\n', added)}");
        Assert.True(gone.Length == 0, $"Well done: delete from {FileName} what nothing needs any more:\n{string.Join('\n', gone)}");
    }
}
