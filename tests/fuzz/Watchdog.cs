namespace Vmcore.Fuzz;

/// <summary>
/// Ends the process when an input takes too long, or too much memory that the runtime does not manage. The memory that it does manage has a hard bound.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>Seconds of CPU that an input may take.</summary>
    internal const double MostSeconds = 10;

    /// <summary>Bytes that an input may add to the process.</summary>
    internal const long MostMemory = 200L << 20;

    /// <summary>Exit status of a process that was ended.</summary>
    internal const int Hang = 101, Memory = 102;

    // A new high is worth a collection, to see what of it is held, but not every time that somebody looks.
    private const long Step = 4 << 20;
    private const int LooksBetween = 200;

    private readonly TextWriter _report;
    private readonly Timer _timer;
    private readonly long _base;
    private int _looks;
    private int _looking;
    private TimeSpan _started;

    /// <summary>Starts to watch.</summary>
    /// <param name="report">Where it says which command it ends.</param>
    internal Watchdog(TextWriter report)
    {
        _report = report;
        GC.Collect();
        _base = Environment.WorkingSet;
        _started = Environment.CpuUsage.TotalTime;
        _timer = new(_ => Look(), null, 50, 50);
    }

    /// <summary>Most bytes that an input held, as far as was looked: after a collection, since what nobody holds any more is the collector's.</summary>
    internal long Peak { get; private set; }

    /// <summary>Most CPU seconds of an input.</summary>
    internal double Slowest { get; private set; }

    /// <summary>Another input begins.</summary>
    internal void Next()
    {
        TimeSpan now = Environment.CpuUsage.TotalTime;
        Slowest = Math.Max(Slowest, (now - _started).TotalSeconds);
        _started = now;
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        // The clock goes on while the collector is at work.
        if (Interlocked.Exchange(ref _looking, 1) != 0)
            return;
        long added = Environment.WorkingSet - _base;
        if (added > MostMemory || (added > Peak + Step && _looks++ % LooksBetween == 0))
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            Peak = Math.Max(Peak, Environment.WorkingSet - _base);
        }

        if ((Environment.CpuUsage.TotalTime - _started).TotalSeconds > MostSeconds)
            End(Hang);
        if (Peak > MostMemory)
            End(Memory);
        Volatile.Write(ref _looking, 0);
    }

    private void End(int status)
    {
        if (Commands.Last is { } command)
            _report.WriteLine($"at work: {command}");
        Environment.Exit(status);
    }
}
