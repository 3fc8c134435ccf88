using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Architectures.X86_64;
using Vmcore.Memory;

namespace Vmcore.Tests.Architectures.X86_64;

public sealed class X86AddressSpaceTests
{
    private const ulong Present = 1, Large = 0x80, PatLarge = 0x1000, NoExecute = 1ul << 63, Root = 0x1000;

    [Theory]
    [InlineData(4, 0xffff888000000000ul)]
    [InlineData(5, 0xff11000000000000ul)]
    public void EachLeafSizeIsTranslated(int levels, ulong va)
    {
        var tables = new Tables(levels);
        tables.Map(va, 12, 0x12345000 | Present | NoExecute);
        tables.Map(va + (1ul << 30), 21, 0x40000000 | Present | Large);
        tables.Map(va + (2ul << 30), 30, 0x8000000000 | Present | Large);
        KernelAddressSpace space = tables.Space();
        Assert.Equal(levels, space.Levels);
        Assert.Equal(new Translation(MemoryStatus.Ok, 0x12345678, 4096), space.Translate(va + 0x678));
        Assert.Equal(new Translation(MemoryStatus.Ok, 0x401fffff, 1ul << 21), space.Translate(va + (1ul << 30) + 0x1fffff));
        Assert.Equal(new Translation(MemoryStatus.Ok, 0x803fffffff, 1ul << 30), space.Translate(va + (2ul << 30) + 0x3fffffff));
    }

    /// <summary>Bit 12 of a large leaf is PAT, not address.</summary>
    [Fact]
    public void PatOfLargeLeavesIsNoAddress()
    {
        var tables = new Tables(4);
        tables.Map(0xffff888000000000, 21, 0x40000000 | Present | Large | PatLarge);
        tables.Map(0xffff888040000000, 30, 0x80000000 | Present | Large | PatLarge);
        KernelAddressSpace space = tables.Space();
        Assert.Equal(0x40000123ul, space.Translate(0xffff888000000123).PhysicalAddress);
        Assert.Equal(0x80000123ul, space.Translate(0xffff888040000123).PhysicalAddress);
    }

    /// <summary>In a leaf of 4 KiB bit 7 is PAT, and bit 12 is address.</summary>
    [Fact]
    public void PatOfSmallLeavesIsNoSize()
    {
        var tables = new Tables(4);
        tables.Map(0xffff888000000000, 12, 0x3000 | Present | Large);
        Assert.Equal(new Translation(MemoryStatus.Ok, 0x3010, 4096), tables.Space().Translate(0xffff888000000010));
    }

    [Theory]
    [InlineData(1ul << 47)]
    [InlineData(1ul << 51)]
    public void TheEncryptionBitIsTakenOutAtEachLevel(ulong sme)
    {
        var tables = new Tables(4) { Extra = sme };
        tables.Map(0xffffea0000000000, 12, 0x5000 | Present | sme);
        tables.Map(0xffffea0000200000, 21, 0x600000 | Present | Large | sme);
        KernelAddressSpace space = tables.Space(sme);
        Assert.Equal(0x5008ul, space.Translate(0xffffea0000000008).PhysicalAddress);
        Assert.Equal(0x600008ul, space.Translate(0xffffea0000200008).PhysicalAddress);
        Assert.Equal(MemoryStatus.PageTableMissing, tables.Space().Translate(0xffffea0000000008).Status);
    }

