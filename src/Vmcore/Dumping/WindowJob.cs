namespace Vmcore.Dumping;

/// <summary>Neighbouring windows with one answer: a single window, or many of which everything is user data of pmem.</summary>
/// <param name="Number">The first window's number.</param>
/// <param name="Count">Windows, 1 or more.</param>
/// <param name="IsUserData">True if all their pages exist, are in the input, and are left out as user data of pmem.</param>
internal readonly record struct WindowRun(ulong Number, ulong Count, bool IsUserData)
{
    /// <summary>First pfn.</summary>
    internal ulong FirstPfn => Number << PlanWindow.Shift;

    /// <summary>One past the last pfn.</summary>
    internal ulong EndPfn => (Number + Count) << PlanWindow.Shift;
}

/// <summary>Classifies one window; a run of user data needs no look.</summary>
internal sealed class WindowJob : WorkerJob
{
    /// <summary>Which windows.</summary>
    internal WindowRun Windows { get; set; }

    /// <summary>The verdicts, unless <see cref="WindowRun.IsUserData"/>.</summary>
    internal PlanWindow Window { get; } = new();

    /// <summary>True if the kept pages are known already.</summary>
    internal bool IsKnown { get; set; }

    /// <inheritdoc/>
    protected override void Run(WorkerTools tools)
    {
        if (!Windows.IsUserData && !IsKnown)
            tools.Classifier.Classify(Windows.Number, Window);
    }
}
