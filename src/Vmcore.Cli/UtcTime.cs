using System.Globalization;

namespace Vmcore.Cli;

/// <summary>Times of day for people.</summary>
internal static class UtcTime
{
    /// <summary>Date and time; null if it is not known, or no time of a crash can be so.</summary>
    /// <param name="seconds">Seconds since 1970; null if it is not known.</param>
    internal static string? Text(long? seconds) => seconds is { } time and > 0 and < 1L << 36
        ? DateTimeOffset.FromUnixTimeSeconds(time).ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture) : null;
}
