using System.Globalization;
using Vmcore.Kdump.Configuration;

namespace Vmcore.Kdump.Capture;

/// <summary>The command lines of this executable that the steps of a capture are.</summary>
internal static class CaptureCommands
{
    /// <summary>What is dumped.</summary>
    internal const string Input = "/proc/vmcore";

    /// <summary>Writes the log to a file.</summary>
    internal static IReadOnlyList<string> Log(string file) => ["makedumpfile", "--dump-dmesg", "--message-level", "4", Input, file];

    /// <summary>Writes the log to standard output, which is the console.</summary>
    internal static IReadOnlyList<string> LogToConsole { get; } = ["vmcore-dmesg", Input];

    /// <summary>Writes the dump.</summary>
    /// <param name="configuration">How.</param>
    /// <param name="file">Where to.</param>
    /// <param name="room">Most bytes to write; 0 for no limit.</param>
    internal static IReadOnlyList<string> Dump(KdumpConfiguration configuration, string file, long room)
    {
        // Common messages, errors and the report; no progress, which a serial console is too slow for.
        List<string> words = ["makedumpfile", "--message-level", "22", "-d", configuration.Level];
        if (configuration.CodecOption.Length > 0)
            words.Add(configuration.CodecOption);
        if (configuration.TimeLimit > TimeSpan.Zero)
            words.AddRange(["--time-limit", ((long)configuration.TimeLimit.TotalSeconds).ToString(CultureInfo.InvariantCulture)]);
        if (room > 0)
            words.AddRange(["-f", "-L", room.ToString(CultureInfo.InvariantCulture)]);
        words.AddRange([Input, file]);
        return words;
    }

    /// <summary>Writes the report of a dump.</summary>
    internal static IReadOnlyList<string> Report(string dump, string file) => ["report", "--output", file, dump];
}
