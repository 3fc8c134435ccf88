using System.Globalization;
using Vmcore.Hashing;
using Vmcore.IO;

namespace Vmcore.Verification;

/// <summary>The hash of a part of a file.</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Number of bytes.</param>
/// <param name="Sha256">64 hex digits.</param>
public sealed record ManifestRange(long Offset, long Length, string Sha256);

/// <summary>The hashes of a dump's file, made when it was written: what it is compared with after it was moved and stored.</summary>
public sealed record DumpManifest
{
    /// <summary>Length of a range unless another is asked for: 64 MiB.</summary>
    public const long DefaultRange = 64 << 20;

    private const int Block = 4 << 20;
    private const long MostRanges = 1 << 20;

    /// <summary>Version of the format.</summary>
    public int Schema { get; init; } = 1;

    /// <summary>Name of the file without its folder.</summary>
    public string File { get; init; } = "";

    /// <summary>Length in bytes.</summary>
    public long Size { get; init; }

    /// <summary>SHA-256 of all of it: what sha256sum(1) prints.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>Release of the crashed kernel; null if it is not known.</summary>
    public string? Release { get; init; }

    /// <summary>Time of the crash in seconds since 1970; null if it is not known.</summary>
    public long? CrashTime { get; init; }

    /// <summary>The dump level; null if it is not known.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>The parts, ascending and without gaps.</summary>
    public IReadOnlyList<ManifestRange> Ranges { get; init; } = [];

    /// <summary>Hashes a file.</summary>
    /// <param name="source">The file.</param>
    /// <param name="rangeLength">Bytes in a range; more if the file would have more than a million of them.</param>
    /// <param name="progress">Hears how many bytes are done; null for nobody.</param>
    /// <exception cref="FileAccessException">The file cannot be read to its end.</exception>
    public static DumpManifest Create(IByteSource source, long rangeLength = DefaultRange, Action<long, long>? progress = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rangeLength);
        long length = source.Length;
        while (length / rangeLength >= MostRanges)
            rangeLength *= 2;
        var all = new Sha256();
        List<ManifestRange> ranges = [];
        for (long start = 0; start < length; start += rangeLength)
        {
            long size = Math.Min(rangeLength, length - start);
            ranges.Add(new(start, size, HashRange(source, start, size, all)));
            progress?.Invoke(start + size, length);
        }

        return new() { File = Path.GetFileName(source.Name), Size = length, Sha256 = Convert.ToHexStringLower(all.Finish()), Ranges = ranges };
    }

    /// <summary>Compares a file with what it was.</summary>
    /// <param name="source">The file.</param>
    /// <param name="report">Receives what differs.</param>
    public void Compare(IByteSource source, VerifyReport report)
    {
        if (source.Length != Size)
            report.Add("manifest", null, "size of the file", source.Length.ToString(CultureInfo.InvariantCulture), Size.ToString(CultureInfo.InvariantCulture));
        var all = new Sha256();
        bool readable = true;
        foreach (ManifestRange range in Ranges)
        {
            if (range.Offset >= source.Length)
            {
                report.Add("manifest", range.Offset, $"{range.Length} bytes", "end of the file", "SHA-256 " + range.Sha256);
                readable = false;
                continue;
            }

            string? found = null;
            try
            {
                found = HashRange(source, range.Offset, Math.Min(range.Length, source.Length - range.Offset), all);
            }
            catch (FileAccessException)
            {
                readable = false;
            }

            if (!string.Equals(found, range.Sha256, StringComparison.OrdinalIgnoreCase))
                report.Add("manifest", range.Offset, $"{range.Length} bytes", found is null ? "bytes that cannot be read" : "SHA-256 " + found, "SHA-256 " + range.Sha256);
        }

        if (!readable || source.Length != Size)
            return;
        string whole = Convert.ToHexStringLower(all.Finish());
        if (!string.Equals(whole, Sha256, StringComparison.OrdinalIgnoreCase))
            report.Add("manifest", 0, "whole file", "SHA-256 " + whole, "SHA-256 " + Sha256);
    }

    /// <summary>Checks what a manifest says: it may have been edited or damaged.</summary>
    /// <param name="name">Its file, for the error.</param>
    /// <exception cref="DumpFormatException">A field is impossible.</exception>
    public void Check(string name)
    {
        if (Schema != 1)
            throw new DumpFormatException(name, 0, "manifest schema", Schema.ToString(CultureInfo.InvariantCulture), "1");
        long at = 0;
        foreach (ManifestRange range in Ranges)
        {
            if (range.Offset != at || range.Length <= 0 || range.Length > Size - at)
                throw new DumpFormatException(name, 0, "manifest ranges", $"{range.Length} bytes at {range.Offset}", $"ranges that follow each other from {at} on and end at {Size}");
            at += range.Length;
        }

        if (at != Size)
            throw new DumpFormatException(name, 0, "manifest ranges", $"ranges up to {at}", $"ranges up to the size, {Size}");
    }

    private static string HashRange(IByteSource source, long start, long size, Sha256 all)
    {
        var part = new Sha256();
        byte[] block = new byte[(int)Math.Min(Block, size)];
        for (long done = 0; done < size;)
        {
            int step = (int)Math.Min(block.Length, size - done);
            if (source.Read(start + done, block.AsSpan(0, step)) != step)
                throw new FileAccessException(source.Name, string.Create(CultureInfo.InvariantCulture, $"cannot read {step} bytes at offset {start + done}"));
            Parallel.Invoke(() => part.Append(block.AsSpan(0, step)), () => all.Append(block.AsSpan(0, step)));
            done += step;
        }

        return Convert.ToHexStringLower(part.Finish());
    }
}
