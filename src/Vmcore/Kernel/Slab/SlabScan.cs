using Vmcore.Memmap;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Slab;

/// <summary>Looks for the first pages of all slabs, by their struct pages: slabs that are full are on no list of the kernel.</summary>
internal sealed class SlabScan
{
    private const int ChunkPages = 4096;

    private readonly MemmapReader _memmap;
    private readonly StructPageLayout _layout;
    private readonly Chunk[] _chunks = new Chunk[ParallelScan.BatchSize];

    internal SlabScan(MemmapReader memmap, StructPageLayout layout)
    {
        (_memmap, _layout) = (memmap, layout);
        for (int i = 0; i < _chunks.Length; i++)
            _chunks[i] = new(memmap, layout);
    }

    /// <summary>Pages whose structures should be there, and cannot be read.</summary>
    internal ulong Unreadable { get; private set; }

    /// <summary>Looks for them.</summary>
    /// <param name="where">The pages to look at; those without a structure cost nothing.</param>
    /// <param name="visit">Is given each first page, its structure and the address of that.</param>
    internal void Run(PfnRangeSet where, SlabVisit visit)
    {
        int filled = 0;
        foreach (PfnRange range in where)
        {
            for (ulong at = range.Start; at < range.End;)
            {
                if (!_memmap.Model.TryGetStructPage(at, out _, out ulong runEnd))
                {
                    at = Math.Min(runEnd, range.End);
                    continue;
                }

                ulong end = Math.Min(range.End, at + ChunkPages);
                _chunks[filled++].Range = new(at, end);
                at = end;
                if (filled == _chunks.Length)
                    Flush();
            }
        }

        Flush();

        void Flush()
        {
            if (filled > 0)
                ParallelScan.Run(filled, i => _chunks[i].Run());
            for (int i = 0; i < filled; i++)
            {
                Chunk chunk = _chunks[i];
                Unreadable += chunk.Unreadable;
                foreach (int index in chunk.Found)
                {
                    ulong pfn = chunk.Range.Start + (ulong)index;
                    if (_memmap.Model.TryGetStructPage(pfn, out ulong address, out _))
                        visit(pfn, address, chunk.Structs.AsSpan(index * _layout.Size, _layout.Size));
                }
            }

            filled = 0;
        }
    }

    /// <summary>One piece of the scan, used again for the next.</summary>
    private sealed class Chunk(MemmapReader memmap, StructPageLayout layout)
    {
        private readonly ulong[] _valid = new ulong[ChunkPages / 64], _faults = new ulong[ChunkPages / 64];

        internal byte[] Structs { get; } = new byte[ChunkPages * layout.Size];

        internal PfnRange Range { get; set; }

        internal List<int> Found { get; } = [];

        internal ulong Unreadable { get; private set; }

        internal void Run()
        {
            int count = (int)Range.Count, size = layout.Size;
            memmap.Read(Range.Start, count, Structs, _valid, _faults);
            Found.Clear();
            Unreadable = (ulong)PageBits.Count(_faults);
            for (int i = PageBits.NextSet(_valid, 0); i < count; i = PageBits.NextSet(_valid, i + 1))
            {
                ReadOnlySpan<byte> page = Structs.AsSpan(i * size, size);
                if (layout.IsSlab(page) && layout.HeadOf(ulong.MaxValue, page) == ulong.MaxValue)
                    Found.Add(i);
            }
        }
    }
}

/// <summary>Is given the first page of a slab.</summary>
/// <param name="pfn">The page.</param>
/// <param name="address">Virtual address of its structure.</param>
/// <param name="structure">The structure.</param>
internal delegate void SlabVisit(ulong pfn, ulong address, ReadOnlySpan<byte> structure);
