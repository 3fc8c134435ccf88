namespace Vmcore.Dumping;

/// <summary>A step of a dump.</summary>
public enum DumpStep
{
    /// <summary>Deciding for every page whether it stays. For ELF output at a level with bit 1 that means reading every page.</summary>
    ExcludingPages,

    /// <summary>Reading, compressing and writing.</summary>
    CopyingData,
}

/// <summary>Hears how a dump goes on. Called on the thread that runs the dump, at most once for each block of pages.</summary>
public interface IDumpObserver
{
    /// <summary>A step begins.</summary>
    void Started(DumpStep step);

    /// <summary>Progress within a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="done">Pages done.</param>
    /// <param name="total">Pages in all.</param>
    void Progress(DumpStep step, ulong done, ulong total);

    /// <summary>A step ends. Not called if it was cut short.</summary>
    void Finished(DumpStep step, TimeSpan elapsed);
}
