using Vmcore.Compression;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>Some kept pages on their way from the input to the output.</summary>
internal sealed class PageBatch : WorkerJob
{
    /// <summary>Bytes of pages in a batch that is compressed: with what they are packed to, they stay in a core's own cache.</summary>
    internal const int CompressedBytes = 256 * 1024;

    /// <summary>Bytes of pages in a batch that is only moved: what counts is to hand over seldom.</summary>
    internal const int MovedBytes = 1024 * 1024;

    private readonly CrashMemory _memory;
    private readonly bool _dropZero;
    private readonly UInt128[] _hashes;
    private readonly int _pageSize;
    private readonly byte[] _raw;
    private byte[] _packed = [];
    private bool _inPlace;

    /// <summary>Creates an empty batch.</summary>
    /// <param name="memory">The input.</param>
    /// <param name="bytes">Bytes of pages that it takes, at most; one page at least.</param>
    /// <param name="dropZero">True if pages filled with zero share one block.</param>
    /// <param name="hash">True if <see cref="HashOf"/> is going to be asked.</param>
    internal PageBatch(CrashMemory memory, int bytes, bool dropZero, bool hash)
    {
        _memory = memory;
        _dropZero = dropZero;
        _pageSize = memory.PageSize;
        int capacity = Math.Max(1, bytes / _pageSize);
        Pfns = new ulong[capacity];
        Ranks = new ulong[capacity];
        Sizes = new int[capacity];
        Flags = new PageCodec[capacity];
        _hashes = hash ? new UInt128[capacity] : [];
        _raw = GC.AllocateUninitializedArray<byte>(capacity * _pageSize);
    }

    /// <summary>Most pages in a batch.</summary>
    internal int Capacity => Pfns.Length;

    /// <summary>Pages in the batch.</summary>
    internal int Count { get; set; }

    /// <summary>Their pfns, ascending if <see cref="IsOrdered"/>.</summary>
    internal ulong[] Pfns { get; }

    /// <summary>For each the number of pages with a lower pfn that stay: the place of its descriptor.</summary>
    internal ulong[] Ranks { get; }

    /// <summary>True if no later batch has a page with a lower pfn.</summary>
    internal bool IsOrdered { get; set; }

    /// <summary>Bytes of each page's block in <see cref="Packed"/>; 0 for a zero page, which shares one block, and for one that could not be read.</summary>
    internal int[] Sizes { get; }

    /// <summary>How each page's block is compressed.</summary>
    internal PageCodec[] Flags { get; }

    /// <summary>The blocks, one after the other.</summary>
    internal ReadOnlySpan<byte> Packed => (_inPlace ? _raw : _packed).AsSpan(0, PackedLength);

    /// <summary>Length of <see cref="Packed"/>.</summary>
    internal int PackedLength { get; private set; }

    /// <summary>Indices of the pages that could not be read, ascending: they have no block.</summary>
    internal List<int> Unreadable { get; } = [];

    /// <summary>True if a page could not be read.</summary>
    internal bool IsLost(int index) => Unreadable.Count > 0 && Unreadable.BinarySearch(index) >= 0;

    /// <inheritdoc/>
    protected override void Run(WorkerTools tools)
    {
        Unreadable.Clear();
        Read();
        IPageCompressor? compressor = tools.Compressor;
        _inPlace = compressor is null;
        if (compressor is null)
            MoveTogether();
        else
            Compress(compressor);
        int at = 0;
        for (int i = 0; i < _hashes.Length && i < Count; i++)
        {
            _hashes[i] = PageHash.Of(Packed.Slice(at, Sizes[i]));
            at += Sizes[i];
        }
    }

    /// <summary>Hash of a page's block.</summary>
    internal UInt128 HashOf(int index) => _hashes[index];

    /// <summary>A page's content.</summary>
    /// <param name="index">Which page.</param>
    /// <param name="block">Its block, which is its content if pages are stored as they are: what was read is overwritten then.</param>
    internal ReadOnlySpan<byte> ContentOf(int index, ReadOnlySpan<byte> block) => _inPlace ? block : _raw.AsSpan(index * _pageSize, _pageSize);

    /// <summary>Stored pages stay where they are, but for what zero pages leave free.</summary>
    private void MoveTogether()
    {
        int at = 0;
        for (int i = 0; i < Count; i++)
        {
            ReadOnlySpan<byte> page = _raw.AsSpan(i * _pageSize, _pageSize);
            bool isZero = IsLost(i) || (_dropZero && ZeroPage.IsZero(page));
            if (!isZero && at != i * _pageSize)
                page.CopyTo(_raw.AsSpan(at));
            Flags[i] = PageCodec.None;
            Sizes[i] = isZero ? 0 : _pageSize;
            at += Sizes[i];
        }

        PackedLength = at;
    }

    private void Compress(IPageCompressor compressor)
    {
        // Encoders that write without looking at an end need more room than a page; with it nothing is copied.
        if (_packed.Length == 0)
            _packed = GC.AllocateUninitializedArray<byte>(_raw.Length + (_pageSize / 4) + 256);
        int at = 0;
        for (int i = 0; i < Count; i++)
        {
            ReadOnlySpan<byte> page = _raw.AsSpan(i * _pageSize, _pageSize);
            int size = 0;
            Flags[i] = PageCodec.None;
            if (!IsLost(i) && (!_dropZero || !ZeroPage.IsZero(page)))
            {
                size = compressor.Compress(page, _packed.AsSpan(at));
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

    private void Read()
    {
        for (int i = 0; i < Count;)
        {
            int run = 1;
            while (i + run < Count && Pfns[i + run] == Pfns[i] + (ulong)run)
                run++;
            int read = _memory.ReadPages(Pfns[i], _raw.AsSpan(i * _pageSize, run * _pageSize));
            if (read == 0)
            {
                // A partial page is good with what there is of it.
                if (_memory.ReadPage(Pfns[i], _raw.AsSpan(i * _pageSize, _pageSize)) != MemoryStatus.Ok)
                    Unreadable.Add(i);
                read = 1;
            }

            i += read;
        }
    }
}
