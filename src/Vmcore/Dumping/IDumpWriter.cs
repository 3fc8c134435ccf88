namespace Vmcore.Dumping;

/// <summary>Writes a dump in one format. It decides nothing: a plan says what stays.</summary>
internal interface IDumpWriter
{
    /// <summary>Bytes handed to the target; known when the dump is written.</summary>
    long BytesWritten { get; }

    /// <summary>Writes what can be written before anything is decided: on a full disk it could not be put in front later.</summary>
    /// <returns>False if there is no room for it, and nothing to decide for.</returns>
    bool Begin();

    /// <summary>Takes the verdicts on some windows, in ascending order.</summary>
    /// <param name="run">Which windows.</param>
    /// <param name="window">The verdicts, unless it is a run of user data.</param>
    /// <returns>False if there is no room for anything more.</returns>
    bool Take(WindowRun run, PlanWindow window);

    /// <summary>Writes the rest, and finishes the dump however far it came.</summary>
    /// <param name="plan">What stays.</param>
    /// <param name="observer">Hears of the progress.</param>
    /// <param name="cancel">Ends the dump early.</param>
    /// <returns>How it ended.</returns>
    /// <exception cref="FileAccessException">A target failed for another reason than being full.</exception>
    DumpEnd Write(DumpPlan plan, IDumpObserver observer, CancellationToken cancel);
}
