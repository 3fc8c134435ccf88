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

    private readonly Timer _timer;
    private readonly long _base;
    private TimeSpan _started;

    /// <summary>Starts to watch.</summary>
    internal Watchdog()
    {
        GC.Collect();
        _base = Environment.WorkingSet;
        _started = Environment.CpuUsage.TotalTime;
        _timer = new(_ => Look(), null, 50, 50);
    }

    /// <summary>Most bytes that an input added.</summary>
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
        Peak = Math.Max(Peak, Environment.WorkingSet - _base);
        if ((Environment.CpuUsage.TotalTime - _started).TotalSeconds > MostSeconds)
            Environment.Exit(Hang);
        if (Peak > MostMemory + (64 << 20))
            Environment.Exit(Memory);
    }
}
