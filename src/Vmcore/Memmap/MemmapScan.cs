using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>Looks through struct pages on all CPUs for those of one kind, and gives them in the order of their pages.</summary>
/// <param name="memmap">The memmap.</param>
/// <param name="layout">The layout of its structures.</param>
/// <param name="isWanted">Tells by its structure whether a page is wanted; called from several threads.</param>
internal sealed class MemmapScan(MemmapReader memmap, StructPageLayout layout, MemmapScan.Test isWanted)
{
    private const int ChunkPages = 4096;

    private readonly Chunk[] _chunks = new Chunk[ParallelScan.BatchSize];
    private int _filled;

    /// <summary>Tells whether a page is wanted.</summary>
    /// <param name="structure">Its structure.</param>
    internal delegate bool Test(ReadOnlySpan<byte> structure);

    /// <summary>Is given a page that was wanted.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="structure">Its structure.</param>
    internal delegate void Visit(ulong pfn, ReadOnlySpan<byte> structure);

    /// <summary>Pages whose structures should be there, and cannot be read.</summary>
    internal ulong Unreadable { get; private set; }

    /// <summary>Looks for them.</summary>
    /// <param name="where">The pages to look at; those without a structure cost nothing.</param>
    /// <param name="visit">Is given each page that is wanted, by the caller's thread.</param>
    internal void Run(PfnRangeSet where, Visit visit)
    {
        foreach (PfnRange range in where)
        {
            for (ulong at = range.Start; at < range.End;)
            {
                if (!memmap.Model.TryGetStructPage(at, out _, out ulong runEnd))
                {
                    at = Math.Min(runEnd, range.End);
                    continue;
                }

                ulong end = Math.Min(range.End, at + ChunkPages);
                (_chunks[_filled] ??= new(memmap, layout, isWanted)).Range = new(at, end);
                _filled++;
                at = end;
                if (_filled == _chunks.Length)
                    Flush(visit);
            }
        }

        Flush(visit);
    }

    private void Flush(Visit visit)
    {
        if (_filled > 0)
            ParallelScan.Run(_filled, i => _chunks[i].Run());
        foreach (Chunk chunk in _chunks.AsSpan(0, _filled))
        {
            Unreadable += chunk.Unreadable;
            foreach (int index in chunk.Found)
                visit(chunk.Range.Start + (ulong)index, chunk.StructureOf(index));
        }

        _filled = 0;
    }

    /// <summary>One piece of the scan, used again for the next.</summary>
    private sealed class Chunk(MemmapReader memmap, StructPageLayout layout, Test isWanted)
    {
        private readonly byte[] _structs = new byte[ChunkPages * layout.Size];
        private readonly ulong[] _valid = new ulong[ChunkPages / 64], _faults = new ulong[ChunkPages / 64];

        internal PfnRange Range { get; set; }

        internal List<int> Found { get; } = [];

        internal ulong Unreadable { get; private set; }

        internal ReadOnlySpan<byte> StructureOf(int index) => _structs.AsSpan(index * layout.Size, layout.Size);

        internal void Run()
        {
            int count = (int)Range.Count;
            memmap.Read(Range.Start, count, _structs, _valid, _faults);
            Found.Clear();
            Unreadable = (ulong)PageBits.Count(_faults);
            for (int i = PageBits.NextSet(_valid, 0); i < count; i = PageBits.NextSet(_valid, i + 1))
            {
                if (isWanted(StructureOf(i)))
                    Found.Add(i);
            }
        }
    }
}
