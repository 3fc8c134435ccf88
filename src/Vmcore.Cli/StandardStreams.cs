using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Vmcore.IO;

namespace Vmcore.Cli;

/// <summary>
/// A service may start a command without standard streams. The first files that are opened would take their numbers, and what is said on the
/// console would land in the dump.
/// </summary>
internal static partial class StandardStreams
{
    /// <summary>SIGXFSZ on every Linux that .NET runs on (asm-generic/signal.h).</summary>
    private const int FileSizeSignal = 25;

    private const int Output = 1;
    private const int Error = 2;

    // A handle that is collected would close its number again.
    private static readonly List<SafeFileHandle> s_placeholders = [];

    private static bool s_isOutputClosed;

    private static DescriptorStream? s_output;

    /// <summary>True once nobody reads standard output any more: more answers are for nobody.</summary>
    internal static bool IsAbandoned => s_output is { IsBroken: true };

    /// <summary>True once something was not done because standard output is closed.</summary>
    internal static bool HasRefused { get; private set; }

    /// <summary>Called before anything that is asked for is written to standard output:
    /// what stands in for a closed one would take it, and it would be lost.</summary>
    /// <exception cref="FileAccessException">Standard output was closed when the program started.</exception>
    internal static void RequireOutput()
    {
        if (s_isOutputClosed)
        {
            HasRefused = true;
            throw new FileAccessException("STDOUT", "is closed");
        }
    }

    /// <summary>
    /// Gives the console writers that know of no terminal. Those of the runtime switch a terminal's keypad to application mode when they are first used,
    /// set up signals and read the terminal's description: nothing here needs that.
    /// </summary>
    internal static void UsePlainWriters()
    {
        Console.SetOut(Writer(s_output = new(Output, ignoresBrokenPipe: true)));
        Console.SetError(Writer(new(Error, ignoresBrokenPipe: true)));
    }

    /// <summary>Standard output for bytes. Who reads may stop when it has enough.</summary>
    internal static Stream OpenPlainOutput() => new DescriptorStream(Output, ignoresBrokenPipe: true);

    private static StreamWriter Writer(DescriptorStream stream) =>
        new(stream, Console.OutputEncoding, bufferSize: 4096) { AutoFlush = true };

    /// <summary>
    /// Beyond a limit on the size of files (ulimit -f) the system sends a signal that kills. Ignored, the write fails with EFBIG, which every mode knows as a
    /// full target.
    /// </summary>
    internal static void IgnoreFileSizeSignal() => _ = SetHandler(FileSizeSignal, 1); // SIG_IGN

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);

    /// <summary>Puts the null device in the place of each standard stream that is closed.</summary>
    internal static void Fill()
    {
        try
        {
            while (true)
            {
                SafeFileHandle handle = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
                if (handle.DangerousGetHandle() > Error)
                {
                    handle.Dispose();
                    return;
                }

                s_isOutputClosed |= handle.DangerousGetHandle() == Output;
                s_placeholders.Add(handle);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A root file system without devices: the streams stay as they are.
        }
    }
}
