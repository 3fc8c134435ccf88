using System.Buffers.Binary;
using CsCheck;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>Lists and trees of a damaged machine: every walk ends, and says why.</summary>
public sealed class KernelWalkTests
{
    private const ulong Base = 0xffff8880_01000000;

    private readonly WalkOutcome _outcome = new();

    /// <summary>Node 64 follows the head, 128 follows it, and then comes what ends the list.</summary>
    [Theory]
    [InlineData(Base, 10, WalkEnd.Complete, 0, 2)]
    [InlineData(Base + 64, 10, WalkEnd.Cycle, Base + 64, 2)]
    [InlineData(Base + 128, 10, WalkEnd.Cycle, Base + 128, 2)]
    [InlineData(0, 10, WalkEnd.Null, Base + 128, 2)]
    [InlineData(0x1234, 10, WalkEnd.Unreadable, 0x1234, 3)]
    [InlineData(ulong.MaxValue - 3, 10, WalkEnd.Unreadable, ulong.MaxValue - 3, 3)]
    [InlineData(Base, 2, WalkEnd.Complete, 0, 2)]
    [InlineData(Base, 1, WalkEnd.Limit, Base + 128, 1)]
    [InlineData(Base, 0, WalkEnd.Limit, Base + 64, 0)]
    public void ACircularListSaysWhyItEnds(ulong last, int limit, WalkEnd end, ulong at, int count)
    {
        foreach (int link in (ReadOnlySpan<int>)[0, 8])
        {
            FakeVirtualMemory memory = Words((link, Base + 64), (64 + link, Base + 128), (128 + link, last));
            ulong[] entries = [.. ListWalk.Circular(memory, Base, limit, _outcome, (ulong)link)];
            Assert.Equal(new ulong[] { Base + 64, Base + 128, last }[..count], entries);
            Expect(end, at, count);
        }
    }

    /// <summary>Four entries; what is behind one that cannot be read is found from the other end, once each and in order.</summary>
    [Theory]
    [InlineData(0, "64 128 192 256", true)]
    [InlineData(64, "64 128 192 256", false)]
    [InlineData(128, "64 128 192 256", false)]
    [InlineData(256, "64 128 192 256", false)]
    public void ABrokenListIsWalkedFromBothEnds(int missing, string expected, bool isComplete)
    {
        int[] nodes = [0, 64, 128, 192, 256];
        List<(int, ulong)> words = [];
        for (int i = 0; i < nodes.Length; i++)
        {
            if (nodes[i] == missing && missing != 0)
                continue;
            words.Add((nodes[i], Base + (ulong)nodes[(i + 1) % nodes.Length]));
            words.Add((nodes[i] + 8, Base + (ulong)nodes[(i + nodes.Length - 1) % nodes.Length]));
        }

        List<ulong> found = ListWalk.CircularBothWays(Words([.. words]), Base, 10, _outcome);
        Assert.Equal(expected.Split(' ').Select(n => Base + ulong.Parse(n, System.Globalization.CultureInfo.InvariantCulture)).Order(), found.Order());
        Assert.Equal(isComplete, _outcome.IsComplete);
        Assert.Equal(found.Order(), found);
    }

    /// <summary>A pointer at 0 leads to 64, that of it to 128, and then comes what ends the chain.</summary>
    [Theory]
    [InlineData(0, 10, WalkEnd.Complete, 0, 2)]
    [InlineData(Base + 64, 10, WalkEnd.Cycle, Base + 64, 2)]
    [InlineData(0x1234, 10, WalkEnd.Unreadable, 0x1234, 3)]
    [InlineData(0, 1, WalkEnd.Limit, Base + 128, 1)]
    public void AListThatEndsInNullSaysWhyItEnds(ulong last, int limit, WalkEnd end, ulong at, int count)
    {
        FakeVirtualMemory memory = Words((0, Base + 64), (64 + 24, Base + 128), (128 + 24, last));
        ulong[] entries = [.. ListWalk.Singly(memory, Base, 24, limit, _outcome)];
        Assert.Equal(new ulong[] { Base + 64, Base + 128, last }[..count], entries);
        Expect(end, at, count);
        Assert.Empty(ListWalk.Singly(Words(), Base, 24, limit, _outcome));
        Expect(WalkEnd.Complete, 0, 0);
        Assert.Empty(ListWalk.Singly(memory, Base + 0x10000, 24, limit, _outcome));
        Assert.Equal(WalkEnd.Unreadable, _outcome.End);
    }

