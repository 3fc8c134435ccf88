using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>
/// What the compressed debug sections of one file may take in memory, over all of them. 0.4 MB of zlib can stand for 400 MB of nothing; debug information
/// shrinks to a third or a sixth.
/// </summary>
internal sealed class UnpackBudget(ReadLimits limits)
{
    private long _left = limits.UnpackedBytes;

    /// <summary>Charges a section before it is unpacked.</summary>
    /// <exception cref="DumpFormatException">It would be larger than the file may ask for.</exception>
    internal void Charge(IByteSource source, ElfSection section, long packed, ulong size)
    {
        long most = Math.Min(_left + (packed * limits.UnpackedRatio), DebugSection.ArrayBytes);
        if (size > (ulong)Math.Max(most, 0))
            throw new DumpFormatException(source.Name, section.Offset, $"{section.Name} ch_size", $"{size}",
                $"at most {most}: {packed} compressed bytes, and those of the sections before, are no debug information if they are more");
        _left += (packed * limits.UnpackedRatio) - (long)size;
    }
}
