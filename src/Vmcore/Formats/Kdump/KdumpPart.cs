using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Formats.Kdump;

/// <summary>One file of a dump, the only one or one of a split dump: the pages that have their descriptors in it.</summary>
internal sealed class KdumpPart
{
    // Rank of the first page in the second bitmap; counted when it is first needed, so that opening a dump reads no bitmap.
    private long _rankOfStart = -1;

    private KdumpPart(IByteSource source, KdumpHeader header, KdumpSubHeader subHeader)
    {
        Source = source;
        Header = header;
        SubHeader = subHeader;
        Pfns = subHeader.IsSplit ? new(subHeader.StartPfn, subHeader.EndPfn) : new(0, subHeader.MaxMapNr);
        Bitmap1Offset = (1L + header.SubHeaderBlocks) * header.BlockSize;
        DescriptorsOffset = Bitmap1Offset + (header.BitmapBlocks * header.BlockSize);
    }

    public IByteSource Source { get; }

    public KdumpHeader Header { get; }

    public KdumpSubHeader SubHeader { get; }

    public PfnRange Pfns { get; }

    public long Bitmap1Offset { get; }

    public long DescriptorsOffset { get; }

    /// <summary>Reads the headers.</summary>
    /// <exception cref="DumpFormatException">They are not those of a dump that Vmcore reads.</exception>
    public static KdumpPart Open(IByteSource source, ReadLimits limits)
    {
        KdumpHeader header = KdumpHeader.Parse(source, limits);
        return new KdumpPart(source, header, KdumpSubHeader.Parse(source, header));
    }

    /// <summary>Gives the byte offset of a page's descriptor.</summary>
    /// <param name="pfn">A page of this part whose bit is set in <paramref name="dumped"/>.</param>
    /// <param name="dumped">The second bitmap.</param>
    public long DescriptorOffset(ulong pfn, BitmapReader dumped)
    {
        long start = Volatile.Read(ref _rankOfStart);
        if (start < 0)
        {
            start = Pfns.Start == 0 ? 0 : (long)dumped.CountBefore(Pfns.Start);
            Volatile.Write(ref _rankOfStart, start);
        }

        return DescriptorsOffset + (((long)dumped.CountBefore(pfn) - start) * PageDescriptor.Size);
    }
}