    /// <summary>The node itself is the first entry; a chain may end in NULL or where it began, but nowhere else.</summary>
    [Theory]
    [InlineData(0, 10, WalkEnd.Complete, 0, 3)]
    [InlineData(Base, 10, WalkEnd.Complete, 0, 3)]
    [InlineData(Base + 64, 10, WalkEnd.Cycle, Base + 64, 3)]
    [InlineData(0x1234, 10, WalkEnd.Unreadable, 0x1234, 4)]
    [InlineData(0, 2, WalkEnd.Limit, Base + 128, 2)]
    public void AChainStartsWithItsFirstNode(ulong last, int limit, WalkEnd end, ulong at, int count)
    {
        FakeVirtualMemory memory = Words((24, Base + 64), (64 + 24, Base + 128), (128 + 24, last));
        ulong[] entries = [.. ListWalk.Chain(memory, Base, 24, limit, _outcome)];
        Assert.Equal(new ulong[] { Base, Base + 64, Base + 128, last }[..count], entries);
        Expect(end, at, count);
    }

    /// <summary>A walk that is given up is neither complete nor damaged, and one outcome serves for several walks.</summary>
    [Fact]
    public void AWalkThatIsGivenUpIsUnfinished()
    {
        FakeVirtualMemory memory = Words((0, Base + 64), (64, Base + 128), (128, 0x1234));
        Assert.Equal(Base + 64, ListWalk.Circular(memory, Base, 10, _outcome).First());
        Expect(WalkEnd.Unfinished, 0, 1);
        Assert.Equal(3, ListWalk.Circular(memory, Base, 10, _outcome).Count());
        Expect(WalkEnd.Unreadable, 0x1234, 3);
        Assert.Equal(2, ListWalk.Circular(Words((0, Base + 64), (64, Base + 128), (128, Base)), Base, 10, _outcome).Count());
        Expect(WalkEnd.Complete, 0, 2);
    }

    [Fact]
    public void ATreeIsWalkedInOrder()
    {
        // Root 2 with 1 to the left and 3 to the right, whose left is 4.
        FakeVirtualMemory memory = Words((0, Base + 200), (216, Base + 100), (208, Base + 300),
            (116, 0), (108, 0), (316, Base + 400), (308, 0), (416, 0), (408, 0));
        Assert.Equal([Base + 100, Base + 200, Base + 400, Base + 300], RedBlackWalk.Run(memory, Base, new(16, 8), 10, _outcome));
        Expect(WalkEnd.Complete, 0, 4);
        Assert.Empty(RedBlackWalk.Run(Words(), Base, new(16, 8), 10, _outcome));
        Expect(WalkEnd.Complete, 0, 0);
    }

    [Fact]
    public void ADamagedTreeEndsOrLosesABranch()
    {
        FakeVirtualMemory cyclic = Words((0, Base + 200), (216, Base + 100), (208, 0), (116, Base + 200), (108, 0));
        Assert.Empty(RedBlackWalk.Run(cyclic, Base, new(16, 8), 10, _outcome));
        Expect(WalkEnd.Cycle, Base + 200, 0);

        FakeVirtualMemory wild = Words((0, Base + 200), (216, 0x1234), (208, Base + 300));
        Assert.Equal([0x1234UL, Base + 200, Base + 300], RedBlackWalk.Run(wild, Base, new(16, 8), 10, _outcome));
        Expect(WalkEnd.Unreadable, 0x1234, 3);

        FakeVirtualMemory large = Words((0, Base + 200), (216, Base + 100), (208, Base + 300));
        Assert.Single(RedBlackWalk.Run(large, Base, new(16, 8), 2, _outcome).Skip(1));
        Expect(WalkEnd.Limit, Base + 300, 2);
        Assert.Empty(RedBlackWalk.Run(large, 0x1234, new(16, 8), 2, _outcome));
        Expect(WalkEnd.Unreadable, 0x1234, 0);
    }

