using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>Other services that load a crash kernel: there is room for one, and who loads last wins.</summary>
internal static class RivalServices
{
    private static readonly string[] s_units = ["kdump-tools.service", "kdump.service", "kdump-early.service"];

    /// <summary>One that runs or is enabled.</summary>
    /// <param name="root">The system.</param>
    /// <returns>A sentence that names it, and says what to do; null if there is none.</returns>
    internal static string? Find(SystemRoot root)
    {
        foreach (string unit in s_units)
        {
            // systemd keeps a link for each unit that is active.
            bool runs = root.LinkTarget($"/run/systemd/units/invocation:{unit}") is not null;
            bool starts = root.List("/etc/systemd/system").Any(f => f.EndsWith(".wants", StringComparison.Ordinal)
                && root.LinkTarget($"/etc/systemd/system/{f}/{unit}") is not null);
            if (runs || starts)
            {
                return $"{unit} {(runs ? "is active" : "is enabled")} and loads a crash kernel too: there is room for one. "
                    + $"Keep it, or run 'systemctl disable --now {unit}' and then this again.";
            }
        }

        return null;
    }
}
