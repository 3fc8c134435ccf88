using Vmcore.Cli.Makedumpfile;

namespace Vmcore.Cli;

/// <summary>Raw images of RAM on a command line: <c>FILE@ADDRESS</c>.</summary>
internal static class RawImages
{
    /// <summary>Takes the words apart.</summary>
    /// <param name="words">The words.</param>
    /// <param name="addresses">Receives the physical address of the first byte of each file.</param>
    /// <returns>The files.</returns>
    /// <exception cref="FileAccessException">A word has no address.</exception>
    internal static string[] Split(IReadOnlyList<string> words, out ulong[] addresses)
    {
        string[] files = new string[words.Count];
        addresses = new ulong[words.Count];
        for (int i = 0; i < files.Length; i++)
        {
            int at = words[i].LastIndexOf('@');
            string address = words[i][(at + 1)..];

            // Digits alone could be meant either way.
            if (at <= 0 || (address != "0" && !address.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) || !OptionValues.Hex(address, out addresses[i]))
                throw new FileAccessException(words[i], "expected FILE@ADDRESS: a raw image and the physical address of its first byte, hexadecimal with 0x");
            files[i] = words[i][..at];
        }

        return files;
    }
}