    // xa_head at 0; nodes have shift at 0 and slots at 8.
    private static readonly XArrayLayout s_array = new(0, 0, 8, 16);

    private static ulong Node(int at) => Base + (ulong)at + 2;

    [Fact]
    public void AnXArrayIsWalkedByAscendingIndex()
    {
        // Two levels of 16 slots: a leaf below slot 1 and one below slot 3, an entry that spans slot 2, its sibling in none.
        FakeVirtualMemory memory = Words((0, Node(64)), (64, 4), (72 + 8, Node(256)), (72 + 16, 0x77), (72 + 24, Node(448)),
            (256, 0), (264, 0x11), (264 + 40, 0x15), (264 + 48, (5 << 2) | 2), (448, 0), (456 + 120, Base + 0x8000));
        Assert.Equal([new XArrayEntry(16, 0x11), new(21, 0x15), new(32, 0x77), new(63, Base + 0x8000)],
            XArrayWalk.Run(memory, Base, s_array, _outcome));
        Expect(WalkEnd.Complete, 0, 4);
        Assert.Equal([new XArrayEntry(0, 0x33)], XArrayWalk.Run(Words((0, 0x33)), Base, s_array, _outcome));
        Assert.Empty(XArrayWalk.Run(Words(), Base, s_array, _outcome));
        Expect(WalkEnd.Complete, 0, 0);
    }

    /// <summary>A branch that is damaged is lost, one that leads back ends the walk; the entries before it stay.</summary>
    [Theory]
    [InlineData(Base + 64 + 2, 0, WalkEnd.Cycle, Base + 64, 1)]
    [InlineData(Base + 0x10000 + 2, 0, WalkEnd.Unreadable, Base + 0x10000, 2)]
    [InlineData(Base + 448 + 2, 4, WalkEnd.Damaged, Base + 448, 2)]
    [InlineData(Base + 448 + 2, 255, WalkEnd.Damaged, Base + 448, 2)]
    [InlineData(Base + 448 + 2, 0, WalkEnd.Complete, 0, 3)]
    public void ADamagedXArrayLosesABranch(ulong slot, int shift, WalkEnd end, ulong at, int count)
    {
        FakeVirtualMemory memory = Words((0, Node(64)), (64, 4), (72, 0x11), (80, slot), (88, 0x15), (448, (ulong)shift), (456, 0x19));
        Assert.Equal(count, XArrayWalk.Run(memory, Base, s_array, _outcome).Count());
        Expect(end, at, count);
    }

    [Fact]
    public void XArraysOfGarbageEnd()
    {
        Gen.Int[0, 9].Array[128].Sample(picks =>
        {
            ulong[] values = [.. picks.Select((p, i) =>
                p switch { 0 => 0UL, 1 => ulong.MaxValue, 2 => (ulong)i, 3 => 4UL, _ => Node(64 * (1 + ((p + i) % 14))) })];
            FakeVirtualMemory memory = Words([(0, Node(64)), .. values.Skip(1).Select((v, i) => (8 * (i + 1), v))]);
            var outcome = new WalkOutcome();
            Assert.InRange(XArrayWalk.Run(memory, Base, s_array, outcome).Count(), 0, 16 * 16);
            Assert.NotEqual(WalkEnd.Unfinished, outcome.End);
        });
    }

