namespace Vmcore.Dumping;

/// <summary>Classifies one window; a longer run needs no look.</summary>
internal sealed class WindowJob : WorkerJob
{
    /// <summary>Which windows.</summary>
    internal WindowRun Windows { get; set; }

    /// <summary>The verdicts, if the run <see cref="WindowRun.IsMixed"/>.</summary>
    internal PlanWindow Window { get; } = new();

    /// <summary>True if the kept pages are known already.</summary>
    internal bool IsKnown { get; set; }

    /// <inheritdoc/>
    protected override void Run(WorkerTools tools)
    {
        if (Windows.IsMixed && !IsKnown)
            tools.Classifier.Classify(Windows.Number, Window);
    }
}
