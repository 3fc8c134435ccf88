using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Architectures.Arm64;
using Vmcore.Architectures.Riscv64;
using Vmcore.Architectures.X86_64;
using Vmcore.Memory;

namespace Vmcore.Tests.Architectures;

/// <summary>
/// Every format of page tables, each as the manuals draw it: bits of the offset and of each level from below, the levels at which leaves may stand (log2 of
/// their size), and the width of a physical address. Entries are written by code that knows nothing of the library's formats.
/// </summary>
public sealed class PageWalkTests
{
    private const ulong Root = 0x10_0000;

    public static TheoryData<string, string, string, int> Formats => new()
    {
        { "x86_64 4", "12,9,9,9,9", "12,21,30", 52 },
        { "x86_64 5", "12,9,9,9,9,9", "12,21,30", 52 },
        { "arm64 12 39", "12,9,9,9", "12,21,30", 48 },
        { "arm64 12 48", "12,9,9,9,9", "12,21,30", 48 },
        { "arm64 12 52", "12,9,9,9,9,4", "12,21,30,39", 52 }, // LPA2
        { "arm64 14 36", "14,11,11", "14,25", 48 },
        { "arm64 14 47", "14,11,11,11", "14,25", 48 },
        { "arm64 14 48", "14,11,11,11,1", "14,25", 48 },
        { "arm64 14 52", "14,11,11,11,5", "14,25,36", 52 }, // LPA2
        { "arm64 16 42", "16,13,13", "16,29", 52 },
        { "arm64 16 48", "16,13,13,6", "16,29,42", 52 },
        { "arm64 16 52", "16,13,13,10", "16,29,42", 52 }, // LVA
        { "riscv64 39", "12,9,9,9", "12,21,30", 56 },
        { "riscv64 48", "12,9,9,9,9", "12,21,30,39", 56 },
        { "riscv64 57", "12,9,9,9,9,9", "12,21,30,39,48", 56 },
    };

    /// <summary>Another index at each level, the first, the last and those between: a bit too many or too few leads to another entry, which is empty.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void APageIsFoundThroughEveryLevel(string name, string bits, string leaves, int width)
    {
        Shape shape = new(bits, leaves);
        Func<int, ulong>[] picks = [static _ => ulong.MaxValue, static _ => 0, static l => 0x155u + (ulong)l, static l => 2 + (ulong)l];
        foreach (Func<int, ulong> pick in picks)
        {
            Tables tables = new(name, shape);
            ulong address = tables.Address(pick), physical = High(width, shape.Bits[0]);
            ulong[] entries = tables.Map(address, shape.Bits[0], physical);
            KernelAddressSpace space = tables.Space();
            Assert.Equal(shape.Levels, space.Levels);
            Assert.Equal(new Translation(MemoryStatus.Ok, physical | 0x678, 1ul << shape.Bits[0]), space.Translate(address | 0x678));
            Assert.Equal(entries, space.Walk(address).Select(static s => s.EntryAddress));
            Assert.All(space.Walk(address), static s => Assert.Equal(MemoryStatus.Ok, s.Status));
        }
    }

    /// <summary>Leaves at the levels that have them; anywhere else such an entry maps nothing, and nothing is looked for below it.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void LeavesStandWhereTheyMay(string name, string bits, string leaves, int width)
    {
        Shape shape = new(bits, leaves);
        for (int level = 0; level < shape.Levels; level++)
        {
            int shift = shape.Shift(level);
            Tables tables = new(name, shape);
            ulong address = tables.Address(static l => 1 + (ulong)l), physical = High(width, shift), size = 1ul << shift;
            ulong[] entries = tables.Map(address, shift, physical);
            KernelAddressSpace space = tables.Space();
            ulong inside = (address & ~(size - 1)) | ((size - 1) & 0x5555_5555_5555);
            bool isLeaf = shape.Leaves.Contains(shift);
            Assert.Equal(
                isLeaf ? new Translation(MemoryStatus.Ok, physical | (inside & (size - 1)), size) : new(MemoryStatus.NotMapped, 0, size),
                space.Translate(inside));
            Assert.Equal(entries, space.Walk(inside).Select(static s => s.EntryAddress));
            Assert.Equal(isLeaf ? MemoryStatus.Ok : MemoryStatus.NotMapped, space.Walk(inside)[^1].Status);
        }
    }

