using System.Text.Json;
using Vmcore.IO;

namespace Vmcore.Cli.Reader.Triage;

/// <summary>What a file is, as its first bytes say.</summary>
internal enum TriageFileKind
{
    /// <summary>None of the others.</summary>
    Other,

    /// <summary>A dump, or what begins like one.</summary>
    Dump,

    /// <summary>What an earlier run wrote.</summary>
    Lines,
}

/// <summary>The files that the words of a command line mean.</summary>
internal static class TriageInput
{
    private const int FolderDepth = 16;
    private const long MostLineBytes = 1L << 28;

    /// <summary>All files of a folder and of those in it, in the order of their names; links to folders are not followed.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="fail">Is told of each folder that cannot be listed, and why.</param>
    internal static List<string> FilesOf(string folder, Action<string, string> fail)
    {
        List<string> files = [];
        AddFiles(folder, FolderDepth, files, fail);
        return files;
    }

    /// <summary>What a file is. What cannot be opened, or only once, is said to be a dump: whoever opens it says why it is none.</summary>
    internal static TriageFileKind KindOf(string file)
    {
        const int Elf = 18, Type = 16, Core = 4;
        Span<byte> head = stackalloc byte[Elf];
        if (FileIdentity.Of(file) is { IsRegular: false, IsBlockDevice: false })
            return TriageFileKind.Dump;
        try
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1);
            int read = stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            head = head[..read];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return TriageFileKind.Dump;
        }

        if (head.StartsWith("KDUMP   "u8) || head.StartsWith("DISKDUMP"u8) || head.StartsWith("makedumpfile\0"u8))
            return TriageFileKind.Dump;
        if (head.StartsWith("\u007fELF"u8))
            return head.Length == Elf && head[Type] == Core ? TriageFileKind.Dump : TriageFileKind.Other;
        ReadOnlySpan<byte> text = head.TrimStart(" \t\r\n"u8);
        return text.Length > 0 && text[0] == '{' ? TriageFileKind.Lines : TriageFileKind.Other;
    }

    /// <summary>Reads what earlier runs wrote: objects that follow each other, one a line or not. Groups among them are passed over.</summary>
    /// <param name="file">The file.</param>
    /// <param name="fail">Is told of lines that cannot be read, and why; the others count.</param>
    /// <exception cref="FileAccessException">It is larger than any.</exception>
    internal static List<TriageEntry> ReadLines(string file, Action<string, string> fail)
    {
        if (new FileInfo(file).Length > MostLineBytes)
            throw new FileAccessException(file, $"has more than {MostLineBytes} bytes: too many for lines of triage");
        byte[] bytes = File.ReadAllBytes(file);
        List<TriageEntry> entries = [];
        if (TryRead(bytes, file, entries) is null)
            return entries;

        // Not all of it is whole: lines that are count, one by one.
        entries.Clear();
        const int Named = 3;
        int number = 0, bad = 0;
        for (int at = 0; at < bytes.Length;)
        {
            number++;
            int end = Array.IndexOf(bytes, (byte)'\n', at);
            end = end < 0 ? bytes.Length : end;
            if (bytes.AsSpan(at, end - at).ContainsAnyExcept(" \t\r"u8) && TryRead(bytes.AsSpan(at, end - at), file, entries) is { } why)
            {
                if (bad++ < Named)
                    fail(file, $"line {number} is no line of triage: {why}");
            }

            at = end + 1;
        }

        if (bad > Named)
            fail(file, $"{bad - Named} lines more are none");

        return entries;
    }

    private static string? TryRead(ReadOnlySpan<byte> bytes, string file, List<TriageEntry> entries)
    {
        try
        {
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { AllowMultipleValues = true });
            while (reader.Read())
            {
                TriageEntry entry = TriageEntry.Read(ref reader);
                if (entry.Signature.Length > 0 || entry.Error is not null)
                    entries.Add(entry.File.Length > 0 ? entry : entry with { File = file });
            }

            return null;
        }
        catch (JsonException)
        {
            return "it is no JSON";
        }
        catch (InvalidOperationException)
        {
            return "a text in it is no UTF-16";
        }
    }

    private static void AddFiles(string folder, int depth, List<string> files, Action<string, string> fail)
    {
        try
        {
            string[] names = Directory.GetFiles(folder), folders = Directory.GetDirectories(folder);
            Array.Sort(names, StringComparer.Ordinal);
            Array.Sort(folders, StringComparer.Ordinal);
            files.AddRange(names);
            foreach (string below in folders)
            {
                if ((File.GetAttributes(below) & FileAttributes.ReparsePoint) != 0)
                    continue;
                if (depth > 0)
                    AddFiles(below, depth - 1, files, fail);
                else
                    fail(below, "lies too deep: name it");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fail(folder, e.Message);
        }
    }
}
