using System.Globalization;

namespace Vmcore.Kernel.Identity;

/// <summary>The release that a kernel calls itself by: <c>6.12.117+deb12-amd64</c>.</summary>
internal static class KernelRelease
{
    /// <summary>True if a release is of an earlier series than another one; false for what begins with no two numbers.</summary>
    /// <param name="release">The release.</param>
    /// <param name="major">The first number of the other.</param>
    /// <param name="minor">The second.</param>
    internal static bool IsBefore(string release, int major, int minor)
    {
        int dot = release.IndexOf('.', StringComparison.Ordinal), end = dot + 1;
        while (end < release.Length && char.IsAsciiDigit(release[end]))
            end++;
        return dot > 0 && int.TryParse(release.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            && int.TryParse(release.AsSpan(dot + 1, end - dot - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int second)
            && (first < major || (first == major && second < minor));
    }
}
