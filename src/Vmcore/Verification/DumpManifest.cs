using System.Globalization;
using Vmcore.Hashing;
using Vmcore.IO;

namespace Vmcore.Verification;

/// <summary>The hash of a part of a file.</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Number of bytes.</param>
/// <param name="Sha256">64 hex digits.</param>
public sealed record ManifestRange(long Offset, long Length, string Sha256);

/// <summary>The hashes of one file.</summary>
public sealed record ManifestFile
{
    /// <summary>Name of the file without its folder.</summary>
    public string File { get; init; } = "";

    /// <summary>Length in bytes.</summary>
    public long Size { get; init; }

    /// <summary>SHA-256 of all of it: what sha256sum(1) prints.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>The parts of the file, ascending and without gaps.</summary>
    public IReadOnlyList<ManifestRange> Ranges { get; init; } = [];
}

/// <summary>The hashes of a dump's file or files, made when they were written: what they are compared with after they were moved and stored.</summary>
public sealed record DumpManifest
{
    /// <summary>Length of a range unless another is asked for: 64 MiB.</summary>
    public const long DefaultRange = 64 << 20;

    private const int Block = 4 << 20;
    private const long RangesAimedAt = 1 << 20;

    /// <summary>Version of the format.</summary>
    public int Schema { get; init; } = 1;

    /// <summary>Name of the file without its folder; null for a split dump.</summary>
    public string? File { get; init; }

    /// <summary>Length in bytes; of a split dump that of all files together.</summary>
    public long Size { get; init; }

    /// <summary>SHA-256 of all of it: what sha256sum(1) prints; null for a split dump.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Release of the crashed kernel; null if it is not known.</summary>
    public string? Release { get; init; }

    /// <summary>Time of the crash in seconds since 1970; null if it is not known.</summary>
    public long? CrashTime { get; init; }

    /// <summary>The dump level; null if it is not known.</summary>
    public int? DumpLevel { get; init; }

    /// <summary>The parts of the one file, ascending and without gaps; empty for a split dump.</summary>
    public IReadOnlyList<ManifestRange> Ranges { get; init; } = [];

    /// <summary>The files of a split dump, in the order of their pages; null if the dump is one file.</summary>
    public IReadOnlyList<ManifestFile>? Parts { get; init; }

    /// <summary>The files: one, or those of a split dump. Of a manifest that is not checked, what is in them may be null.</summary>
    public IReadOnlyList<ManifestFile> Files => Parts ?? [new() { File = File ?? "", Size = Size, Sha256 = Sha256!, Ranges = Ranges }];

    /// <summary>Hashes the files of a dump: one, or all of a split dump in the order of their pages.</summary>
    /// <param name="paths">The files.</param>
    /// <exception cref="FileAccessException">A file cannot be read to its end.</exception>
    public static DumpManifest Create(IReadOnlyList<string> paths)
    {
        List<ManifestFile> files = [];
        foreach (string path in paths)
        {
            using FileSource source = FileSource.Open(path);
            files.Add(Hash(source));
        }

        return files.Count == 1
            ? new() { File = files[0].File, Size = files[0].Size, Sha256 = files[0].Sha256, Ranges = files[0].Ranges }
            : new() { Size = files.Sum(static f => f.Size), Parts = files };
    }

    /// <summary>Compares the files of a dump with what they were.</summary>
    /// <param name="paths">The files, of a split dump in the order of their pages. As many as
    /// there were may have other names now; of fewer each is known by its name.</param>
    /// <param name="report">Receives what differs, and which file is missing.</param>
    /// <exception cref="FileAccessException">A file cannot be opened.</exception>
    public void Compare(IReadOnlyList<string> paths, VerifyReport report)
    {
        IReadOnlyList<ManifestFile> files = Files;
        bool[] seen = new bool[files.Count];
        for (int i = 0; i < paths.Count; i++)
        {
            int which = paths.Count == files.Count ? i : IndexOf(files, Path.GetFileName(paths[i]));
            if (which < 0 || seen[which])
            {
                report.Add("manifest", paths[i], null, "file",
                    $"{Path.GetFileName(paths[i])}, which is not in the manifest", $"one of its {files.Count} files");
                continue;
            }

            seen[which] = true;
            using FileSource source = FileSource.Open(paths[i]);
            Compare(files[which], source, report);
        }

        for (int i = 0; i < files.Count; i++)
        {
            if (!seen[i])
                report.Add("manifest", null, "file", "none", $"{files[i].File}, {files[i].Size} bytes");
        }
    }

