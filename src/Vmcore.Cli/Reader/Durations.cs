using System.Globalization;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary>Durations for people.</summary>
internal static class Durations
{
    private const ulong Second = 1_000_000_000;

    /// <summary>A duration: <c>0.012s</c>, <c>2m05s</c>, <c>3h02m</c>, <c>4d03h</c>.</summary>
    /// <param name="nanoseconds">Nanoseconds.</param>
    internal static string Text(ulong nanoseconds)
    {
        ulong seconds = nanoseconds / Second;
        FormattableString text = seconds switch
        {
            < 60 => $"{seconds}.{nanoseconds % Second / 1_000_000:000}s",
            < 3600 => $"{seconds / 60}m{seconds % 60:00}s",
            < 86400 => $"{seconds / 3600}h{seconds / 60 % 60:00}m",
            _ => $"{seconds / 86400}d{seconds / 3600 % 24:00}h",
        };
        return FormattableString.Invariant(text);
    }

    /// <summary>Seconds as the log has them, without its brackets: <c>12.345678</c>.</summary>
    /// <param name="nanoseconds">Nanoseconds.</param>
    internal static string Seconds(ulong nanoseconds) =>
        string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / Second}.{nanoseconds % Second / 1000:000000}");

    /// <summary>The state of a task in words, and how long it had been in it: <c>uninterruptible for 12.345s</c>.</summary>
    internal static string StateText(ReaderContext context, KernelTask task) =>
        InState(context.TimeOf(task), isProse: true) is { Length: > 0 } time ? $"{task.StateText} for {time}" : task.StateText;

    /// <summary>How long a task had been in its state: one time if both bounds come to the same, else the bound that is known.</summary>
    /// <param name="time">The times of the task; null if none can be told.</param>
    /// <param name="isProse">True for words in place of signs.</param>
    /// <returns>Empty if it is not known.</returns>
    internal static string InState(TaskTime? time, bool isProse = false)
    {
        string? least = time?.InStateAtLeast is { } a ? Text(a) : null, most = time?.InStateAtMost is { } b ? Text(b) : null;
        return least is not null ? (least == most ? "" : isProse ? "at least " : ">=") + least
            : most is not null ? (isProse ? "at most " : "<=") + most : "";
    }
}
