using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

public sealed class ResourceTreeTests
{
    private const ulong Base = 0xffff8880_01000000;
    private const int Slot = 64;
    private const int Names = 256 * Slot;
    private static readonly int[] s_default = [0, 8, 16, 24, 32, 40, 48, 56];

    private const string Iomem =
        """
        00001000-0009fbff : System RAM
        00100000-7fffffff : System RAM
          01000000-01ffffff : Kernel code
        100000000-11bdfffff : Persistent Memory
          100000000-10fffffff : namespace0.0
          110400000-117ffffff : dax0.1
            112000000-117ffffff : System RAM (kmem)
        fffffffff0000000-ffffffffffffffff : last

        """;

    [Fact]
    public void TheTreeIsWhatProcIomemShows()
    {
        ResourceTree tree = Load(Machine(), null);
        Assert.True(tree.IsComplete);
        Assert.Equal(Iomem, tree.ToIomem());
        Assert.Equal((0UL, ulong.MaxValue, "PCI mem"), (tree.Root.Start, tree.Root.End, tree.Root.Name));
    }

    [Fact]
    public void NodesKnowWhatTheyAre()
    {
        ResourceTree tree = Load(Machine(), null);
        KernelResource pmem = Assert.Single(tree.PersistentMemory());
        Assert.Equal("[0x100000000 - 0x11be00000) Persistent Memory", pmem.ToString());
        Assert.Equal(4u, pmem.Descriptor);
        Assert.Equal(["namespace0.0", "dax0.1"], pmem.Children.Select(c => c.Name));
        Assert.All(pmem.Children, c => Assert.Same(pmem, c.Parent));
        Assert.Equal([1, 2, 2, 3], pmem.SelfAndDescendants().Select(c => c.Depth));
        Assert.Equal(["System RAM", "System RAM", "System RAM (kmem)"], tree.All().Where(n => n.IsSystemRam).Select(n => n.Name));
        Assert.Equal(ulong.MaxValue, tree.Root.Children[^1].End);
    }

    [Fact]
    public void OffsetsComeFromTheTypes()
    {
        int[] offsets = [8, 0, 48, 40, 60, 32, 24, 16];
        string[] names = ["start", "end", "name", "flags", "desc", "parent", "sibling", "child"];
        var builder = new BtfBuilder();
        builder.Composite(BtfKind.Struct, "resource", 64, [.. names.Select((n, i) => (n, 0u, (uint)offsets[i] * 8))]);
        byte[] bytes = Machine(offsets);
        Assert.Equal(Iomem, Load(bytes, KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!)).ToIomem());
        Assert.Null(ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void TypesThatDoNotTellGiveTheUsualLayout()
    {
        var builder = new BtfBuilder();
        builder.Composite(BtfKind.Struct, "resource", 64, ("start", 0, 64));
        Assert.Equal(Iomem, Load(Machine(), KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!)).ToIomem());
    }

