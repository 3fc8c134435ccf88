namespace Vmcore.IO;

/// <summary>Turns what the runtime throws for a refused system call into <see cref="FileAccessException"/>.</summary>
internal static class FileErrors
{
    // On Unix the runtime puts the raw errno into HResult. These numbers are the same on every Linux architecture that runs .NET.
    private const int NoEntry = 2;
    private const int Exists = 17;
    private const int IsDirectory = 21;
    private const int FileTooBig = 27;
    private const int NoSpace = 28;
    private const int ReadOnlyFileSystem = 30;
    private const int BrokenPipe = 32;
    private const int QuotaExceeded = 122;

    /// <summary>True for the kinds of exception that the runtime's file calls raise when the system refuses.</summary>
    public static bool IsRefusal(Exception error) =>
        error is IOException or UnauthorizedAccessException or NotSupportedException or System.Security.SecurityException
            // The runtime reports EFBIG and a path with a NUL this way.
            or ArgumentException;

    /// <summary>True where a file may not become larger: RLIMIT_FSIZE, or what its file system can hold (EFBIG).</summary>
    /// <param name="error">What the runtime threw.</param>
    public static bool IsTooLarge(Exception? error) => error is ArgumentOutOfRangeException or IOException { HResult: FileTooBig };

    /// <summary>True where a user's quota is used up (EDQUOT).</summary>
    /// <param name="error">What the runtime threw.</param>
    public static bool IsQuota(Exception? error) => error is IOException { HResult: QuotaExceeded };

    /// <summary>Describes a refusal in one sentence.</summary>
    /// <param name="name">Name of the file.</param>
    /// <param name="action">What was tried, for example <c>open</c>.</param>
    /// <param name="error">What the runtime threw.</param>
    public static FileAccessException Describe(string name, string action, Exception error)
    {
        string? reason = error switch
        {
            FileNotFoundException or DirectoryNotFoundException => "No such file or directory",
            UnauthorizedAccessException => "Permission denied",
            PathTooLongException => "File name too long",
            ArgumentOutOfRangeException => "File too large",
            IOException io => io.HResult switch
            {
                NoEntry => "No such file or directory",
                Exists => "File exists",
                IsDirectory => "Is a directory",
                FileTooBig => "File too large",
                NoSpace => "No space left on device",
                ReadOnlyFileSystem => "Read-only file system",
                BrokenPipe => "Broken pipe",
                QuotaExceeded => "Disk quota exceeded",
                _ => null,
            },
            _ => null,
        };
        bool noSpace = IsTooLarge(error) || IsQuota(error) || error is IOException { HResult: NoSpace };
        return new FileAccessException(name, $"cannot {action}: {reason ?? error.Message}", noSpace, error);
    }
}
