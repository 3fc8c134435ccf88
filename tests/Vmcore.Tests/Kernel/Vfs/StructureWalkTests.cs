using System.Buffers.Binary;
using CsCheck;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel.Vfs;

/// <summary>Lists and trees of a damaged machine: every walk ends, and says why.</summary>
public sealed class StructureWalkTests
{
    private const ulong Base = 0xffff8880_01000000;

    [Fact]
    public void AListIsWalkedToItsHead()
    {
        var problems = new ProblemList();
        FakeVirtualMemory memory = Words((0, Base + 64), (64, Base + 128), (128, Base));
        Assert.Equal([Base + 64, Base + 128], StructureWalk.Circular(memory, Base, 10, "things", problems));
        Assert.Empty(problems.Texts);
    }

    [Fact]
    public void AListThatMissesItsHeadEnds()
    {
        var problems = new ProblemList();
        FakeVirtualMemory memory = Words((0, Base + 64), (64, Base + 128), (128, Base + 64));
        Assert.Equal([Base + 64, Base + 128], StructureWalk.Circular(memory, Base, 10, "things", problems));
        Assert.Contains("leads back into itself at 0xffff888001000040; 2 entries were found", Assert.Single(problems.Texts), StringComparison.Ordinal);
    }

    [Fact]
    public void AWildPointerAndALimitEndAListToo()
    {
        var wild = new ProblemList();
        Assert.Equal([Base + 64, 0x1234UL], StructureWalk.Circular(Words((0, Base + 64), (64, 0x1234)), Base, 10, "things", wild));
        Assert.Contains("breaks off at 0x1234", Assert.Single(wild.Texts), StringComparison.Ordinal);
        var many = new ProblemList();
        Assert.Equal(3, StructureWalk.Circular(Words([.. Enumerable.Range(0, 60).Select(i => (8 * i, Base + (8 * (ulong)i) + 8))]),
            Base, 3, "things", many).Count);
        Assert.Contains("more than 3 entries", Assert.Single(many.Texts), StringComparison.Ordinal);
    }

    [Fact]
    public void ATreeIsWalkedInOrder()
    {
        // Root 2 with 1 to the left and 3 to the right, whose left is 4.
        FakeVirtualMemory memory = Words((0, Base + 200), (216, Base + 100), (208, Base + 300),
            (116, 0), (108, 0), (316, Base + 400), (308, 0), (416, 0), (408, 0));
        var problems = new ProblemList();
        Assert.Equal([Base + 100, Base + 200, Base + 400, Base + 300], StructureWalk.RedBlack(memory, Base, new(16, 8), 10, "things", problems));
        Assert.Empty(problems.Texts);
    }

    [Fact]
    public void ACyclicTreeEnds()
    {
        FakeVirtualMemory memory = Words((0, Base + 200), (216, Base + 100), (208, 0), (116, Base + 200), (108, 0));
        var problems = new ProblemList();
        Assert.True(StructureWalk.RedBlack(memory, Base, new(16, 8), 10, "things", problems).Count() <= 2);
        Assert.Contains("damaged", Assert.Single(problems.Texts), StringComparison.Ordinal);
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
            Assert.InRange(MapleWalk.Entries(memory, Base, layout, new()).Count(), 0, 16 * 16 * 4);
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
        var problems = new ProblemList();
        var memory = new FakeVirtualMemory().Add(Base, bytes);
        Assert.Equal([Base + 0x10000, Base + 0x11000, Base + 0x12000], MapleWalk.Entries(memory, Base, new(new(Types())), problems));
        Assert.Empty(problems.Texts);
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
