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
    public static ImageBuffer Read(string path, string what)
    {
        ImageBuffer? content = null;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            // Files of sysfs and pipes do not know their length.
            content = new(stream.CanSeek ? Math.Min(stream.Length, Limit) : 0);
            if (content.Append(stream, Limit))
                return content;
            throw new KexecException($"The {what} {path} is longer than 1 GiB: give the right file.");
        }
        catch (Exception e)
        {
            ((IDisposable?)content)?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new KexecException($"Cannot read the {what} {path}: {e.Message}", 255, e);
            throw;
        }
    }
}
