using Vmcore.Formats.Elf;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Cuts pages that could not be read out of the segments of an ELF dump, so that they are holes: known, and not there. For that there are a few headers to
/// spare; if they do not suffice, what lies between two such pages that are near each other goes with them.
/// </summary>
internal static class ElfLostPages
{
    /// <summary>Headers for which every dump keeps room: 3.5 KiB.</summary>
    internal const int SpareHeaders = 64;

    /// <summary>Cuts segments.</summary>
    /// <param name="segments">The segments, with their offsets.</param>
    /// <param name="lost">The pages.</param>
    /// <param name="most">Most segments that there may be then.</param>
    /// <param name="pageShift">log2 of the page size.</param>
    internal static List<ElfSegment> Cut(List<ElfSegment> segments, IReadOnlyList<PfnRange> lost, int most, int pageShift)
    {
        PfnRangeSet sorted = PfnRangeSet.From(lost);
        for (ulong gap = 0; ; gap = Math.Max(1, gap * 2))
        {
            List<PhysicalRange> holes = [];
            foreach (PfnRange range in sorted)
            {
                PhysicalRange bytes = range.ToPhysical(pageShift);
                if (holes.Count > 0 && bytes.Start - holes[^1].End <= gap << pageShift)
                    holes[^1] = new(holes[^1].Start, bytes.End);
                else
                    holes.Add(bytes);
            }

            List<ElfSegment> cut = [];
            foreach (ElfSegment segment in segments)
                Cut(segment, holes, cut);
            if (cut.Count <= most || holes.Count <= 1)
                return cut;
        }
    }

    private static void Cut(ElfSegment segment, List<PhysicalRange> holes, List<ElfSegment> cut)
    {
        ElfSegment rest = segment;
        foreach (PhysicalRange hole in holes)
        {
            ulong dataEnd = rest.PhysicalAddress + rest.FileSize;
            if (hole.End <= rest.PhysicalAddress)
                continue;
            if (hole.Start >= dataEnd)
                break;
            ulong from = Math.Max(hole.Start, rest.PhysicalAddress) - rest.PhysicalAddress;
            if (hole.End >= dataEnd)
            {
                rest = rest with { FileSize = from };
                break;
            }

            ulong to = hole.End - rest.PhysicalAddress;
            cut.Add(rest with { FileSize = from, MemorySize = to });
            rest = rest with
            {
                Offset = rest.Offset + to,
                PhysicalAddress = hole.End,
                VirtualAddress = rest.VirtualAddress is 0 or ulong.MaxValue ? rest.VirtualAddress : rest.VirtualAddress + to,
                FileSize = rest.FileSize - to,
                MemorySize = rest.MemorySize - to,
            };
        }

        cut.Add(rest);
    }
}
