using Vmcore.Kernel.Identity;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>Where the debug information of a crashed kernel may be on this machine.</summary>
public static class DebugFiles
{
    private const string Root = "/usr/lib/debug";
    private const int BuildIdDigits = 128;

    /// <summary>The places, likeliest first: beside the dump, by the build id, by the release as distributions install it.</summary>
    /// <param name="info">What the dump says of its kernel.</param>
    /// <param name="dump">The dump's file.</param>
    /// <returns>Paths of files that may be there or not; whether one is of the kernel its build id says.</returns>
    public static IReadOnlyList<string> Places(VmcoreInfo info, string dump)
    {
        ArgumentNullException.ThrowIfNull(info);
        List<string> places = [];
        string folder = Path.GetDirectoryName(Path.GetFullPath(dump)) ?? "/";
        string? release = SafeRelease(info), id = BuildIdOf(info);
        foreach (string name in (ReadOnlySpan<string>)["vmlinux", "vmlinux.debug"])
        {
            places.Add(Path.Combine(folder, name));
            if (release is not null)
                places.Add(Path.Combine(folder, name.Replace("vmlinux", $"vmlinux-{release}", StringComparison.Ordinal)));
        }

        if (id is { Length: > 2 })
            places.Add($"{Root}/.build-id/{id[..2]}/{id[2..]}.debug");
        if (release is null)
            return places;
        foreach (string place in (ReadOnlySpan<string>)[$"/boot/vmlinux-{release}", $"/lib/modules/{release}/vmlinux", $"/usr/lib/modules/{release}/vmlinux",
            $"/boot/vmlinux-{release}.debug", $"/lib/modules/{release}/vmlinux.debug", $"/usr/lib/modules/{release}/vmlinux.debug"])
            places.Add(Root + place);
        places.Add($"/lib/modules/{release}/build/vmlinux");
        return places;
    }

    /// <summary>The build id as digits of a file's name; null if the dump has none.</summary>
    /// <param name="info">What the dump says of its kernel.</param>
    public static string? BuildIdOf(VmcoreInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return info.BuildId?.ToLowerInvariant() is { Length: > 2 and <= BuildIdDigits } id && id.All(char.IsAsciiHexDigit) ? id : null;
    }

    // It comes from the dump, and becomes a part of a path.
    private static string? SafeRelease(VmcoreInfo info) =>
        info.OsRelease is { Length: > 0 } release && release[0] != '.'
            && release.All(static c => char.IsAsciiLetterOrDigit(c) || ".-_+~:".Contains(c, StringComparison.Ordinal)) ? release : null;
}
