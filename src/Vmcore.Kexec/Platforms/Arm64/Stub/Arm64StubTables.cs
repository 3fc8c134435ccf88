using System.Buffers.Binary;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// Page tables on which the stub hashes: pages of 4 KiB, 48 bits, four levels, every address at itself. They map what is hashed and the stub, in
/// blocks of 2 MiB, and nothing outside of the crash kernel's region: a CPU may read ahead in whatever is mapped as memory.
/// </summary>
internal static class Arm64StubTables
{
    /// <summary>Bytes of a table.</summary>
    public const int TableSize = 4096;

    private const ulong Block = 2UL << 20;
    private const ulong Page = 4096;
    private const ulong AddressLimit = 1UL << 48;

    // Valid, accessed, inner shareable, attributes number 0; a table or a page has bit 1 in addition.
    private const ulong BlockEntry = 1 | (3 << 8) | (1 << 10);
    private const ulong PageEntry = BlockEntry | 2;
    private const ulong TableEntry = 3;

    /// <summary>True if four levels reach all of it.</summary>
    public static bool CanMap(StubRequest request) => request.Region.End <= AddressLimit && request.Hashed.All(static r => r.End <= AddressLimit);

    /// <summary>Bytes of all tables, wherever in the region the stub itself lies.</summary>
    public static int SizeOf(StubRequest request)
    {
        // The stub may need one table of each level in addition, or two if it crosses a border.
        const int spare = 6;
        return (new Tables(request.Hashed, request.Region, 0).Count + spare) * TableSize;
    }

    /// <summary>Builds them.</summary>
    /// <param name="request">The request.</param>
    /// <param name="offset">Where in the stub they will be, in bytes.</param>
    /// <param name="stubSize">Bytes of the whole stub.</param>
    public static byte[] Build(StubRequest request, int offset, int stubSize)
    {
        PhysicalRange stub = new(request.Address, request.Address + (ulong)stubSize);
        return new Tables([.. request.Hashed, stub], request.Region, request.Address + (ulong)offset).ToBytes(SizeOf(request));
    }

    private sealed class Tables
    {
        private readonly List<ulong[]> _tables = [];
        private readonly ulong _origin;

        public Tables(IReadOnlyList<PhysicalRange> mapped, PhysicalRange region, ulong origin)
        {
            _origin = origin;
            NewTable();
            foreach (PhysicalRange range in mapped)
                Map(range, region);
        }

        public int Count => _tables.Count;

        public byte[] ToBytes(int size)
        {
            byte[] bytes = new byte[size];
            for (int i = 0; i < _tables.Count; i++)
            {
                for (int j = 0; j < _tables[i].Length; j++)
                    BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((i * TableSize) + (j * 8)), _tables[i][j]);
            }

            return bytes;
        }

        private void Map(PhysicalRange range, PhysicalRange region)
        {
            for (ulong at = Numbers.AlignDown(range.Start, Block); at < range.End; at += Block)
            {
                ulong[] third = Below(Below(_tables[0], at >> 39), at >> 30);
                ref ulong entry = ref third[(int)((at >> 21) & 511)];
                if (at >= region.Start && at + Block <= region.End)
                {
                    entry = at | BlockEntry;
                    continue;
                }

                // A block that is not all of the region: its pages one by one.
                ulong[] pages = Below(third, at >> 21);
                for (ulong page = at; page < at + Block; page += Page)
                {
                    if (page >= region.Start && page + Page <= region.End)
                        pages[(int)((page >> 12) & 511)] = page | PageEntry;
                }
            }
        }

        private ulong[] Below(ulong[] table, ulong index)
        {
            ref ulong entry = ref table[(int)(index & 511)];
            if (entry == 0)
            {
                entry = (_origin + ((ulong)_tables.Count * TableSize)) | TableEntry;
                NewTable();
            }

            return _tables[(int)(((entry & ~0xfffUL) - _origin) / TableSize)];
        }

        private void NewTable() => _tables.Add(new ulong[TableSize / 8]);
    }
}