    /// <summary>A hole is as large as the entry that is empty, and an entry without its lowest bit is one whatever else it says.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void HolesAreAsLargeAsTheirEntry(string name, string bits, string leaves, int width)
    {
        Shape shape = new(bits, leaves);
        for (int level = 0; level < shape.Levels; level++)
        {
            Tables tables = new(name, shape);
            ulong address = tables.Address(static l => 1 + (ulong)l), beside = address ^ (1ul << shape.Shift(level));
            ulong[] entries = tables.Map(address, shape.Bits[0], High(width, shape.Bits[0]));
            Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 1ul << shape.Shift(level)), tables.Space().Translate(beside));
            tables.Write(entries[shape.Levels - 1 - level], ulong.MaxValue - 1);
            Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 1ul << shape.Shift(level)), tables.Space().Translate(address));
            Assert.Equal(MemoryStatus.NotMapped, tables.Space().Walk(address)[^1].Status);
        }
    }

    /// <summary>A table that is not in the dump is no hole: what it covers is unknown.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void MissingTablesAreNoHoles(string name, string bits, string leaves, int width)
    {
        Shape shape = new(bits, leaves);
        for (int level = 0; level < shape.Levels; level++)
        {
            Tables tables = new(name, shape);
            ulong address = tables.Address(static l => 1 + (ulong)l);
            ulong[] entries = tables.Map(address, shape.Bits[0], High(width, shape.Bits[0]));
            tables.Lose(entries[shape.Levels - 1 - level]);
            Translation found = tables.Space().Translate(address);
            Assert.Equal((MemoryStatus.PageTableMissing, 1ul << (shape.Shift(level) + shape.Bits[level + 1])), (found.Status, found.Size));
            Assert.Equal(MemoryStatus.PageTableMissing, tables.Space().Walk(address)[^1].Status);
        }
    }

    /// <summary>Between the halves there is nothing, and the kernel's tables are not asked for a process.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void AddressesBetweenTheHalvesAreNotMapped(string name, string bits, string leaves, int width)
    {
        Shape shape = new(bits, leaves);
        Tables tables = new(name, shape);
        ulong address = tables.Address(static _ => 0);
        tables.Map(address, shape.Bits[0], High(width, shape.Bits[0]));
        KernelAddressSpace space = tables.Space();
        Assert.True(space.IsKernelAddress(address));
        Assert.Equal(address, space.KernelStart);
        foreach (ulong below in (ulong[])[address - 1, address - (1ul << 50), 0x1234, 1ul << 46])
        {
            Assert.Equal(MemoryStatus.NotMapped, space.Translate(below).Status);
            Assert.Empty(space.Walk(below));
            Assert.False(space.IsKernelAddress(below));
        }
    }

    /// <summary>Svnapot: sixteen equal entries map 64 KiB, and say so with 8 in the lowest bits of the page number. Any other value is reserved, and so is the
    /// bit at any other level.</summary>
    [Theory]
    [InlineData("riscv64 39", 12, 8ul, true)]
    [InlineData("riscv64 48", 12, 8ul, true)]
    [InlineData("riscv64 57", 12, 8ul, true)]
    [InlineData("riscv64 48", 12, 0ul, false)]
    [InlineData("riscv64 48", 12, 4ul, false)]
    [InlineData("riscv64 48", 12, 9ul, false)]
    [InlineData("riscv64 48", 21, 8ul, false)]
    public void ContiguousLeavesOfRiscv64AreOnePiece(string name, int shift, ulong low, bool isMapped)
    {
        Shape shape = new(name switch { "riscv64 39" => "12,9,9,9", "riscv64 48" => "12,9,9,9,9", _ => "12,9,9,9,9,9" }, "12");
        Tables tables = new(name, shape);
        ulong address = tables.Address(static _ => 0x150);
        for (ulong i = 0; i < 16; i++)
        {
            ulong[] entries = tables.Map(address + (i << shift), shift, 0x9_8765_0000);
            tables.Write(entries[^1], (1ul << 63) | (0x9_8765_0000ul >> 2) | (low << 10) | 0xcf);
        }

        KernelAddressSpace space = tables.Space();
        for (ulong at = 0; at < 0x10000; at += 0x777)
        {
            Assert.Equal(
                isMapped ? new Translation(MemoryStatus.Ok, 0x9_8765_0000 + at, 0x10000) : new(MemoryStatus.NotMapped, 0, 1ul << shift),
                space.Translate(address + at));
        }

        Assert.Equal(isMapped ? MemoryStatus.Ok : MemoryStatus.NotMapped, space.Walk(address)[^1].Status);
        Assert.Equal(isMapped ? [new(address, 0x9_8765_0000, 0x10000)] : [], space.FindMapped(address, address + 0x10000, 100, out _));
    }

    /// <summary>As high as the format can say, and aligned.</summary>
    private static ulong High(int width, int shift) => (0x00a5_a5a5_a5a5_a5a5ul | (1ul << (width - 1))) & ((1ul << width) - 1) & ~((1ul << shift) - 1);

    /// <summary>A format as the manuals draw it.</summary>
    /// <param name="bits">Bits of the offset in a page, then of each level from below.</param>
    /// <param name="leaves">log2 of the sizes of leaves.</param>
    private sealed class Shape(string bits, string leaves)
    {
        public int[] Bits { get; } = Parse(bits);

        public int[] Leaves { get; } = Parse(leaves);

        public int Levels => Bits.Length - 1;

        /// <summary>log2 of what an entry covers; level 0 is the lowest.</summary>
        public int Shift(int level) => Bits.Take(level + 1).Sum();

        private static int[] Parse(string list) => [.. list.Split(',').Select(static n => int.Parse(n, CultureInfo.InvariantCulture))];
    }

    /// <summary>Tables in a sparse memory. The name is that of the architecture, and what its format depends on.</summary>
    private sealed class Tables(string name, Shape shape) : IPhysicalMemory
    {
        private readonly SortedDictionary<ulong, byte[]> _tables = new() { [Root] = new byte[1 << 16] };
        private readonly string[] _words = name.Split(' ');
        private ulong _next = Root + 0x10000;

        private int Number(int word) => int.Parse(_words[word], CultureInfo.InvariantCulture);

        /// <summary>An address of the kernel with these indexes, cut to the bits of each level.</summary>
        public ulong Address(Func<int, ulong> pick)
        {
            // Where both halves are in one root, the upper half of it is the kernel's.
            ulong address = _words[0] == "arm64" ? ulong.MaxValue << shape.Shift(shape.Levels) : ulong.MaxValue << (shape.Shift(shape.Levels) - 1);
            for (int level = 0; level < shape.Levels; level++)
            {
                ulong mask = (1ul << shape.Bits[level + 1]) - 1;
                if (_words[0] != "arm64" && level == shape.Levels - 1)
                    mask >>= 1;
                address |= (pick(level) & mask) << shape.Shift(level);
            }

            return address;
        }

        /// <summary>Writes a leaf and the tables above it.</summary>
        /// <returns>The addresses of the entries, the root's first.</returns>
        public ulong[] Map(ulong address, int leafShift, ulong physical)
        {
            var entries = new List<ulong>();
            ulong table = Root;
            for (int level = shape.Levels - 1; ; level--)
            {
                int shift = shape.Shift(level);
                entries.Add(table + (8 * (address >> shift & ((1ul << shape.Bits[level + 1]) - 1))));
                if (shift <= leafShift)
                {
                    Write(entries[^1], Leaf(physical, level == 0));
                    return [.. entries];
                }

                if (Word(entries[^1]) == 0)
                {
                    _tables[_next] = new byte[1 << 16];
                    Write(entries[^1], Table(_next));
                    _next += 0x10000;
                }

                table = Next(Word(entries[^1]));
            }
        }

        public void Write(ulong at, ulong entry) => BinaryPrimitives.WriteUInt64LittleEndian(Of(at).AsSpan((int)(at & 0xffff)), entry);

        public void Lose(ulong entry) => Assert.True(_tables.Remove(entry & ~0xfffful));

        public KernelAddressSpace Space() => new(this, _words[0] switch
        {
            "x86_64" => X86PageTables.Create(Number(1), 0),
            "arm64" => Arm64PageTables.Create(Number(1), Number(2)),
            _ => Riscv64PageTables.Create(Number(1)),
        }, Root);

        public MemoryStatus Read(ulong address, Span<byte> buffer)
        {
            if (!_tables.TryGetValue(address & ~0xfffful, out byte[]? table))
                return MemoryStatus.Hole;
            table.AsSpan((int)(address & 0xffff), buffer.Length).CopyTo(buffer);
            return MemoryStatus.Ok;
        }

        private ulong Table(ulong table) => _words[0] == "riscv64" ? (table >> 2) | 1 : _words[0] == "arm64" ? table | 3 : table | 0x67;

        private ulong Next(ulong entry) => _words[0] == "riscv64" ? (entry >> 10) << 12 : entry & ~0xffful;

        /// <summary>A leaf as the kernel writes one for its own data.</summary>
        private ulong Leaf(ulong physical, bool isLast)
        {
            if (_words[0] == "riscv64")
                return (physical >> 12 << 10) | 0xe7;
            if (_words[0] == "x86_64")
                return physical | 0x163 | (isLast ? 0ul : 0x80) | (1ul << 63);
            ulong entry = 0x0060_0000_0000_0400 | (isLast ? 3ul : 1ul);
            if (Number(1) == 16) // Bits 51:48 are bits 15:12.
                return entry | (physical & 0xffff_ffff_0000) | (physical >> 48 & 0xf) << 12;
            return Number(2) == 52 // LPA2: bits 51:50 are bits 9:8.
                ? entry | (physical & 0x3_ffff_ffff_f000) | (physical >> 50 & 3) << 8
                : entry | (physical & 0xffff_ffff_f000) | 0x300;
        }

        private ulong Word(ulong at) => BinaryPrimitives.ReadUInt64LittleEndian(Of(at).AsSpan((int)(at & 0xffff)));

        private byte[] Of(ulong at) => _tables[at & ~0xfffful];
    }
}
