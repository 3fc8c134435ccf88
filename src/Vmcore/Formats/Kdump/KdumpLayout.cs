using System.Numerics;

namespace Vmcore.Formats.Kdump;

/// <summary>Where everything lies in a kdump-compressed file that is to be written. All offsets and lengths are in bytes.</summary>
internal sealed record KdumpLayout
{
    /// <summary>Computes the layout.</summary>
    /// <param name="blockSize">Page size: a power of two, 4096 to 262144.</param>
    /// <param name="maxMapNr">One past the highest pfn.</param>
    /// <param name="noteSize">Bytes of the ELF notes that are kept after the sub header.</param>
    /// <param name="descriptorCount">Number of pages that get a descriptor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range, or the file could not hold it.</exception>
    public KdumpLayout(int blockSize, ulong maxMapNr, long noteSize, ulong descriptorCount)
    {
        if (!KdumpHeader.IsValidBlockSize(blockSize))
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, "Must be a power of two, 4096 to 262144.");
        ArgumentOutOfRangeException.ThrowIfNegative(noteSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(noteSize, int.MaxValue);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptorCount, maxMapNr);
        // Two bitmaps are counted in blocks in one 32-bit field.
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxMapNr, uint.MaxValue / 2 * (ulong)blockSize * 8);

        BlockSize = blockSize;
        MaxMapNr = maxMapNr;
        NoteSize = noteSize;
        DescriptorCount = descriptorCount;
        SubHeaderBlocks = (int)((KdumpSubHeader.Size + noteSize + blockSize - 1) / blockSize);
        BitmapBlocks = 2 * (uint)BlocksOfOneBitmap(maxMapNr, blockSize);
        Bitmap1Offset = (1L + SubHeaderBlocks) * blockSize;
        BitmapLength = BitmapBlocks / 2 * blockSize;
        Bitmap2Offset = Bitmap1Offset + BitmapLength;
        DescriptorsOffset = Bitmap2Offset + BitmapLength;
        DataOffset = checked(DescriptorsOffset + (long)(descriptorCount * PageDescriptor.Size));
    }

    /// <summary>Page size.</summary>
    public int BlockSize { get; }

    /// <summary>One past the highest pfn.</summary>
    public ulong MaxMapNr { get; }

    /// <summary>Bytes of the ELF notes.</summary>
    public long NoteSize { get; }

    /// <summary>Number of descriptors.</summary>
    public ulong DescriptorCount { get; }

    /// <summary>Blocks of the sub header and the notes, the header's field.</summary>
    public int SubHeaderBlocks { get; }

    /// <summary>Blocks of both bitmaps together, the header's field.</summary>
    public uint BitmapBlocks { get; }

    /// <summary>Offset of the sub header.</summary>
    public long SubHeaderOffset => BlockSize;

    /// <summary>Offset of the ELF notes.</summary>
    public long NotesOffset => BlockSize + KdumpSubHeader.Size;

    /// <summary>Offset of the first bitmap: the pages that the machine has.</summary>
    public long Bitmap1Offset { get; }

    /// <summary>Offset of the second bitmap: the pages that have a descriptor.</summary>
    public long Bitmap2Offset { get; }

    /// <summary>Length of each bitmap, padded to whole blocks.</summary>
    public long BitmapLength { get; }

    /// <summary>Offset of the array of descriptors.</summary>
    public long DescriptorsOffset { get; }

    /// <summary>Offset of the first byte of page data. Writers that share one page among all zero pages put it here.</summary>
    public long DataOffset { get; }

    /// <summary>Blocks that one bitmap of <paramref name="maxMapNr"/> pages takes.</summary>
    internal static ulong BlocksOfOneBitmap(ulong maxMapNr, int blockSize)
    {
        int bitsPerBlockShift = BitOperations.Log2((uint)blockSize) + 3;
        ulong mask = (1UL << bitsPerBlockShift) - 1;
        return (maxMapNr >> bitsPerBlockShift) + ((maxMapNr & mask) != 0 ? 1UL : 0);
    }
}
