using Vmcore.Formats.Kdump;
using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Descriptors and data of one file of a dump: the only one, or a part of a split dump. All parts have the page of zero at the same offset,
/// where a file that is not split has it: tools that join parts know zero pages by that. A part without zero pages has none.
/// </summary>
internal sealed class KdumpPartWriter
{
    private const int FlushBytes = 256 * 1024;

    private readonly LimitedSink _sink;
    private readonly KdumpLayout _layout;
    private readonly BufferedRegion _descriptors;
    private readonly bool _isStream;
    private readonly bool _isCompressed;
    private readonly int _pageSize;
    private byte[] _block = [];
    private readonly DuplicatePages? _written;
    private long _data;
    private long _done;
    private bool _hasZeroPage;

    /// <summary>Creates a writer.</summary>
    /// <param name="sink">The file.</param>
    /// <param name="isStream">True if the file is only written forwards.</param>
    /// <param name="isCompressed">True if pages are compressed; those that are stored as they are may become holes.</param>
    /// <param name="layout">The layout of a dump of all pages in one file.</param>
    /// <param name="pfns">The pages that may come.</param>
    /// <param name="pages">How many will come.</param>
    /// <param name="written">Finds pages that are in the file already; null if equal pages are not
    /// looked for. Parts, which are written one after the other, have one together.</param>
    internal KdumpPartWriter(LimitedSink sink, bool isStream, bool isCompressed, KdumpLayout layout, PfnRange pfns, long pages, DuplicatePages? written)
    {
        _sink = sink;
        _isStream = isStream;
        _isCompressed = isCompressed;
        _written = written;
        _layout = layout;
        _pageSize = layout.BlockSize;
        Pfns = pfns;
        Pages = pages;
        _descriptors = new(sink, layout.DescriptorsOffset, FlushBytes);
        _data = layout.DescriptorsOffset + (pages * PageDescriptor.Size);
        if (pages == (long)layout.DescriptorCount)
            WriteZeroPage();
    }

    /// <summary>The pages of this file.</summary>
    internal PfnRange Pfns { get; }

    /// <summary>Number of pages of the whole dump that have a lower pfn.</summary>
    internal long FirstRank { get; init; }

    /// <summary>Number of pages that the file is to have.</summary>
    internal long Pages { get; }

    /// <summary>True if all of them are written.</summary>
    internal bool IsComplete => _done == Pages;

    /// <summary>Length of the file as far as it is written.</summary>
    internal long End => Math.Max(_sink.End, _layout.DescriptorsOffset + (Pages * PageDescriptor.Size));

    /// <summary>Writes some pages of a batch.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="first">Index of the first page.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="packed">Their blocks.</param>
    /// <param name="counts">Receives the number of zero pages.</param>
    /// <exception cref="FileAccessException">The target refused.</exception>
    internal void Write(PageBatch batch, int first, int count, ReadOnlySpan<byte> packed, DumpCounts counts)
    {
        // First the data: a descriptor never names what is not there, and a disk that is full by then still takes the descriptors of what fitted.
        if (_block.Length < count * PageDescriptor.Size)
            _block = new byte[batch.Capacity * PageDescriptor.Size];
        int start = 0, at = 0;
        for (int i = 0; i < count; i++)
        {
            int size = batch.Sizes[first + i];
            if (batch.IsLost(first + i))
            {
                // Readers tell by it that the page is known and not there; zeroes would be taken for its content.
                PageDescriptor.Lost.WriteTo(_block.AsSpan(i * PageDescriptor.Size));
                counts.Lost.Add(batch.Pfns[first + i]);
                continue;
            }

            if (size == 0)
            {
                WriteZeroPage();
                counts.Excluded[PageClass.Zero]++;
            }
            else if (_data + (at - start) is var offset && offset < _layout.DataOffset + _pageSize && offset + size > _layout.DataOffset)
            {
                // No page but that of zero may lie there.
                _sink.Write(_data, packed[start..at]);
                start = at;
                _data = _layout.DataOffset + _pageSize;
            }

            long place = size == 0 ? _layout.DataOffset : _data + (at - start);
            var block = new WrittenBlock(place, size == 0 ? _pageSize : size, batch.Flags[first + i]);
            if (size > 0 && _written is not null && _written.TryFind(batch, first + i, packed.Slice(at, size), ref block))
            {
                // What follows goes where this block would have gone.
                _sink.Write(_data, packed[start..at]);
                _data += at - start;
                start = at + size;
                counts.Shared++;
            }

            new PageDescriptor(block.Offset, block.Length, block.Codec).WriteTo(_block.AsSpan(i * PageDescriptor.Size));
            at += size;
        }

        if (_isCompressed)
            _sink.Write(_data, packed[start..at]);
        else
            _sink.WriteSparse(_data, packed[start..at]);
        _data += at - start;
        WriteDescriptors(batch.Ranks.AsSpan(first, count));
        _done += count;
    }

    /// <summary>Writes what is held back.</summary>
    internal void Flush() => _descriptors.Flush();

    private void WriteZeroPage()
    {
        if (_hasZeroPage)
            return;
        _hasZeroPage = true;
        _sink.Write(_layout.DataOffset, new byte[_pageSize]);
        if (_data == _layout.DataOffset)
            _data += _pageSize;
    }

    /// <summary>Fills the room of the descriptors with zero, so that the disk's blocks are there when it is full.</summary>
    /// <param name="zeroes">Zeroes, as many as are written at once.</param>
    /// <exception cref="FileAccessException">The target refused.</exception>
    internal void Reserve(ReadOnlySpan<byte> zeroes)
    {
        if (_isStream)
            return;
        for (long at = 0, end = Pages * PageDescriptor.Size; at < end;)
        {
            int step = (int)Math.Min(end - at, zeroes.Length);
            _sink.Write(_layout.DescriptorsOffset + at, zeroes[..step]);
            at += step;
        }
    }

    /// <summary>Writes the descriptors of some pages; those of neighbours together.</summary>
    private void WriteDescriptors(ReadOnlySpan<ulong> ranks)
    {
        for (int i = 0; i < ranks.Length;)
        {
            int run = 1;
            while (i + run < ranks.Length && ranks[i + run] == ranks[i] + (ulong)run)
                run++;
            _descriptors.Write(((long)ranks[i] - FirstRank) * PageDescriptor.Size, _block.AsSpan(i * PageDescriptor.Size, run * PageDescriptor.Size));
            i += run;
        }
    }
}
