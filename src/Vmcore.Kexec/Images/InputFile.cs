namespace Vmcore.Kexec;

/// <summary>Reads the files that the operator names.</summary>
internal static class InputFile
{
    /// <summary>More than any kernel or initramfs is long, in bytes.</summary>
    public const long Limit = 1L << 30;

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it is, for the message: <c>kernel</c>, <c>initramfs</c>.</param>
    /// <exception cref="KexecException">It cannot be read, or is longer than <see cref="Limit"/>.</exception>
    public static byte[] Read(string path, string what)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            // Files of sysfs and pipes do not know their length.
            var content = new MemoryStream(stream.CanSeek ? (int)Math.Min(stream.Length, Limit) : 0);
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = stream.Read(buffer, 0, buffer.Length)) > 0;)
            {
                content.Write(buffer, 0, count);
                if (content.Length > Limit)
                    throw new KexecException($"The {what} {path} is longer than 1 GiB: give the right file.");
            }

            return content.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KexecException($"Cannot read the {what} {path}: {e.Message}", 255, e);
        }
    }
}
