using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// The order in which the pages of a dump are worth having: what an analysis needs first is written first, so that the beginning of a dump that was cut is of
/// use. What is in no stage comes last, in the order of its addresses.
/// </summary>
internal sealed class WorthOrder
{
    private readonly List<PfnRangeSet> _stages = [];

    /// <summary>Everything in the order of its addresses.</summary>
    internal static WorthOrder None { get; } = new();

    /// <summary>The stages: no page is in two of them.</summary>
    internal IReadOnlyList<PfnRangeSet> Stages => _stages;

    /// <summary>The pages of all stages.</summary>
    internal PfnRangeSet All { get; private set; } = PfnRangeSet.Empty;

    /// <summary>Adds a stage.</summary>
    /// <param name="pages">Its pages; those of earlier stages stay there.</param>
    internal void Add(IEnumerable<PfnRange> pages)
    {
        PfnRangeSet stage = PfnRangeSet.From(pages).Except(All);
        if (stage.IsEmpty)
            return;
        _stages.Add(stage);
        All = All.Union(stage);
    }
}
