using System.Diagnostics;
using System.Globalization;
using Vmcore.Dumping;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>
/// Shows progress. On a terminal: one line for all steps, redrawn at most once a second, never wider than 79 columns. Elsewhere (a log, the
/// journal, a terminal that cannot go back in a line): a whole line when a step ends, and now and then while it takes long. Without colour.
/// </summary>
internal sealed class ProgressLine(Messages messages, bool? isTerminal = null) : IDumpObserver
{
    private const string Spinner = "/|\\-";

    /// <summary>Seconds between two lines where each stays.</summary>
    private const int LineSeconds = 10;

    private const double ShortestForRate = 0.1;

    private readonly bool _isTerminal = isTerminal ?? CanRedraw();
    private long _started;
    private long _shown;
    private int _turn;
    private bool _complete;

    /// <summary>Bytes in a page, for the rate; 0 while it is not known.</summary>
    internal int PageSize { get; set; }

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
        _shown = _isTerminal ? _started - Stopwatch.Frequency : _started;
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

    private static bool CanRedraw() =>
        !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    private static string Eta(double seconds) => seconds switch
    {
        < 60 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds}s"),
        < 3600 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds / 60}m{(int)seconds % 60}s"),
        < 86400 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)seconds / 3600}h{(int)seconds / 60 % 60}m"),
        < 86400 * 100.0 => string.Create(CultureInfo.InvariantCulture, $"eta: {(int)(seconds / 86400)}d{(int)(seconds / 3600) % 24}h"),
        _ => "eta: >100day",
    };

    /// <summary>Bytes a second in at most 12 columns; empty for a step that is too short to have one.</summary>
    private string Rate(ulong pages, double seconds)
    {
        double rate = PageSize * (double)pages / seconds;
        return seconds < ShortestForRate || PageSize == 0 || pages <= 1 ? ""
            : rate >= 1L << 30 ? string.Create(CultureInfo.InvariantCulture, $"{Math.Min(rate / (1L << 30), 9999):0.0} GiB/s")
            : string.Create(CultureInfo.InvariantCulture, $"{rate / (1L << 20):0.0} MiB/s");
    }

    private void Show(string name, ulong done, ulong total)
    {
        long now = Stopwatch.GetTimestamp();
        bool complete = done >= total;
        if ((complete && _complete) || (!complete && now - _shown < Stopwatch.Frequency * (_isTerminal ? 1 : LineSeconds))
            || !messages.Shows(MessageKind.Progress))
            return;
        _shown = now;
        _complete = complete;
        ulong permille = total == 0 ? 1000 : Math.Min(1000, (ulong)((UInt128)done * 1000 / total));
        double elapsed = Stopwatch.GetElapsedTime(_started, now).TotalSeconds;
        string eta = permille is > 0 and < 1000 ? Eta(elapsed * (1000 - permille) / permille) : "";
        string rate = Rate(done, elapsed);
        messages.Write(MessageKind.Progress, _isTerminal
            ? string.Create(CultureInfo.InvariantCulture, $"\r{name,-30}: [{permille / 10,3}.{permille % 10} %] {Spinner[_turn++ & 3]}  {rate,12}  {eta,16}")
            : string.Create(CultureInfo.InvariantCulture, $"{name,-30}: [{permille / 10,3}.{permille % 10} %]  {rate,12}  {eta}").TrimEnd() + "\n");
    }
}
