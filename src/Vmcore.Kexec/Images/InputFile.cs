using Vmcore.IO;

namespace Vmcore.Kexec;

/// <summary>Reads the files that the operator names.</summary>
internal static class InputFile
{
    /// <summary>More than any kernel or initramfs is long, in bytes.</summary>
    public const int Limit = 1 << 30;

    /// <summary>Reads a whole file, once: what is verified must be what is loaded, whatever becomes of the file meanwhile.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it is, for the message: <c>kernel</c>, <c>initramfs</c>.</param>
    /// <exception cref="KexecException">It cannot be read, or is longer than <see cref="Limit"/>.</exception>
    /// <remarks>kexec-tools ends with 1 where a file cannot be read.</remarks>
    public static ImageBuffer Read(string path, string what)
    {
        ImageBuffer? content = null;
        try
        {
            if (path.Length == 0)
                throw new FileNotFoundException();
            // Devices may have no end.
            if (FileIdentity.Of(path) is { IsRegular: false, IsPipe: false } && !Directory.Exists(path))
                throw new KexecException($"Cannot read the {what} {path}: it is a device.", 1);
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            // Files of sysfs and pipes do not know their length.
            long length = stream.CanSeek ? stream.Length : 0;
            if (length <= Limit)
            {
                content = new(length);
                if (content.Append(stream, Limit))
                    return content;
            }

            throw new KexecException($"The {what} {path} is longer than 1 GiB: give the right file.");
        }
        catch (Exception e)
        {
            ((IDisposable?)content)?.Dispose();
            if (e is IOException or UnauthorizedAccessException or OutOfMemoryException)
                throw Unreadable(path, what, e);
            throw;
        }
    }

    /// <summary>The error for a file that cannot be read. The runtime's own messages are not in the executable.</summary>
    public static KexecException Unreadable(string path, string what, Exception error)
    {
        string reason = error switch
        {
            FileNotFoundException or DirectoryNotFoundException => "there is no such file",
            UnauthorizedAccessException => Directory.Exists(path) ? "it is a directory" : "permission denied",
            OutOfMemoryException => "there is not enough memory for it",
            // The runtime puts the error number there.
            IOException { HResult: > 0 } io => System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(io.HResult),
            _ => "the system refuses",
        };
        return new($"Cannot read the {what} {path}: {reason}.", 1, error);
    }
}