    [Fact]
    public void TheSymbolLeadsToTheTree()
    {
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(Base, Machine());
        Assert.Equal(Iomem, ResourceTree.TryLoad(Symbols(new KernelSymbol(Base, 'D', "iomem_resource")), memory, null, out string? problem)!.ToIomem());
        Assert.Null(problem);
        Assert.Null(ResourceTree.TryLoad(Symbols(), memory, null, out problem));
        Assert.Contains("iomem_resource", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void ANameThatDanglesIsEmpty()
    {
        byte[] bytes = Machine();
        Put(bytes, 4, 2, 0xffffffffc0001234);
        Put(bytes, 5, 2, 0);
        ResourceTree tree = Load(bytes, null);
        Assert.Equal(2, tree.All().Count(n => n.Name.Length == 0));
        Assert.Equal(8, tree.All().Count());
        Assert.True(tree.IsComplete);
    }

    [Theory]
    [InlineData(5, 6, 4, "cycle")]
    [InlineData(6, 7, 6, "cycle")]
    [InlineData(3, 6, 0, "cycle")]
    [InlineData(5, 7, 250, "parent")]
    [InlineData(6, 5, 3, "parent")]
    [InlineData(5, 6, 1 << 20, "cannot be read")]
    public void APointerThatLiesCutsTheTreeThere(int node, int member, int target, string what)
    {
        byte[] bytes = Machine();
        Put(bytes, node, member, Base + ((ulong)target * Slot));
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.Contains(what, problem, StringComparison.Ordinal);
        Assert.False(tree!.IsComplete);
        Assert.All(tree.ToIomem().Split('\n'), line => Assert.Contains(line, Iomem, StringComparison.Ordinal));
        Assert.Contains("Kernel code", tree.ToIomem(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(5, 0, 0xfffff000)]
    [InlineData(5, 1, 0x1ffffffff)]
    [InlineData(5, 1, 0x1000)]
    [InlineData(6, 0, 0x10f000000)]
    public void ARangeOutsideOfItsPlaceCutsTheTreeThere(int node, int member, ulong value)
    {
        byte[] bytes = Machine();
        Put(bytes, node, member, value);
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.NotNull(problem);
        Assert.False(tree!.IsComplete);
        Assert.Contains("last", tree.ToIomem(), StringComparison.Ordinal);
        Assert.DoesNotContain("kmem", tree.ToIomem(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1UL)]
    [InlineData(1, 0UL)]
    [InlineData(5, Base)]
    [InlineData(6, Base + Slot)]
    [InlineData(7, 0x1234UL)]
    public void ARootThatIsNoneIsRefused(int member, ulong value)
    {
        byte[] bytes = Machine();
        Put(bytes, 0, member, value);
        Assert.Null(ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void AnEmptyTreeIsATree()
    {
        byte[] bytes = Machine();
        Put(bytes, 0, 7, 0);
        Assert.Equal("", Load(bytes, null).ToIomem());
    }

    [Fact]
    public void DepthIsBounded()
    {
        const int Nodes = 100;
        byte[] bytes = new byte[(Nodes * Slot) + 64];
        for (int i = 0; i < Nodes; i++)
            Write(bytes, s_default, i, 0, 0xffff, 0, 0, 0, i - 1, -1, i + 1 < Nodes ? i + 1 : -1);
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.Contains("deeper than 64", problem, StringComparison.Ordinal);
        Assert.Equal(64, tree!.All().Count());
    }

    [Fact]
    public void TheNumberOfNodesIsBounded()
    {
        const int Nodes = 70_000;
        byte[] bytes = new byte[Nodes * Slot];
        Write(bytes, s_default, 0, 0, ulong.MaxValue, 0, 0, 0, -1, -1, 1);
        for (int i = 1; i < Nodes; i++)
            Write(bytes, s_default, i, (ulong)i << 12, ((ulong)i << 12) + 0xfff, 0, 0, 0, 0, i + 1 < Nodes ? i + 1 : -1, -1);
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.Contains("65536", problem, StringComparison.Ordinal);
        Assert.Equal(65536, tree!.All().Count());
    }

    [Fact]
    public void TruncatedMemoryNeverThrows()
    {
        byte[] bytes = Machine();
        for (int length = 0; length < 10 * Slot; length += 8)
            Use(bytes[..length]);
    }

    [Fact]
    public void DamageNeverThrows()
    {
        byte[] good = Machine();
        var pointers = Gen.Int[0, 12].Select(slot => Base + ((ulong)slot * Slot));
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 7], Gen.OneOf(pointers, pointers, Gen.ULong, Gen.ULong[0, 1UL << 34])).Array[1, 6].Sample(
            mutations =>
            {
                byte[] bytes = (byte[])good.Clone();
                foreach ((int node, int member, ulong value) in mutations)
                    Put(bytes, node, member, value);
                Use(bytes);
            },
            iter: 5000);
    }

    private static void Use(byte[] bytes)
    {
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.Equal(tree is { IsComplete: true }, problem is null);
        if (tree is null)
            return;
        foreach (KernelResource node in tree.All())
        {
            Assert.True(node.Start >= node.Parent!.Start && node.End <= node.Parent.End && node.Start <= node.End);
            Assert.True(node.Depth is > 0 and <= 64);
        }

        tree.ToIomem();
    }

    private static ResourceTree Load(byte[] bytes, KernelTypes? types)
    {
        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), types, out string? problem);
        Assert.Null(problem);
        return tree!;
    }

    private static KernelSymbols Symbols(params KernelSymbol[] more)
    {
        KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, false, more), KallsymsEncoding.Absolute, true);
        return KernelSymbols.TryLoad(image.Info(), new FakeVirtualMemory().Add(KallsymsImage.Base, image.Bytes), out _)!;
    }

    private static byte[] Machine(int[]? offsets = null)
    {
        byte[] bytes = new byte[Names + 512];
        (string Name, ulong Start, ulong Last, ulong Flags, uint Desc, int Parent, int Sibling, int Child)[] nodes =
        [
            ("PCI mem", 0, ulong.MaxValue, 0x200, 0, -1, -1, 1),
            ("System RAM", 0x1000, 0x9fbff, 0x81000200, 0, 0, 2, -1),
            ("System RAM", 0x100000, 0x7fffffff, 0x81000200, 0, 0, 4, 3),
            ("Kernel code", 0x1000000, 0x1ffffff, 0x80000200, 0, 2, -1, -1),
            ("Persistent Memory", 0x100000000, 0x11bdfffff, 0x200, 4, 0, 8, 5),
            ("namespace0.0", 0x100000000, 0x10fffffff, 0x80000200, 4, 4, 6, -1),
            ("dax0.1", 0x110400000, 0x117ffffff, 0x80000200, 4, 4, -1, 7),
            ("System RAM (kmem)", 0x112000000, 0x117ffffff, 0x81000200, 4, 6, -1, -1),
            ("last", 0xfffffffff0000000, ulong.MaxValue, 0x200, 0, 0, -1, -1),
        ];
        int text = Names;
        for (int i = 0; i < nodes.Length; i++)
        {
            var n = nodes[i];
            Write(bytes, offsets ?? s_default, i, n.Start, n.Last, Base + (ulong)text, n.Flags, n.Desc, n.Parent, n.Sibling, n.Child);
            text += Encoding.ASCII.GetBytes(n.Name, bytes.AsSpan(text)) + 1;
        }

        return bytes;
    }

    private static void Write(byte[] bytes, int[] offsets, int slot, ulong start, ulong last, ulong name, ulong flags, uint desc, params int[] links)
    {
        Span<byte> node = bytes.AsSpan(slot * Slot);
        ulong[] words = [start, last, name, flags, 0, .. links.Select(l => l < 0 ? 0 : Base + ((ulong)l * Slot))];
        for (int i = 0; i < words.Length; i++)
        {
            if (i == 4)
                BinaryPrimitives.WriteUInt32LittleEndian(node[offsets[i]..], desc);
            else
                BinaryPrimitives.WriteUInt64LittleEndian(node[offsets[i]..], words[i]);
        }
    }

    private static void Put(byte[] bytes, int slot, int member, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((slot * Slot) + (8 * member)), value);
}
