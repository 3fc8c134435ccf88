using Vmcore.IO;
using Vmcore.Kernel.Identity;

namespace Vmcore.Cli;

/// <summary>The file that <c>-i</c> names.</summary>
internal static class VmcoreInfoFile
{
    /// <summary>Reads it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">The bounds; null for the default ones.</param>
    /// <exception cref="VmcoreException">It cannot be read, or is no vmcoreinfo.</exception>
    internal static byte[] Read(string path, ReadLimits? limits = null)
    {
        int most = (limits ?? ReadLimits.Default).VmcoreInfoBytes;
        using FileSource source = FileSource.Open(path);
        byte[] text = new byte[(int)Math.Min(source.Length, most)];
        source.ReadExactly(0, text, "vmcoreinfo text");
        if (source.Length > most || VmcoreInfo.Parse(text).OsRelease is null)
            throw new DumpFormatException(path, 0, "vmcoreinfo text", "no OSRELEASE line", "lines KEY=VALUE as the kernel writes them");
        return text;
    }
}
