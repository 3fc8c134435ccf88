using System.Text;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Formats.Kdump;

/// <summary>Reads what a kdump-compressed file holds besides pages: notes, vmcoreinfo, the list of erased data.</summary>
internal static class KdumpText
{
    /// <summary>Walks the notes.</summary>
    /// <param name="part">The file that has them.</param>
    /// <param name="limits">The bounds on what they may ask for.</param>
    /// <param name="problem">Receives what was wrong with the note at which the walk ended; null for nothing.</param>
    /// <exception cref="DumpFormatException">They lie outside of the file.</exception>
    public static NoteWalk ReadNotes(KdumpPart part, ReadLimits limits, out string? problem)
    {
        long offset = part.SubHeader.NotesOffset, size = part.SubHeader.NotesSize;
        var walk = new NoteWalk(part.Source, limits);
        problem = null;
        if (size == 0)
            return walk;
        if (size < 0 || offset < 0 || offset > part.Source.Length || size > part.Source.Length - offset)
        {
            throw new DumpFormatException(part.Source.Name, part.Header.BlockSize + 56, "kdump notes", $"0x{size:x} bytes at 0x{offset:x}",
                $"all of them within the file's 0x{part.Source.Length:x} bytes");
        }

        problem = walk.Add(offset, size);
        return walk;
    }

    public static ReadOnlyMemory<byte> ReadVmcoreInfo(KdumpPart part, NoteWalk notes, ReadLimits limits)
    {
        long size = part.SubHeader.VmcoreInfoSize;
        if (size == 0)
            return default;

        // In our own dumps and those of makedumpfile it is a note's descriptor, which is held already.
        foreach (ElfNote note in notes.Notes)
        {
            if (note.Name == "VMCOREINFO" && note.DescriptorLength == size)
                return notes.Area.Slice(note.DescriptorOffset, note.DescriptorLength);
        }

        return Read(part, part.SubHeader.VmcoreInfoOffset, size, limits.KdumpTextBytes, 40, "kdump size_vmcoreinfo");
    }

    /// <summary>Reads the list of erased data; empty if it is lost or absurdly long.</summary>
    public static string ReadEraseInfo(KdumpPart part, ReadLimits limits)
    {
        long offset = part.SubHeader.EraseInfoOffset;
        long size = part.SubHeader.EraseInfoSize;
        if (size <= 0 || size > limits.KdumpTextBytes || offset > part.Source.Length - size)
            return "";
        byte[] bytes = new byte[size];
        return part.Source.Read(offset, bytes) == bytes.Length ? Encoding.Latin1.GetString(bytes) : "";
    }

    private static byte[] Read(KdumpPart part, long offset, long size, int limit, int field, string what)
    {
        if (size == 0)
            return [];
        if (size > limit)
            throw new DumpFormatException(part.Source.Name, part.Header.BlockSize + field, what, $"0x{size:x} bytes", $"at most 0x{limit:x}");
        byte[] bytes = new byte[size];
        part.Source.ReadExactly(offset, bytes, "kdump vmcoreinfo");
        return bytes;
    }
}
