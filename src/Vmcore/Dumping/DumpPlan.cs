using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>
/// What <see cref="PlanPass"/> decided: how many pages stay and how many go for which reason, where the parts of a split dump begin, and as far as there
/// was room, which pages stay. Nothing in here is changed by those who write by it.
/// </summary>
internal sealed class DumpPlan
{
    private readonly SplitPlan _shares = new();

    /// <summary>Creates a plan that knows nothing yet.</summary>
    /// <param name="cacheBytes">Bytes of verdicts that it may remember.</param>
    /// <param name="limits">The bounds on what it lists.</param>
    internal DumpPlan(long cacheBytes, ReadLimits limits)
    {
        Cache = new(cacheBytes);
        Counts = new(limits);
    }

    /// <summary>What was counted. Who copies the pages adds what comes to light there.</summary>
    internal DumpCounts Counts { get; }

    /// <summary>The pages that stay, of the windows that it has room for; the others are decided again.</summary>
    internal PlanCache Cache { get; }

    /// <summary>Number of pages that stay.</summary>
    internal ulong Kept { get; private set; }

    /// <summary>False if the pass was stopped before it saw all windows.</summary>
    internal bool IsComplete { get; set; }

    /// <summary>Which pages each part of a split dump gets.</summary>
    internal SplitPlan Shares => _shares;

    /// <summary>Takes the verdicts on one window; they come in ascending order.</summary>
    internal void Add(PlanWindow window, ulong existing, ulong kept)
    {
        Counts.Add(window, existing);
        Kept += kept;
        _shares.Add(window.FirstPfn >> PlanWindow.Shift, kept);
        Cache.Add(window.FirstPfn >> PlanWindow.Shift, window.Kept);
    }
}