    /// <summary>Checks what a manifest says: it may have been edited or damaged.</summary>
    /// <param name="name">Its file, for the error.</param>
    /// <exception cref="DumpFormatException">A field is impossible.</exception>
    public void Check(string name)
    {
        if (Schema != 1)
            throw new DumpFormatException(name, 0, "manifest schema", Schema.ToString(CultureInfo.InvariantCulture), "1");
        if (Parts is { } parts && (Sha256 is not null || parts.Count == 0 || parts.Any(static p => p is null)))
            throw new DumpFormatException(name, 0, "manifest parts", Sha256 is not null ? "parts, and one hash of all" : "parts that are empty",
                "the hashes of one file, or the parts of a split dump");
        foreach (ManifestFile file in Files)
            Check(name, file);
    }

    /// <summary>Hashes a file.</summary>
    /// <param name="source">The file.</param>
    /// <param name="rangeLength">Bytes in a range; more if the file would have more than a million of them.</param>
    /// <exception cref="FileAccessException">The file cannot be read to its end.</exception>
    internal static ManifestFile Hash(IByteSource source, long rangeLength = DefaultRange)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rangeLength);
        long length = source.Length;
        while (length / rangeLength >= RangesAimedAt)
            rangeLength *= 2;
        var all = new Sha256();
        List<ManifestRange> ranges = [];
        for (long start = 0; start < length; start += rangeLength)
        {
            long size = Math.Min(rangeLength, length - start);
            ranges.Add(new(start, size, HashRange(source, start, size, all)));
        }

        return new() { File = Path.GetFileName(source.Name), Size = length, Sha256 = Convert.ToHexStringLower(all.Finish()), Ranges = ranges };
    }

    private static int IndexOf(IReadOnlyList<ManifestFile> files, string name)
    {
        for (int i = 0; i < files.Count; i++)
        {
            if (files[i].File == name)
                return i;
        }

        return -1;
    }

    private static void Compare(ManifestFile expected, IByteSource source, VerifyReport report)
    {
        string name = source.Name;
        if (source.Length != expected.Size)
            report.Add("manifest", name, null, "size of the file", source.Length.ToString(CultureInfo.InvariantCulture),
                expected.Size.ToString(CultureInfo.InvariantCulture));
        var all = new Sha256();
        bool readable = true;
        foreach (ManifestRange range in expected.Ranges)
        {
            if (range.Offset >= source.Length)
            {
                report.Add("manifest", name, range.Offset, $"{range.Length} bytes", "end of the file", "SHA-256 " + range.Sha256);
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
                report.Add("manifest", name, range.Offset, $"{range.Length} bytes",
                    found is null ? "bytes that cannot be read" : "SHA-256 " + found, "SHA-256 " + range.Sha256);
        }

        if (!readable || source.Length != expected.Size)
            return;
        string whole = Convert.ToHexStringLower(all.Finish());
        if (!string.Equals(whole, expected.Sha256, StringComparison.OrdinalIgnoreCase))
            report.Add("manifest", name, 0, "whole file", "SHA-256 " + whole, "SHA-256 " + expected.Sha256);
    }

    private static void Check(string name, ManifestFile file)
    {
        if (file.File is null || file.Sha256 is null || file.Ranges is null || file.Ranges.Any(static r => r?.Sha256 is null))
            throw new DumpFormatException(name, 0, "manifest", "a file without name, hash or ranges", "the JSON that makedumpfile --manifest writes");
        long at = 0;
        foreach (ManifestRange range in file.Ranges)
        {
            if (range.Offset != at || range.Length <= 0 || range.Length > file.Size - at)
                throw new DumpFormatException(name, 0, "manifest ranges", $"{range.Length} bytes at {range.Offset}",
                    $"ranges that follow each other from {at} on and end at {file.Size}");
            at += range.Length;
        }

        if (at != file.Size)
            throw new DumpFormatException(name, 0, "manifest ranges", $"ranges up to {at}", $"ranges up to the size, {file.Size}");
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
