using System.Buffers.Binary;

namespace Vmcore.Formats.Elf;

/// <summary>
/// What an ELF core file begins with: header, program headers (the first is that of the notes), the section header that counts them if they are too many
/// for e_phnum (elf(5), PN_XNUM), and the notes.
/// </summary>
internal static class ElfHeaderWriter
{
    /// <summary>Byte offset of e_flags.</summary>
    internal const int FlagsOffset = 48;

    /// <summary>Byte offset of the notes.</summary>
    /// <param name="segments">Number of PT_LOADs.</param>
    internal static long NotesOffset(int segments) => ElfConstants.HeaderSize + ((segments + 1L) * ElfConstants.ProgramHeaderSize)
        + (IsExtended(segments + 1) ? ElfConstants.SectionHeaderSize : 0);

    /// <summary>Encodes all of it, little-endian.</summary>
    /// <param name="machine">e_machine.</param>
    /// <param name="segments">The PT_LOADs.</param>
    /// <param name="notes">The notes.</param>
    /// <param name="incomplete">True to mark the file incomplete, in e_flags.</param>
    internal static byte[] Build(ElfMachine machine, List<ElfSegment> segments, ReadOnlySpan<byte> notes, bool incomplete)
    {
        int count = segments.Count + 1;
        bool extended = IsExtended(count);
        long notesOffset = NotesOffset(segments.Count);
        byte[] head = new byte[notesOffset + notes.Length];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(head);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(16), ElfConstants.TypeCore);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(18), (ushort)machine);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(32), ElfConstants.HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(FlagsOffset), incomplete ? ElfConstants.FlagIncomplete : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(52), ElfConstants.HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(54), ElfConstants.ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(56), extended ? ElfConstants.ExtendedNumbering : (ushort)count);
        if (extended)
        {
            long section = ElfConstants.HeaderSize + ((long)count * ElfConstants.ProgramHeaderSize);
            BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(40), (ulong)section);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(58), ElfConstants.SectionHeaderSize);
            BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(60), 1);
            BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan((int)section + 32), 1);
            BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan((int)section + 44), (uint)count);
        }

        ulong size = (ulong)notes.Length;
        WriteSegment(head, 0, new(ElfConstants.NoteSegment, 0, (ulong)notesOffset, 0, 0, size, size, 0));
        for (int i = 0; i < segments.Count; i++)
            WriteSegment(head, i + 1, segments[i]);
        notes.CopyTo(head.AsSpan((int)notesOffset));
        return head;
    }

    private static bool IsExtended(int headers) => headers >= ElfConstants.ExtendedNumbering;

    private static void WriteSegment(byte[] head, int index, ElfSegment segment)
    {
        Span<byte> entry = head.AsSpan(ElfConstants.HeaderSize + (index * ElfConstants.ProgramHeaderSize));
        BinaryPrimitives.WriteUInt32LittleEndian(entry, segment.Type);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], segment.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], segment.Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], segment.VirtualAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], segment.PhysicalAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], segment.FileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], segment.MemorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[48..], segment.Align);
    }
}
