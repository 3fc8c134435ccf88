using System.Diagnostics;
using System.Globalization;
using Vmcore.Dumping;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>Draws progress as the tool of today does: one line a step, at most once a second, and a STEP line with the time in the report.</summary>
internal sealed class ProgressLine(Messages messages) : IDumpObserver
{
    private const string Spinner = "/|\\-";
    private long _started;
    private long _shown;
    private int _turn;
    private bool _complete;

    /// <inheritdoc/>
    public void Started(DumpStep step) => Start();

    /// <inheritdoc/>
    public void Progress(DumpStep step, ulong done, ulong total) => Show(Name(step), done, total);

    /// <inheritdoc/>
    public void Finished(DumpStep step, TimeSpan elapsed) => Finish(Name(step), elapsed);

    /// <summary>Begins a step.</summary>
    internal void Start()
    {
        _started = Stopwatch.GetTimestamp();
        _shown = _started - Stopwatch.Frequency;
        _complete = false;
    }

    /// <summary>Ends a step.</summary>
    internal void Finish(string name, TimeSpan elapsed)
    {
        if (!_complete)
            Show(name, 1, 1);
        messages.Line(MessageKind.Report, string.Create(CultureInfo.InvariantCulture, $"STEP [{name,-27}] : {elapsed.TotalSeconds:0.000000} seconds"));
    }

    private static string Name(DumpStep step) => step switch
    {
        DumpStep.ExcludingPages => "Excluding unnecessary pages",
        _ => "Copying data",
    };

    private static string Eta(double seconds) => seconds switch
    {
        < 60 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds}s"),
        < 3600 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds / 60}m{(int)seconds % 60}s"),
        < 86400 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds / 3600}h{(int)seconds / 60 % 60}m"),
        < 86400 * 100.0 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)(seconds / 86400)}d{(int)(seconds / 3600) % 24}h"),
        _ => "eta: >100day",
    };

    private void Show(string name, ulong done, ulong total)
    {
        long now = Stopwatch.GetTimestamp();
        bool complete = done >= total;
        if ((complete && _complete) || (!complete && now - _shown < Stopwatch.Frequency) || !messages.Shows(MessageKind.Progress))
            return;
        _shown = now;
        _complete = complete;
        ulong permille = total == 0 ? 1000 : Math.Min(1000, (ulong)((UInt128)done * 1000 / total));
        double elapsed = Stopwatch.GetElapsedTime(_started, now).TotalSeconds;
        string eta = permille is > 0 and < 1000 ? Eta(elapsed * (1000 - permille) / permille) : "";
        messages.Write(MessageKind.Progress, string.Create(CultureInfo.InvariantCulture, $"\r{name,-50}: [{permille / 10,3}.{permille % 10} %] {Spinner[_turn++ & 3]}  {eta,16}"));
    }
}
