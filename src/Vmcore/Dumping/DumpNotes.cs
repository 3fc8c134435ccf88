using System.Text;
using Vmcore.Erasing;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Notes;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// The notes of a dump: those of the input, with vmcoreinfo put in if it came from elsewhere, then those of Vmcore: the pmem ranges and what was left out.
/// </summary>
internal static class DumpNotes
{
    /// <summary>Builds the notes; the counts are not in them yet.</summary>
    /// <param name="request">What is dumped.</param>
    internal static byte[] Build(DumpRequest request)
    {
        OpenedDump dump = request.Dump;
        using var area = new MemoryStream();
        bool hasInfo = false;
        foreach (ElfNote note in dump.Notes)
        {
            if ((note.Name == PmemNote.Name && note.Type is PmemNote.Type or CountsNote.Type or LostNote.Type) || note.Name == ErasedData.NoteName)
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
        if (!request.Pmem.Pages.IsEmpty)
            area.Write(PmemNote.Build(request.Pmem.Pages, request.Pmem.Metadata));
        if (request.Options.Output == DumpOutput.Elf && dump.EraseInfo is { Length: > 0 } erased)
            area.Write(ElfNotes.Build(ErasedData.NoteName, 0, Encoding.Latin1.GetBytes(erased)));
        area.Write(CountsNote.Build());
        area.Write(LostNote.Build());
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

    /// <summary>Finds what is known only when the dump is written: the descriptors that <see cref="UpdateCounts"/> fills.</summary>
    /// <returns>Byte offsets and lengths in the notes, ascending.</returns>
    internal static List<(int Offset, int Length)> FindCounts(ReadOnlySpan<byte> notes)
    {
        List<(int Offset, int Length)> found = [];
        foreach (ElfNote note in ElfNotes.Parse(notes, out _))
        {
            if (note.Name == PmemNote.Name && note.Type is CountsNote.Type or LostNote.Type)
                found.Add((note.DescriptorOffset, note.DescriptorLength));
        }

        return found;
    }

    /// <summary>
    /// Puts the counts in. Of a dump that is filtered again they are those of all filters together: each page is left out once. Where an earlier filter noted
    /// nothing, the note of what was left out stays empty: nobody knows what those pages were.
    /// </summary>
    /// <param name="notes">The notes.</param>
    /// <param name="request">What is dumped.</param>
    /// <param name="counts">The counts.</param>
    internal static void UpdateCounts(Span<byte> notes, DumpRequest request, DumpCounts counts)
    {
        OpenedDump dump = request.Dump;
        CountsNote? earlier = CountsNote.TryRead(dump.NoteArea.Span, dump.Notes);
        ulong[] leftOut = new ulong[CountsNote.Classes];
        for (int i = 0; i < leftOut.Length; i++)
            leftOut[i] = counts.Excluded[PageClass.Zero + i] + (earlier?.LeftOut[i] ?? 0);
        IReadOnlyList<PfnRange> lost = LostNote.Read(dump.NoteArea.Span, dump.Notes, out ulong lostPages);
        PfnRangeSet all = PfnRangeSet.From([.. lost, .. counts.Lost.Ranges]);

        // What was lost before may have been met again.
        lostPages = Math.Max(all.PageCount, Math.Max(counts.Lost.Count, Math.Max(lostPages, earlier?.Unreadable ?? 0)));
        if (earlier is not null || dump.Kdump is null || counts.MissingInInput == 0)
            new CountsNote((uint)request.Options.Level | (earlier?.Level ?? 0), leftOut, counts.MetadataKept, lostPages).Update(notes);
        LostNote.Update(notes, [.. all], lostPages);
    }
}
