using System.Text;
using Vmcore.IO;

namespace Vmcore.Formats.Kdump;

/// <summary>Reads what a kdump-compressed file holds besides pages: notes, vmcoreinfo, the list of erased data.</summary>
internal static class KdumpText
{
    /// <summary>Most bytes of notes. A machine of 8192 CPUs has about 4 MiB.</summary>
    public const int MaxNotes = 64 * 1024 * 1024;

    /// <summary>Most bytes of vmcoreinfo, which the kernel keeps in one page, and of the list of erased data.</summary>
    public const int MaxText = 16 * 1024 * 1024;

    public static ReadOnlyMemory<byte> ReadNotes(KdumpPart part) =>
        Read(part, part.SubHeader.NotesOffset, part.SubHeader.NotesSize, MaxNotes, 56, "kdump size_note");

    public static ReadOnlyMemory<byte> ReadVmcoreInfo(KdumpPart part, ReadOnlyMemory<byte> notes)
    {
        long inNotes = part.SubHeader.VmcoreInfoOffset - part.SubHeader.NotesOffset;
        long size = part.SubHeader.VmcoreInfoSize;
        if (size > 0 && inNotes >= 0 && size <= notes.Length && inNotes <= notes.Length - size)
            return notes.Slice((int)inNotes, (int)size);
        return Read(part, part.SubHeader.VmcoreInfoOffset, size, MaxText, 40, "kdump size_vmcoreinfo");
    }

    /// <summary>Reads the list of erased data; empty if it is lost or absurdly long.</summary>
    public static string ReadEraseInfo(KdumpPart part)
    {
        long offset = part.SubHeader.EraseInfoOffset;
        long size = part.SubHeader.EraseInfoSize;
        if (size is <= 0 or > MaxText || offset > part.Source.Length - size)
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
        part.Source.ReadExactly(offset, bytes, "kdump notes");
        return bytes;
    }
}
