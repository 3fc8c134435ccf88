using Vmcore.Kexec;

namespace Vmcore.Kdump.Capture;

/// <summary>Waits for a device to appear: disks are found some time after their drivers are loaded.</summary>
internal static class DeviceWaiter
{
    /// <summary>Looks for a device again and again.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="limit">How long.</param>
    /// <param name="find">Looks for it, once.</param>
    /// <returns>Its name; null if it does not appear.</returns>
    internal static string? Wait(ICaptureMachine machine, TimeSpan limit, Func<SystemRoot, string?> find)
    {
        for (TimeSpan end = machine.Uptime + limit; ;)
        {
            string? found = null;
            // A disk that does not answer holds up who reads it.
            _ = machine.Bounded(() => (found = find(machine.Root)) is null ? ErrorNames.NoDevice : 0, TimeSpan.FromSeconds(30), machine.FeedWatchdog);
            if (found is not null || machine.Uptime >= end)
                return found;
            machine.FeedWatchdog();
            machine.Sleep(TimeSpan.FromMilliseconds(100));
        }
    }
}
