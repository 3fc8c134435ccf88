using System.Diagnostics;
using System.Globalization;

namespace Vmcore.Cli.Reader;

/// <summary>Says on a terminal how far a long look through a dump has come. Standard error, one
/// line, gone when it is done; nothing for short ones, and nothing in a log.</summary>
/// <param name="what">What is done.</param>
internal sealed class StatusLine(string what) : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private readonly bool _isTerminal = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");
    private readonly long _started = Stopwatch.GetTimestamp();
    private TimeSpan _shown = s_patience - s_interval;
    private int _width;

    /// <summary>Tells how far it is.</summary>
    /// <param name="done">Part that is done.</param>
    /// <param name="total">All of it.</param>
    internal void Show(ulong done, ulong total)
    {
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_started);
        if (!_isTerminal || elapsed - _shown < s_interval || done == 0 || total == 0)
            return;
        _shown = elapsed;
        double part = Math.Min(1, (double)done / total);
        string text = string.Create(CultureInfo.InvariantCulture, $"{what}: {(int)(part * 100)} %, {elapsed.TotalSeconds * (1 - part) / part:0} s left");
        Console.Error.Write("\r" + text.PadRight(_width));
        _width = text.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_width > 0)
            Console.Error.Write("\r" + new string(' ', _width) + "\r");
        _width = 0;
    }
}
