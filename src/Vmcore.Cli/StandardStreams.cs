using Microsoft.Win32.SafeHandles;

namespace Vmcore.Cli;

/// <summary>
/// A service may start a command without standard streams. The first files that are opened would take their numbers, and what is said on the
/// console would land in the dump.
/// </summary>
internal static class StandardStreams
{
    private const int LastStandard = 2;

    // A handle that is collected would close its number again.
    private static readonly List<SafeFileHandle> s_placeholders = [];

    /// <summary>Puts the null device in the place of each standard stream that is closed.</summary>
    internal static void Fill()
    {
        try
        {
            while (true)
            {
                SafeFileHandle handle = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
                if (handle.DangerousGetHandle() > LastStandard)
                {
                    handle.Dispose();
                    return;
                }

                s_placeholders.Add(handle);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A root file system without devices: the streams stay as they are.
        }
    }
}
