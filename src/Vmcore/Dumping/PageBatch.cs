using Vmcore.Compression;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>A few hundred kept pages on their way from the input to the output.</summary>
internal sealed class PageBatch
{
    /// <summary>Bytes of pages in a batch.</summary>
    internal const int Bytes = 512 * 1024;

    private readonly int _pageSize;
    private readonly byte[] _raw;
    private byte[]? _packed;

    internal PageBatch(int pageSize)
    {
        _pageSize = pageSize;
        Capacity = Bytes / pageSize;
        Pfns = new ulong[Capacity];
        Sizes = new int[Capacity];
        Flags = new PageCodec[Capacity];
        _raw = new byte[Bytes];
    }

    /// <summary>Most pages.</summary>
    internal int Capacity { get; }

    /// <summary>Pages in the batch.</summary>
    internal int Count { get; set; }

    /// <summary>Their pfns, ascending.</summary>
    internal ulong[] Pfns { get; }

    /// <summary>Bytes of each page's block in <see cref="Packed"/>; 0 for a zero page, which shares one block.</summary>
    internal int[] Sizes { get; }

    /// <summary>How each page's block is compressed.</summary>
    internal PageCodec[] Flags { get; }

    /// <summary>The blocks, one after the other.</summary>
    internal ReadOnlySpan<byte> Packed => (_packed ?? _raw).AsSpan(0, PackedLength);

    /// <summary>Length of <see cref="Packed"/>.</summary>
    internal int PackedLength { get; private set; }

    /// <summary>Pages that could not be read and are zero.</summary>
    internal int Unreadable { get; private set; }

    /// <summary>What kept the batch from being done; thrown again by the thread that writes.</summary>
    internal Exception? Failure { get; set; }

    /// <summary>Signalled when the batch is done.</summary>
    internal ManualResetEventSlim Done { get; } = new(initialState: false, spinCount: 0);

    /// <summary>Reads and compresses the pages.</summary>
    /// <param name="memory">The input.</param>
    /// <param name="compressor">Null to store pages as they are.</param>
    /// <param name="dropZero">True if pages filled with zero share one block.</param>
    internal void Process(CrashMemory memory, IPageCompressor? compressor, bool dropZero)
    {
        Unreadable = 0;
        Read(memory);
        if (compressor is null)
        {
            CloseUp(dropZero);
            return;
        }

        _packed ??= new byte[Bytes];
        int at = 0;
        for (int i = 0; i < Count; i++)
        {
            ReadOnlySpan<byte> page = _raw.AsSpan(i * _pageSize, _pageSize);
            int size = 0;
            Flags[i] = PageCodec.None;
            if (!dropZero || !ZeroPage.IsZero(page))
            {
                size = compressor.Compress(page, _packed.AsSpan(at, _pageSize));
                if (size > 0)
                    Flags[i] = compressor.Codec;
                else
                    page.CopyTo(_packed.AsSpan(at, size = _pageSize));
            }

            Sizes[i] = size;
            at += size;
        }

        PackedLength = at;
    }

    /// <summary>Pages that are stored as they are stay where they were read to, but for the gaps that zero pages leave.</summary>
    private void CloseUp(bool dropZero)
    {
        _packed = null;
        int at = 0;
        for (int i = 0; i < Count; i++)
        {
            Span<byte> page = _raw.AsSpan(i * _pageSize, _pageSize);
            Flags[i] = PageCodec.None;
            bool isDropped = dropZero && ZeroPage.IsZero(page);
            Sizes[i] = isDropped ? 0 : _pageSize;
            if (!isDropped && at != i * _pageSize)
                page.CopyTo(_raw.AsSpan(at, _pageSize));
            at += Sizes[i];
        }

        PackedLength = at;
    }

    private void Read(CrashMemory memory)
    {
        for (int i = 0; i < Count;)
        {
            int run = 1;
            while (i + run < Count && Pfns[i + run] == Pfns[i] + (ulong)run)
                run++;
            int read = memory.ReadPages(Pfns[i], _raw.AsSpan(i * _pageSize, run * _pageSize));
            if (read == 0)
            {
                // A partial page is good with what there is of it.
                if (memory.ReadPage(Pfns[i], _raw.AsSpan(i * _pageSize, _pageSize)) != MemoryStatus.Ok)
                    Unreadable++;
                read = 1;
            }

            i += read;
        }
    }
}
