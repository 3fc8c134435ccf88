using System.Buffers.Binary;
using System.Text;
using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>Namespaces of synthetic machines against what real kernels were seen to do.</summary>
public sealed class SyntheticPmemTests
{
    private const ulong Base = 4ul << 30, MiB = 1 << 20;

    [Theory]
    [InlineData(256, 6, 64000, 1024, 0x3, 0x3)]
    [InlineData(128, 4, 31744, 512, 0x3, 0)]
    [InlineData(192, 4, 48128, 512, 0x3, 0x13)]
    [InlineData(112, 2, 28160, 0, 0x13, 0)]
    public void MemmapLiesWhereTheKernelPutsIt(int size, int dataOffset, int pages, int onMedia, int firstSection, int secondSection)
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machine((ulong)size * MiB, new());
        Assert.Equal((ulong)dataOffset * MiB, space.DataOffset);
        Assert.Equal((ulong)pages, space.DataPages);
        var walker = new CoreWalker(machine.Core());
        Assert.Equal((ulong)firstSection, walker.SectionWord(Base >> 12) & 0x3f);
        Assert.Equal((ulong)secondSection, walker.SectionWord((Base >> 12) + 0x8000) & 0x3f);

        var found = new SortedSet<ulong>();
        for (ulong va = walker.PageAddress(Base >> 12), end = walker.PageAddress((Base >> 12) + (ulong)size * 256 - 1); va < end; va += 4096)
        {
            ulong physical = walker.Walk(va)!.Value;
            if (physical >= Base)
                found.Add(physical >> 12);
        }

        Assert.Equal(onMedia, found.Count);
        Assert.Equal(space.MemmapPfns, found);
        found.Add((Base >> 12) + 1);
        Assert.Equal(found, machine.PmemMetadataPfns);
        if (onMedia > 0)
            Assert.Equal((Base >> 12) + 512, space.MemmapPfns[0]);
    }

    [Fact]
    public void StructPagesOfTheNamespaceLookAsSeen()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machine(256 * MiB, new());
        space.MapFile(10, 3, 0xffff888012345678, 7);
        var walker = new CoreWalker(machine.Core());
        ulong first = Base >> 12;
        Assert.Equal(0ul, walker.PageWord(first, 0));
        Assert.Equal(walker.PageAddress(first + 2) + 8, walker.PageWord(first + 2, 8));
        Assert.Equal(walker.PageAddress(first + 2) + 8, walker.PageWord(first + 2, 16));
        ulong data = space.DataPfn;
        Assert.Equal(4ul, walker.PageWord(data, 0) >> 51 & 7);
        Assert.Equal(space.PgmapAddress, walker.PageWord(data, 8));
        Assert.Equal(0xffff888012345678, walker.PageWord(data + 12, 24));
        Assert.Equal(9ul, walker.PageWord(data + 12, 32));
        Assert.Equal(first, walker.VirtualWord(space.PgmapAddress));
        Assert.Equal(1024ul, walker.VirtualWord(space.PgmapAddress + 40));
    }

    [Fact]
    public void InfoBlockHasItsChecksum()
    {
        (SyntheticMachine machine, _) = Machine(256 * MiB, new() { Mode = SyntheticPmemMode.DevDax });
        byte[] block = machine.PageContent((Base >> 12) + 1);
        Assert.Equal("NVDIMM_DAX_INFO\0", Encoding.ASCII.GetString(block, 0, 16));
        ulong sum = BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(4088));
        block.AsSpan(4088).Clear();
        Assert.Equal(sum, InfoBlockWriter.Fletcher64(block));
        Assert.Equal(0x600000ul, BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(56)));
    }

    [Theory]
    [InlineData(SyntheticPmemState.Live, true, SyntheticPmemMap.Dev, 1025)]
    [InlineData(SyntheticPmemState.Live, true, SyntheticPmemMap.Mem, 1)]
    [InlineData(SyntheticPmemState.LiveInfoBlockLost, true, SyntheticPmemMap.Dev, 1024)]
    [InlineData(SyntheticPmemState.MemmapOverwritten, true, SyntheticPmemMap.Dev, 1025)]
    [InlineData(SyntheticPmemState.Destroyed, false, SyntheticPmemMap.Dev, 0)]
    public void OnlyMetadataIsKeptAndItHoldsNoUserData(SyntheticPmemState state, bool sections, SyntheticPmemMap map, int metadata)
    {
        (SyntheticMachine machine, _) = Machine(256 * MiB, new() { State = state, Map = map, StaleReserve = true, FakeInfoBlocksInData = true });
        CoreImage core = machine.Core(new() { Pmem = PmemSegments.WholeRegionsUnmarked });
        Assert.Equal(sections, new CoreWalker(core).SectionWord(Base >> 12) != 0);
        IReadOnlyDictionary<ExpectedVerdict, ulong> counts = machine.Count(core, 63);
        Assert.Equal((ulong)metadata, counts[ExpectedVerdict.PmemMetadata]);
        Assert.Equal((300ul * 256) - (ulong)metadata, counts[ExpectedVerdict.PmemUserData]);
        byte[] mark = "SYN-PMEM-"u8.ToArray();
        foreach (ulong pfn in machine.PmemMetadataPfns)
        {
            Assert.NotEqual(ExpectedVerdict.PmemUserData, machine.Verdict(pfn, 0));
            Assert.True(machine.PageContent(pfn).AsSpan().IndexOf(mark) < 0);
        }
    }

    [Fact]
    public void ListOfTheKernelNamesWhatTheRfcNames()
    {
        var machine = new SyntheticMachine(new() { RfcList = true });
        machine.AddRam(0x100000, 127 * MiB);
        PmemRegion region = machine.AddPmem(Base, 512 * MiB);
        SyntheticNamespace first = region.AddNamespace(0, 128 * MiB);
        region.AddNamespace(128 * MiB, 128 * MiB, new() { Map = SyntheticPmemMap.Mem });
        SyntheticNamespace last = region.AddNamespace(256 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.DevDax });
        var walker = new CoreWalker(machine.Core());
        ulong head = walker.Hex("SYMBOL(devm_memmap_vmcore_head)");
        var found = new List<(ulong, ulong)>();
        for (ulong node = walker.VirtualWord(head); node != head && found.Count < 10; node = walker.VirtualWord(node))
            found.Add((walker.VirtualWord(node + 16), walker.VirtualWord(node + 24)));
        Assert.Equal([(last.Start >> 12, last.DataPfn), (first.Start >> 12, first.DataPfn)], found);
    }

    private static (SyntheticMachine Machine, SyntheticNamespace Space) Machine(ulong size, PmemNamespaceOptions options)
    {
        var machine = new SyntheticMachine();
        machine.AddRam(0x100000, 127 * MiB);
        return (machine, machine.AddPmem(Base, 300 * MiB).AddNamespace(0, size, options));
    }
}
