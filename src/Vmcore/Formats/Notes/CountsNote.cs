using System.Buffers.Binary;
using Vmcore.Formats.Elf;

namespace Vmcore.Formats.Notes;

/// <summary>
/// The note that says what a dump left out. Other readers skip it. Layout of the descriptor, little-endian: u32 version = 1, u32 dump level, then u64 pages
/// left out for each class of the report (zero, cache, private cache, user, free, poisoned, offline, pmem metadata, pmem user data), u64 metadata pages
/// kept, u64 pages that could not be read.
/// </summary>
/// <param name="Level">The dump level, bit 32 included.</param>
/// <param name="LeftOut">Pages left out, by class in the order above.</param>
/// <param name="MetadataKept">pmem metadata pages in the dump.</param>
/// <param name="Unreadable">Pages that stay but could not be read.</param>
public sealed record CountsNote(uint Level, IReadOnlyList<ulong> LeftOut, ulong MetadataKept, ulong Unreadable)
{
    /// <summary>The note's type: ASCII <c>STAT</c>.</summary>
    internal const uint Type = 0x54415453;

    /// <summary>Number of classes.</summary>
    internal const int Classes = 9;

    private const int Length = 8 + (8 * (Classes + 2));

    /// <summary>Builds a note that says nothing yet: room for <see cref="Update"/>.</summary>
    internal static byte[] Build() => ElfNotes.Build(PmemNote.Name, Type, new byte[Length]);

    /// <summary>Puts the numbers into a note that <see cref="Build"/> made.</summary>
    /// <param name="area">The note area.</param>
    internal void Update(Span<byte> area)
    {
        foreach (ElfNote note in ElfNotes.Parse(area, out _))
        {
            if (note.Name != PmemNote.Name || note.Type != Type || note.DescriptorLength != Length)
                continue;
            Span<byte> descriptor = area.Slice(note.DescriptorOffset, note.DescriptorLength);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor[4..], Level);
            for (int i = 0; i < Classes; i++)
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(8 + (8 * i))..], LeftOut[i]);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(Length - 16)..], MetadataKept);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(Length - 8)..], Unreadable);
        }
    }

    /// <summary>Looks for the note in a dump.</summary>
    /// <param name="area">The note area.</param>
    /// <param name="notes">The notes in it.</param>
    /// <returns>Null if there is no note that can be understood.</returns>
    public static CountsNote? TryRead(ReadOnlySpan<byte> area, IReadOnlyList<ElfNote> notes)
    {
        ArgumentNullException.ThrowIfNull(notes);
        foreach (ElfNote note in notes)
        {
            if (note.Name != PmemNote.Name || note.Type != Type || note.DescriptorLength < Length)
                continue;
            ReadOnlySpan<byte> descriptor = note.Descriptor(area);
            if (BinaryPrimitives.ReadUInt32LittleEndian(descriptor) != 1)
                continue;
            ulong[] leftOut = new ulong[Classes];
            for (int i = 0; i < Classes; i++)
                leftOut[i] = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[(8 + (8 * i))..]);
            return new(BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]), leftOut,
                BinaryPrimitives.ReadUInt64LittleEndian(descriptor[(Length - 16)..]), BinaryPrimitives.ReadUInt64LittleEndian(descriptor[(Length - 8)..]));
        }

        return null;
    }
}
