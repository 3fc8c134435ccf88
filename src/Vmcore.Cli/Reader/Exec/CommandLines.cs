using System.Text;
using Vmcore.IO;

namespace Vmcore.Cli.Reader.Exec;

/// <summary>Lines of text as they come, of a pipe too: a line is given as soon as it is whole, so that who writes may wait for the answer.</summary>
internal static class CommandLines
{
    /// <summary>Standard input, as an operand names it.</summary>
    internal const string StandardInput = "-";

    /// <summary>The lines of a file.</summary>
    /// <param name="file">The file; <c>-</c> for standard input.</param>
    /// <param name="most">Bytes of a line; of a longer one null is given.</param>
    /// <exception cref="FileAccessException">It cannot be read.</exception>
    internal static IEnumerable<string?> Of(string file, int most)
    {
        const int Piece = 8000;
        using Stream stream = Open(file);
        byte[] piece = new byte[Piece];
        var line = new List<byte>();
        bool isTooLong = false;
        for (int length; (length = Read(stream, file, piece)) > 0;)
        {
            for (int i = 0; i < length; i++)
            {
                if (piece[i] == '\n')
                {
                    yield return isTooLong ? null : Text(line);
                    line.Clear();
                    isTooLong = false;
                }
                else if (line.Count < most)
                {
                    line.Add(piece[i]);
                }
                else
                {
                    isTooLong = true;
                }
            }
        }

        if (line.Count > 0)
            yield return isTooLong ? null : Text(line);
    }

    private static string Text(List<byte> line) => Encoding.UTF8.GetString([.. line]);

    private static Stream Open(string file)
    {
        if (file == StandardInput)
            return StandardStream.OpenInput();
        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw FileErrors.Describe(file, "read", e);
        }
    }

    private static int Read(Stream stream, string file, byte[] piece)
    {
        try
        {
            return stream.Read(piece);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FileAccessException(file, "cannot be read: " + e.Message, inner: e);
        }
    }
}
