using System.Buffers.Binary;
using System.Text;
using Vmcore.Erasing;
using Vmcore.Formats.Elf;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Pmem;

namespace Vmcore.Dumping;

/// <summary>
/// The notes of a dump: those of the input, with vmcoreinfo put in if it came from elsewhere, then those of Vmcore: the pmem ranges and
/// what was left out. Descriptor of the latter, little-endian: u32 version = 1, u32 dump level, then u64 for each <see cref="PageClass"/>
/// from <see cref="PageClass.Zero"/> on, then u64 metadata pages kept, u64 pages that could not be read.
/// </summary>
internal static class DumpNotes
{
    /// <summary>Type of the note with the counts: ASCII <c>STAT</c>.</summary>
    public const uint CountsType = 0x54415453;

    private const int CountsLength = 8 + (8 * ((int)PageClass.PmemUserData + 2));

    internal static byte[] Build(DumpPlan plan)
    {
        OpenedDump dump = plan.Dump;
        using var area = new MemoryStream();
        bool hasInfo = false;
        foreach (ElfNote note in dump.Notes)
        {
            if ((note.Name == PmemNote.Name && note.Type is PmemNote.Type or CountsType) || note.Name == ErasedData.NoteName)
                continue;
            ReadOnlySpan<byte> descriptor = note.Descriptor(dump.NoteArea.Span);
            // Readers go by the first one. Only that is replaced: a hundred thousand copies of the text would fill the memory.
            bool isInfo = !hasInfo && note is { Name: "VMCOREINFO", Type: 0 };
            if (isInfo && dump.VmcoreInfo is not null)
                descriptor = dump.VmcoreInfo.Text.Span;
            hasInfo |= isInfo;
            area.Write(ElfNotes.Build(note.Name, note.Type, descriptor));
        }

        if (!hasInfo && dump.VmcoreInfo is not null)
            area.Write(ElfNotes.Build("VMCOREINFO", 0, dump.VmcoreInfo.Text.Span));
        if (!plan.Pmem.Pages.IsEmpty)
            area.Write(PmemNote.Build(plan.Pmem));
        if (plan.Options.Output == DumpOutput.Elf && dump.EraseInfo is { Length: > 0 } erased)
            area.Write(ElfNotes.Build(ErasedData.NoteName, 0, Encoding.Latin1.GetBytes(erased)));
        area.Write(ElfNotes.Build(PmemNote.Name, CountsType, new byte[CountsLength]));
        byte[] bytes = area.ToArray();
        if (dump.Erased is { } data)
            ErasedCopies.Remove(bytes, dump.Unfiltered, data);
        return bytes;
    }

    internal static (int Offset, int Length) FindVmcoreInfo(ReadOnlySpan<byte> notes)
    {
        foreach (ElfNote note in ElfNotes.Parse(notes, out _))
        {
            if (note.Name == "VMCOREINFO")
                return (note.DescriptorOffset, note.DescriptorLength);
        }

        return default;
    }

    internal static void UpdateCounts(Span<byte> notes, DumpPlan plan, DumpReport report)
    {
        foreach (ElfNote note in ElfNotes.Parse(notes, out _))
        {
            if (note.Name != PmemNote.Name || note.Type != CountsType || note.DescriptorLength != CountsLength)
                continue;
            Span<byte> descriptor = notes.Slice(note.DescriptorOffset, note.DescriptorLength);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(descriptor[4..], (uint)plan.Options.Level);
            int at = 8;
            for (PageClass page = PageClass.Zero; page <= PageClass.PmemUserData; page++, at += 8)
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor[at..], report.Excluded[page]);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[at..], report.MetadataKept);
            BinaryPrimitives.WriteUInt64LittleEndian(descriptor[(at + 8)..], report.Unreadable);
        }
    }

    /// <summary>Looks for the counts in a dump.</summary>
    /// <param name="area">The note area.</param>
    /// <param name="notes">The notes in it.</param>
    /// <param name="level">Receives the dump level, bit 32 included.</param>
    /// <param name="metadataKept">Receives the number of pmem metadata pages in the dump.</param>
    /// <returns>The pages left out, by class; null if the dump does not say.</returns>
    public static PageCounts? TryReadCounts(ReadOnlySpan<byte> area, IReadOnlyList<ElfNote> notes, out DumpLevel level, out ulong metadataKept)
    {
        level = DumpLevel.None;
        metadataKept = 0;
        foreach (ElfNote note in notes)
        {
            if (note.Name != PmemNote.Name || note.Type != CountsType || note.DescriptorLength < CountsLength)
                continue;
            ReadOnlySpan<byte> descriptor = note.Descriptor(area);
            if (BinaryPrimitives.ReadUInt32LittleEndian(descriptor) != 1)
                continue;
            level = (DumpLevel)BinaryPrimitives.ReadUInt32LittleEndian(descriptor[4..]) & DumpLevel.All;
            var counts = new PageCounts();
            int at = 8;
            for (PageClass page = PageClass.Zero; page <= PageClass.PmemUserData; page++, at += 8)
                counts[page] = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[at..]);
            metadataKept = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[at..]);
            return counts;
        }

        return null;
    }
}
