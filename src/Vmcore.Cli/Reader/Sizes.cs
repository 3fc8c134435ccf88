using System.Globalization;

namespace Vmcore.Cli.Reader;

/// <summary>Sizes and numbers for people.</summary>
internal static class Sizes
{
    /// <summary>A size with its unit, for example <c>1.5 GiB</c>.</summary>
    internal static string Text(ulong bytes) => bytes switch
    {
        >= 1UL << 40 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1UL << 40):0.##} TiB"),
        >= 1UL << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1UL << 30):0.##} GiB"),
        >= 1UL << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1UL << 20):0.##} MiB"),
        >= 1UL << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.##} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"),
    };

    /// <summary>An address or a pfn, for example <c>0x140000000</c>.</summary>
    internal static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>A number, and what it counts in the singular or the plural.</summary>
    internal static string Count(ulong number, string what) => string.Create(CultureInfo.InvariantCulture, $"{number} {what}{(number == 1 ? "" : "s")}");
}
