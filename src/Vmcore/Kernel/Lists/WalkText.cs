using Vmcore.Findings;

namespace Vmcore.Kernel.Lists;

/// <summary>What is said of walks that ended early.</summary>
internal static class WalkText
{
    /// <summary>One clause on why a list ended early; null if it is whole.</summary>
    /// <param name="outcome">What became of the walk.</param>
    /// <param name="head">Address of the list's head.</param>
    /// <param name="limit">The most entries that were to be read.</param>
    internal static string? OfList(WalkOutcome outcome, ulong head, int limit) => outcome.End switch
    {
        WalkEnd.Null => $"the list at 0x{head:x} breaks off at 0x0, which cannot be read",
        WalkEnd.Unreadable => $"the list at 0x{head:x} breaks off at 0x{outcome.Address:x}, which cannot be read",
        WalkEnd.Cycle => $"the list at 0x{head:x} leads back into itself at 0x{outcome.Address:x}",
        WalkEnd.Limit => $"the list at 0x{head:x} has more than {limit} entries",
        _ => null,
    };

    /// <summary>One clause on why a list or tree is not whole; null if it is.</summary>
    internal static string? OfAny(WalkOutcome outcome, ulong head, int limit) => outcome.End == WalkEnd.Damaged
        ? $"the tree at 0x{head:x} is damaged at 0x{outcome.Address:x}" : OfList(outcome, head, limit);
}

/// <summary>What went wrong in walks. Bounded: a damaged machine could give one finding for each of a million objects.</summary>
internal sealed class ProblemList
{
    private const int Most = 100;

    private readonly List<Finding> _findings = [];
    private readonly HashSet<string> _texts = [];

    /// <summary>The findings.</summary>
    internal IReadOnlyList<Finding> Findings => _findings;

    /// <summary>Adds a finding, once.</summary>
    /// <param name="code">What was found.</param>
    /// <param name="clause">What and why, for the operator.</param>
    internal void Add(FindingCode code, string clause)
    {
        lock (_texts)
        {
            if (_findings.Count < Most && _texts.Add(clause))
                _findings.Add(new(code, clause));
        }
    }
}
