using System.Buffers.Binary;
using Vmcore.Formats.Elf;
using Vmcore.Ranges;

namespace Vmcore.Formats.Notes;

/// <summary>
/// The note that carries the pmem ranges in a dump, so that a later reader or filter still knows them: a filtered dump has no
/// PT_LOADs. Other readers skip it. Layout of the descriptor, little-endian: u32 version = 1, u32 count, then for each range
/// u64 first pfn, u64 end pfn (exclusive), u32 kind (1 = pmem, 2 = metadata), u32 zero.
/// </summary>
internal static class PmemNote
{
    /// <summary>The note's name, which all notes of Vmcore share.</summary>
    public const string Name = "VMCORE";

    /// <summary>The note's type: ASCII <c>PMEM</c>.</summary>
    public const uint Type = 0x4d454d50;

    private const int HeaderSize = 8;
    private const int EntrySize = 24;
    private const uint KindPmem = 1;
    private const uint KindMetadata = 2;

    /// <summary>Builds the note.</summary>
    /// <param name="pages">The pages of pmem.</param>
    /// <param name="metadata">The metadata pages among them.</param>
    public static byte[] Build(PfnRangeSet pages, PfnRangeSet metadata)
    {
        int count = pages.Count + metadata.Count;
        byte[] descriptor = new byte[HeaderSize + (count * EntrySize)];
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(4), (uint)count);
        int at = HeaderSize;
        foreach ((PfnRangeSet set, uint kind) in new[] { (pages, KindPmem), (metadata, KindMetadata) })
        {
            foreach (PfnRange range in set)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(at), range.Start);
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor.AsSpan(at + 8), range.End);
                BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(at + 16), kind);
                at += EntrySize;
            }
        }

        return ElfNotes.Build(Name, Type, descriptor);
    }

    /// <summary>Looks for the note in a dump.</summary>
    /// <param name="area">The note area.</param>
    /// <param name="notes">The notes in it.</param>
    /// <param name="pages">Receives the pages of pmem.</param>
    /// <param name="metadata">Receives the metadata pages.</param>
    /// <returns>False if there is no note that can be understood.</returns>
    public static bool TryRead(ReadOnlySpan<byte> area, IReadOnlyList<ElfNote> notes, out PfnRangeSet pages, out PfnRangeSet metadata)
    {
        pages = metadata = PfnRangeSet.Empty;
        foreach (ElfNote note in notes)
        {
            if (note.Name != Name || note.Type != Type || note.DescriptorLength < HeaderSize)
                continue;
            ReadOnlySpan<byte> descriptor = note.Descriptor(area);
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(descriptor) != 1 || count > (uint)((descriptor.Length - HeaderSize) / EntrySize))
                continue;
            List<PfnRange> pmem = [], meta = [];
            for (int i = 0; i < (int)count; i++)
            {
                ReadOnlySpan<byte> entry = descriptor.Slice(HeaderSize + (i * EntrySize), EntrySize);
                var range = new PfnRange(BinaryPrimitives.ReadUInt64LittleEndian(entry), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]));
                uint kind = BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]);
                if (range.End <= 1UL << 44 && kind is KindPmem or KindMetadata)
                    (kind == KindPmem ? pmem : meta).Add(range);
            }

            pages = PfnRangeSet.From(pmem);
            metadata = PfnRangeSet.From(meta);
            return true;
        }

        return false;
    }
}