    /// <summary>Whatever stands in memory, a tree of mappings ends.</summary>
    [Fact]
    public void MapleTreesOfGarbageEnd()
    {
        var layout = new MapleLayout(new(Types()));
        Gen.Int[0, 7].Array[512].Sample(picks =>
        {
            byte[] bytes = new byte[4096];
            for (int i = 0; i < picks.Length; i++)
            {
                ulong value = picks[i] switch
                {
                    0 => 0,
                    1 => ulong.MaxValue,
                    2 => (ulong)i * 4096,
                    _ => Base + (256UL * (ulong)(picks[i] + (i % 9))) + (((ulong)i % 5) << 3) + 6,
                };
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 * i), value);
            }

            BinaryPrimitives.WriteUInt64LittleEndian(bytes, Base + 256 + (3 << 3) + 6);
            var memory = new FakeVirtualMemory().Add(Base, bytes);
            Assert.InRange(MapleWalk.Run(memory, Base, layout, new()).Count(), 0, 16 * 16 * 4);
        });
    }

    [Fact]
    public void AMapleTreeOfTwoLevelsIsWalked()
    {
        byte[] bytes = new byte[2048];
        void Put(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);

        // The root is tagged, a node of three levels down to leaves of 16 slots; slots behind the closing pivot are rubbish.
        Put(0, Base + 256 + (3 << 3) + 6);
        Put(256 + 8, 0x4fff);
        Put(256 + 16, ulong.MaxValue);
        Put(256 + 80, Base + 512 + (1 << 3) + 4);
        Put(256 + 88, Base + 1024 + (1 << 3) + 4);
        Put(256 + 96, Base + 512 + (1 << 3) + 4);
        Put(512 + 8, 0xfff);
        Put(512 + 16, 0x4fff);
        Put(512 + 136, Base + 0x10000);
        Put(512 + 144, Base + 0x11000);
        Put(512 + 152, Base + 0x66000);
        Put(1024 + 8, 0x5fff);
        Put(1024 + 16, 0x6fff);
        Put(1024 + 24, ulong.MaxValue);
        Put(1024 + 144, Base + 0x12000);
        var memory = new FakeVirtualMemory().Add(Base, bytes);
        var layout = new MapleLayout(new(Types()));
        Assert.Equal([Base + 0x10000, Base + 0x11000, Base + 0x12000], MapleWalk.Run(memory, Base, layout, _outcome));
        Expect(WalkEnd.Complete, 0, 3);

        // A leaf of an unknown kind, one that cannot be read, and one that is met again: the second time it is not walked.
        foreach ((ulong child, WalkEnd end, ulong at, int count) in (ReadOnlySpan<(ulong, WalkEnd, ulong, int)>)[
            (Base + 512 + (7 << 3) + 4, WalkEnd.Damaged, Base + 512, 1), (Base + 0x10000 + (1 << 3) + 4, WalkEnd.Unreadable, Base + 0x10000, 1),
            (Base + 1024 + (1 << 3) + 4, WalkEnd.Cycle, Base + 1024, 0)])
        {
            Put(256 + 80, child);
            Assert.Equal(count, MapleWalk.Run(memory, Base, layout, _outcome).Count(a => a == Base + 0x12000));
            Expect(end, at, count);
        }
    }

    private void Expect(WalkEnd end, ulong at, int count)
    {
        Assert.Equal((end, at, count), (_outcome.End, _outcome.Address, _outcome.Count));
        Assert.Equal(end == WalkEnd.Complete, _outcome.IsComplete);
    }

    private static KernelTypes Types()
    {
        var builder = new BtfBuilder();
        builder.Composite(BtfKind.Struct, "maple_range_64", 256, ("pivot", 0, 8 * 8), ("slot", 0, 136 * 8));
        builder.Composite(BtfKind.Struct, "maple_arange_64", 256, ("pivot", 0, 8 * 8), ("slot", 0, 80 * 8), ("gap", 0, 160 * 8));
        return KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
    }

    private static FakeVirtualMemory Words(params (int At, ulong Value)[] words)
    {
        byte[] bytes = new byte[1024];
        foreach ((int at, ulong value) in words)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);
        return new FakeVirtualMemory().Add(Base, bytes);
    }
}