    [Fact]
    public void HolesAreSkippedByTheirSize()
    {
        var tables = new Tables(4);
        tables.Map(0xffff888000000000, 12, 0x3000 | Present);
        KernelAddressSpace space = tables.Space();
        Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 4096), space.Translate(0xffff888000001000));
        Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 1ul << 21), space.Translate(0xffff888000200000));
        Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 1ul << 30), space.Translate(0xffff888040000000));
        Assert.Equal(new Translation(MemoryStatus.NotMapped, 0, 1ul << 39), space.Translate(0xffff890000000000));
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(0x1000).Status);
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(0x0000888000000000).Status);
    }

    [Fact]
    public void MissingTablesAreNotTakenForHoles()
    {
        var tables = new Tables(5);
        tables.Map(0xff11000000000000, 12, 0x3000 | Present);
        tables.Drop(0xff11000000000000, 1);
        KernelAddressSpace space = tables.Space();
        Assert.Equal(new Translation(MemoryStatus.PageTableMissing, 0, 1ul << 21), space.Translate(0xff11000000000000));
        Assert.Empty(space.FindMapped(0xff11000000000000, 0xff11000000200000, 10, out int missing));
        Assert.Equal(1, missing);
        Assert.Equal(MemoryStatus.PageTableMissing, space.Read(0xff11000000000000, new byte[8]));
    }

    [Fact]
    public void NeighbouringLeavesAreOneRun()
    {
        const ulong Va = 0xffffea0000000000;
        var tables = new Tables(4);
        for (ulong i = 0; i < 3; i++)
            tables.Map(Va + (i << 21), 21, (0x400000 + (i << 21)) | Present | Large);
        tables.Map(Va + (3ul << 21), 21, 0x1000000 | Present | Large);
        tables.Map(Va + (5ul << 21), 21, 0xa00000 | Present | Large);
        KernelAddressSpace space = tables.Space();
        IReadOnlyList<MappedRun> runs = space.FindMapped(Va + 0x1000, Va + (5ul << 21) + 0x2000, 100, out int missing);
        Assert.Equal(0, missing);
        Assert.Equal([new(Va + 0x1000, 0x401000, (6 << 20) - 0x1000),
            new(Va + (3ul << 21), 0x1000000, 2 << 20), new(Va + (5ul << 21), 0xa00000, 0x2000)], runs);
        Assert.Equal(2, space.FindMapped(Va, ulong.MaxValue, 2, out _).Count);
        Assert.Empty(space.FindMapped(Va, Va, 2, out _));
    }

    /// <summary>A walk ends at the last level, whatever a table that contains itself says.</summary>
    [Fact]
    public void TablesThatContainThemselvesEnd()
    {
        var tables = new Tables(4);
        for (int i = 256; i < 512; i++)
            tables.Write(Root + ((ulong)i * 8), Root | Present);
        Translation translation = tables.Space().Translate(ulong.MaxValue - 5);
        Assert.Equal(new Translation(MemoryStatus.Ok, Root | 0xffa, 4096), translation);
    }

    [Fact]
    public void ReadsCrossPages()
    {
        var tables = new Tables(4);
        tables.Map(0xffff888000000000, 12, 0x800000 | Present);
        tables.Map(0xffff888000001000, 12, 0x900000 | Present);
        tables.Write(0x800ff8, 0x1111111111111111);
        tables.Write(0x900000, 0x2222222222222222);
        byte[] bytes = new byte[16];
        Assert.Equal(MemoryStatus.Ok, tables.Space().Read(0xffff888000000ff8, bytes));
        Assert.Equal("11111111111111112222222222222222", Convert.ToHexString(bytes));
        Assert.Equal(MemoryStatus.NotMapped, tables.Space().Read(0xffff888000001ff8, bytes));
    }

    /// <summary>Page tables written by hand into a sparse memory.</summary>
    private sealed class Tables(int levels) : IPhysicalMemory
    {
        private readonly Dictionary<ulong, byte[]> _pages = new() { [1] = new byte[4096], [0x800] = new byte[4096], [0x900] = new byte[4096] };
        private ulong _next = 0x10000;

        /// <summary>Bits in the entries that name tables.</summary>
        public ulong Extra { get; init; }

        public KernelAddressSpace Space(ulong sme = 0) => new(this, X86PageTables.Create(levels, sme), Root);

        public void Map(ulong va, int leafShift, ulong entry)
        {
            ulong table = Root;
            int shift = 12 + (9 * (levels - 1));
            for (; shift > leafShift; shift -= 9)
            {
                ulong slot = table + ((va >> shift & 511) * 8);
                if (Word(slot) == 0)
                {
                    _pages[_next >> 12] = new byte[4096];
                    Write(slot, _next | Present | Extra);
                    _next += 4096;
                }

                table = Word(slot) & 0x7ffffffff000;
                if (Extra == 1ul << 47)
                    table &= ~Extra;
            }

            Write(table + ((va >> shift & 511) * 8), entry);
        }

        /// <summary>Loses the table that lies this many levels below the one before the last.</summary>
        public void Drop(ulong va, int level)
        {
            ulong table = Root;
            for (int shift = 12 + (9 * (levels - 1)); shift > 12 + (9 * (level - 1)); shift -= 9)
                table = Word(table + ((va >> shift & 511) * 8)) & 0x7ffffffff000;
            Assert.True(_pages.Remove(table >> 12));
        }

        public void Write(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_pages[address >> 12].AsSpan((int)(address & 4095)), value);

        public MemoryStatus Read(ulong address, Span<byte> buffer)
        {
            if (!_pages.TryGetValue(address >> 12, out byte[]? page))
                return MemoryStatus.Hole;
            page.AsSpan((int)(address & 4095), buffer.Length).CopyTo(buffer);
            return MemoryStatus.Ok;
        }

        private ulong Word(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(_pages[address >> 12].AsSpan((int)(address & 4095)));
    }
}
