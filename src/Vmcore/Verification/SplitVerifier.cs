using System.Globalization;
using Vmcore.Formats.Kdump;
using Vmcore.IO;

namespace Vmcore.Verification;

/// <summary>
/// Checks that the files of a split dump are one dump: every page in one of them, the same headers, notes and bitmaps in all. That they do not overlap and
/// are of one dump at all is checked when they are opened.
/// </summary>
internal static class SplitVerifier
{
    private const int Block = 64 << 10;
    private const int StatusOffset = 424;

    internal static void Check(KdumpFile file, VerifyReport report)
    {
        foreach (KdumpPart part in file.Parts)
        {
            if ((part.Header.Status & KdumpStatus.Incomplete) != 0)
                report.Add("file", part.Source.Name, StatusOffset, "completeness", "marked incomplete", "a complete dump");
        }

        KdumpPart first = file.Parts[0];
        if (!first.SubHeader.IsSplit)
            return;
        CheckRanges(file, report);
        ReadOnlyMemory<byte>? notes = Notes(first, file.Limits, report);
        foreach (KdumpPart part in file.Parts.Skip(1))
        {
            CheckHeader(part, first, report);
            if (Notes(part, file.Limits, report) is { } own && notes is { } theirs && !own.Span.SequenceEqual(theirs.Span))
                report.Add("split", part.Source.Name, part.SubHeader.NotesOffset, "ELF notes", "notes of another dump", $"the same as in {first.Source.Name}");
        }

        foreach (KdumpPart part in file.Parts)
        {
            if (part != file.WholePart)
                CompareBitmaps(part, file.WholePart, report);
        }
    }

    private static void CheckRanges(KdumpFile file, VerifyReport report)
    {
        ulong next = 0;
        string before = file.Parts[0].Source.Name;
        foreach (KdumpPart part in file.Parts)
        {
            if (part.Pfns.Start > next)
                Missing(before, next, part.Pfns.Start);
            next = Math.Max(next, part.Pfns.End);
            before = part.Source.Name;
        }

        if (next < file.MaxPfn)
            Missing(before, next, file.MaxPfn);

        void Missing(string name, ulong start, ulong end) =>
            report.Add("split", name, file.BlockSize + 80, $"pages 0x{start:x}-0x{end:x}",
                "in none of the files given", "each page in a file: all parts of the dump");
    }

    private static void CheckHeader(KdumpPart part, KdumpPart first, VerifyReport report)
    {
        KdumpSubHeader own = part.SubHeader, theirs = first.SubHeader;
        if (own.PhysBase != theirs.PhysBase)
            report.Add("split", part.Source.Name, part.Header.BlockSize, "phys_base",
                $"0x{own.PhysBase:x}", $"0x{theirs.PhysBase:x}, as in {first.Source.Name}");
        if (own.DumpLevel != theirs.DumpLevel)
            report.Add("split", part.Source.Name, part.Header.BlockSize + 8, "dump_level",
                own.DumpLevel.ToString(CultureInfo.InvariantCulture), $"{theirs.DumpLevel}, as in {first.Source.Name}");
    }

    private static ReadOnlyMemory<byte>? Notes(KdumpPart part, ReadLimits limits, VerifyReport report)
    {
        try
        {
            return KdumpText.ReadNotes(part, limits, out _).Area;
        }
        catch (VmcoreException e)
        {
            report.Add("header", part.Source.Name, (e as DumpFormatException)?.Offset, "ELF notes", e.Message, "the notes of the dump");
            return null;
        }
    }

    private static void CompareBitmaps(KdumpPart part, KdumpPart whole, VerifyReport report)
    {
        byte[] own = new byte[Block], theirs = new byte[Block];
        for (long at = 0; at < part.DescriptorsOffset - part.Bitmap1Offset; at += Block)
        {
            int length = (int)Math.Min(Block, part.DescriptorsOffset - part.Bitmap1Offset - at);

            // That a file ends within its bitmaps is said where it is checked alone.
            length = Math.Min(part.Source.Read(part.Bitmap1Offset + at, own.AsSpan(0, length)),
                whole.Source.Read(whole.Bitmap1Offset + at, theirs.AsSpan(0, length)));
            if (length <= 0)
                return;
            int same = own.AsSpan(0, length).CommonPrefixLength(theirs.AsSpan(0, length));
            if (same == length)
                continue;
            report.Add("split", part.Source.Name, part.Bitmap1Offset + at + same, "bitmaps", $"byte 0x{own[same]:x2}",
                $"0x{theirs[same]:x2}, as in {whole.Source.Name}: the same bitmaps in all parts");
            return;
        }
    }
}
