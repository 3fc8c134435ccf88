using System.Buffers.Binary;
using Vmcore.Formats.Elf;
using Vmcore.Ranges;

namespace Vmcore.Formats.Notes;

/// <summary>
/// The note that lists the pages that could not be read when a dump was written, and that it therefore does not have. Other readers skip it. Layout of the
/// descriptor, little-endian: u32 version = 1, u32 number of ranges, u64 pages in all, then room for 62 ranges of u64 first pfn, u64 end pfn (exclusive).
/// If the ranges have fewer pages than there are in all, there are more that found no room.
/// </summary>
public static class LostNote
{
    /// <summary>The note's type: ASCII <c>LOST</c>.</summary>
    internal const uint Type = 0x54534f4c;

    /// <summary>Most ranges in a note.</summary>
    internal const int RangesOfNote = 62;

    private const int HeaderSize = 16;
    private const int EntrySize = 16;
    private const int Length = HeaderSize + (RangesOfNote * EntrySize);
    private const ulong PfnEnd = 1UL << 44;

    /// <summary>Builds a note that says nothing yet: room for <see cref="Update"/>.</summary>
    internal static byte[] Build() => ElfNotes.Build(PmemNote.Name, Type, new byte[Length]);

    /// <summary>Puts ranges into a note that <see cref="Build"/> made.</summary>
    /// <param name="area">The note area.</param>
    /// <param name="ranges">The ranges; those that find no room are left out.</param>
    /// <param name="pages">Pages in all.</param>
    internal static void Update(Span<byte> area, IReadOnlyList<PfnRange> ranges, ulong pages)
    {
        foreach (ElfNote note in ElfNotes.Parse(area, out _))
        {
            if (note.Name != PmemNote.Name || note.Type != Type || note.DescriptorLength != Length)
                continue;
            Span<byte> descriptor = area.Slice(note.DescriptorOffset, note.DescriptorLength);
            int count = Math.Min(ranges.Count, RangesOfNote);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor[4..], (uint)count);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[8..], pages);
            for (int i = 0; i < count; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(HeaderSize + (i * EntrySize))..], ranges[i].Start);
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(HeaderSize + (i * EntrySize) + 8)..], ranges[i].End);
            }
        }
    }

    /// <summary>Looks for the note in a dump.</summary>
    /// <param name="area">The note area.</param>
    /// <param name="notes">The notes in it.</param>
    /// <param name="pages">Receives the number of pages in all.</param>
    /// <returns>The ranges that are listed, half-open; empty if there is no note that can be understood.</returns>
    public static IReadOnlyList<PfnRange> Read(ReadOnlySpan<byte> area, IReadOnlyList<ElfNote> notes, out ulong pages)
    {
        ArgumentNullException.ThrowIfNull(notes);
        pages = 0;
        foreach (ElfNote note in notes)
        {
            if (note.Name != PmemNote.Name || note.Type != Type || note.DescriptorLength < HeaderSize)
                continue;
            ReadOnlySpan<byte> descriptor = note.Descriptor(area);
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(descriptor) != 1 || count > (uint)((descriptor.Length - HeaderSize) / EntrySize))
                continue;
            pages = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[8..]);
            List<PfnRange> ranges = [];
            for (int i = 0; i < (int)count; i++)
            {
                ReadOnlySpan<byte> entry = descriptor[(HeaderSize + (i * EntrySize))..];
                var range = new PfnRange(BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]));
                if (range.Start < range.End && range.End <= PfnEnd)
                    ranges.Add(range);
            }

            return ranges;
        }

        return [];
    }
}
