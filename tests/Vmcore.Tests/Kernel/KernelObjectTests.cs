using System.Buffers.Binary;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>What a program asks of typed pieces of memory: values, texts, elements, the structure around a member, lists.</summary>
public sealed class KernelObjectTests
{
    private const ulong At = 0xffff_8880_0000_0000;

    private readonly byte[] _bytes = new byte[1024];
    private readonly FakeVirtualMemory _memory;
    private readonly KernelTypes _types;

    public KernelObjectTests()
    {
        _memory = new FakeVirtualMemory().Add(At, _bytes);
        var builder = new BtfBuilder();
        const uint Signed = 1 << 24;
        uint number = builder.Add(BtfKind.Int, "int", 4, 0, false, Signed | 32), character = builder.Int("char", 1), word = builder.Int("unsigned long", 8);
        const uint Head = 8, Node = 10, Item = 14;
        uint text = builder.Add(BtfKind.Pointer, "", character), name = builder.Add(BtfKind.Array, "", 0, 0, false, character, word, 8);
        uint numbers = builder.Add(BtfKind.Array, "", 0, 0, false, number, word, 3), open = builder.Add(BtfKind.Array, "", 0, 0, false, character, word, 0);
        Assert.Equal(Head, builder.Composite(BtfKind.Struct, "list_head", 16, ("next", 9, 0), ("prev", 9, 64)));
        builder.Add(BtfKind.Pointer, "", Head);
        Assert.Equal(Node, builder.Composite(BtfKind.Struct, "rb_node", 24, ("rb_parent", word, 0), ("rb_right", 11, 64), ("rb_left", 11, 128)));
        builder.Add(BtfKind.Pointer, "", Node);
        uint root = builder.Composite(BtfKind.Struct, "rb_root", 8, ("rb_node", 11, 0));
        uint inner = builder.Composite(BtfKind.Struct, "", 16, ("links", Head, 0));
        Assert.Equal(Item, builder.Composite(BtfKind.Struct, "item", 128, ("number", number, 0), ("big", word, 64), ("name", name, 128), ("text", text, 192),
            ("links", inner, 256), ("next", 15, 384), ("tree", Node, 448), ("three", numbers, 640), ("open", open, 800)));
        builder.Add(BtfKind.Pointer, "", Item);
        builder.Composite(BtfKind.Struct, "rb_root_cached", 16, ("rb_root", root, 0), ("rb_leftmost", 11, 64));
        builder.Composite(BtfKind.Struct, "hlist_head", 8, ("first", 15, 0));
        builder.WithBitFields("bits", 8, ("low", number, 0, 3), ("high", number, 3, 5));
        uint link = builder.Composite(BtfKind.Struct, "hlist_node", 16, ("next", 15, 0), ("pprev", word, 64));
        builder.Composite(BtfKind.Struct, "hashed", 128, ("link", link, 384));
        _types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
    }

    private KernelObject Item(int at) => KernelObject.At(_memory, Type("struct item"), At + (ulong)at);

    private KernelType Type(string name) => _types.Find(name)!;

    private void Put(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(at), value);

    [Fact]
    public void NumbersAreSignedOrTooLarge()
    {
        Put(0, 0xffffffff_fffffffe);
        Put(8, ulong.MaxValue);
        Assert.Equal(-2, Item(0)["number"].AsInt64());
        Assert.Equal(ulong.MaxValue, Item(0)["big"].AsUInt64());
        Assert.Contains("18446744073709551615", Assert.Throws<KernelObjectException>(() => Item(0)["big"].AsInt64()).Message, StringComparison.Ordinal);
        Put(8, long.MaxValue);
        Assert.Equal(long.MaxValue, Item(0)["big"].AsInt64());
        Assert.True(Item(0)["big"].AsBool());
        Assert.False(Item(0)["text"].AsBool());
        Assert.Throws<KernelObjectException>(() => Item(0).AsBool());
        Assert.Throws<KernelObjectException>(() => Item(4096)["big"].AsBool());
    }

    [Fact]
    public void TextEndsAtItsNulOrItsArray()
    {
        "full-up!"u8.CopyTo(_bytes.AsSpan(16));
        Assert.Equal("full-up!", Item(0)["name"].ReadString());
        _bytes[20] = 0;
        Assert.Equal("full", Item(0)["name"].ReadString());
        Assert.Contains("NULL", Assert.Throws<KernelObjectException>(() => Item(0)["text"].ReadString()).Message, StringComparison.Ordinal);
        Put(24, At + 512);
        "pm\u00e4m"u8.CopyTo(_bytes.AsSpan(512));
        Assert.Equal("pm\u00e4m", Item(0)["text"].ReadString());
        "open"u8.CopyTo(_bytes.AsSpan(100));
        Assert.Equal("open", Item(0)["open"].ReadString());
        _bytes.AsSpan(1000).Fill((byte)'x');
        Put(24, At + 1000);
        Assert.Throws<KernelObjectException>(() => Item(0)["text"].ReadString());
        Assert.Throws<KernelObjectException>(() => Item(0)["next"].ReadString());
        Assert.Throws<KernelObjectException>(() => Item(0)["number"].ReadString());
    }

    [Fact]
    public void ElementsAreThoseOfTheTypeOrOfTheCaller()
    {
        Put(80, 1 | (2UL << 32));
        Put(88, 3);
        Assert.Equal([1L, 2, 3], Item(0)["three"].Elements().Select(e => e.AsInt64()));
        Assert.Equal(2, Item(0)["three"][1].AsInt64());
        Assert.Throws<KernelObjectException>(() => Item(0)["open"].Elements());
        Assert.Equal(2, Item(0)["open"].Elements(2).Count());
        Assert.Throws<KernelObjectException>(() => Item(0)["number"].Elements());
        Put(48, At + 128);
        Assert.Equal([At + 128, At + 256], Item(0)["next"].Elements(2).Select(e => e.Address!.Value));
        Assert.Empty(Item(0)["next"].Elements(0));
        foreach (long count in (ReadOnlySpan<long>)[-1, long.MaxValue])
            Assert.Throws<KernelObjectException>(() => Item(0)["next"].Elements(count));
    }

    [Fact]
    public void AMemberLeadsToTheStructureAroundIt()
    {
        Assert.Equal(At, Item(0)["tree"].ContainerOf(Type("struct item"), "tree").Address);
        Put(32, At + 256 + 32);
        Assert.Equal(At + 256, Item(0)["links"]["links"]["next"].ContainerOf(Type("struct item"), "links.links").Address);
        Assert.Throws<KernelObjectException>(() => Item(0)["tree"].ContainerOf(Type("struct item"), "none"));
        Assert.Throws<KernelObjectException>(() => Item(0)["tree"].ContainerOf(Type("struct bits"), "high"));
        Assert.Throws<KernelObjectException>(() => KernelObject.Value(_memory, Type("int"), 5).ContainerOf(Type("struct item"), "tree"));
        Assert.Equal((56L, 32L), (Type("struct item").OffsetOf("tree"), Type("struct item").OffsetOf("links.links.next")));
        Assert.Null(Type("struct item").FindPath("links..next"));
    }

    [Fact]
    public void AListIsOneOfStructures()
    {
        // The head at 900 and the items at 0 and 128.
        Put(900, At + 32);
        Put(32, At + 128 + 32);
        Put(128 + 32, At + 900);
        KernelObject head = KernelObject.At(_memory, Type("struct list_head"), At + 900);
        Assert.Equal([At, At + 128], head.ListOf(Type("struct item"), "links.links").Select(i => i.Address!.Value));
        Assert.Equal(2, head.AddressOf().ListOf(Type("struct item"), "links.links").Count());

        // Damaged: with an outcome it is said, without one it is thrown behind the last good entry.
        Put(128 + 32, At + 128 + 32);
        var outcome = new WalkOutcome();
        Assert.Equal(2, head.ListOf(Type("struct item"), "links.links", outcome).Count());
        Assert.Equal((WalkEnd.Cycle, At + 160, 2L), (outcome.End, outcome.Address, outcome.Count));
        Assert.Equal(2, head.ListOf(Type("struct item"), "links.links").Take(2).Count());
        Assert.Contains("leads back into itself", Assert.Throws<KernelObjectException>(
            () => head.ListOf(Type("struct item"), "links.links").Count()).Message, StringComparison.Ordinal);
        Assert.Throws<KernelObjectException>(() => head.ListOf(Type("struct item"), "none"));
        Assert.Throws<KernelObjectException>(() => Item(0).ListOf(Type("struct item"), "tree"));
    }

    [Fact]
    public void HashChainsTreesAndChainsAreListsToo()
    {
        Put(48, At + 128);
        Put(900, At + 48);
        Put(128 + 48, 0);
        KernelObject hash = KernelObject.At(_memory, Type("struct hlist_head"), At + 900);
        Assert.Equal([At, At + 128 - 48], hash.ListOf(Type("struct hashed"), "link").Select(i => i.Address!.Value));
        Assert.Equal([At, At + 128], Item(0).ChainOf("next").Select(i => i.Address!.Value));
        Assert.Empty(Item(128)["next"].ChainOf("next"));
        Assert.Throws<KernelObjectException>(() => Item(0).ChainOf("number"));
        Put(128 + 48, 0x1234);
        Assert.Contains("breaks off at 0x1234", Assert.Throws<KernelObjectException>(() => Item(0).ChainOf("next").Count()).Message, StringComparison.Ordinal);

        // The item at 256 above the one at 384.
        Put(800, At + 256 + 56);
        Put(256 + 56 + 16, At + 384 + 56);
        foreach (string root in (string[])["struct rb_root", "struct rb_root_cached"])
        {
            KernelObject tree = KernelObject.At(_memory, Type(root), At + 800);
            Assert.Equal([At + 384, At + 256], tree.ListOf(Type("struct item"), "tree").Select(i => i.Address!.Value));
        }
    }

    /// <summary>The lists of real kernels, walked by hand, are those that the library's own readers find.</summary>
    [Theory]
    [InlineData("rfc-v2-6.1")]
    [InlineData("stock-6.12")]
    public void ListsOfRealKernelsAreWhole(string name)
    {
        string? folder = Environment.GetEnvironmentVariable("VMCORE_FIXTURES");
        string path = Path.Combine(folder ?? "", name + ".vmcore");
        Assert.SkipUnless(folder is not null && File.Exists(path), "VMCORE_FIXTURES names no folder with it");
        using CrashDump dump = CrashDump.Open(path);
        KernelTypes types = dump.KernelView.Types!;
        KernelObject Variable(string symbol, string type) =>
            KernelObject.At(dump.KernelView.Memory!, types.Find(type)!, dump.KernelView.Symbols!.TryFindInImage(symbol)!.Value);

        KernelObject[] processes = [.. Variable("init_task", "struct task_struct")["tasks"].ListOf(types.Find("struct task_struct")!, "tasks")];
        Assert.Equal(dump.KernelView.Tasks!.Tasks.Where(t => t.Pid == t.Tgid && t.Pid != 0).Select(t => ((long)t.Pid, t.Name)),
            processes.Select(p => (p["pid"].AsInt64(), p["comm"].ReadString())));
        KernelObject[] modules = [.. Variable("modules", "struct list_head").ListOf(types.Find("struct module")!, "list")];
        Assert.Equal(dump.KernelView.Modules!.Modules.Select(m => m.Name), modules.Select(m => m["name"].ReadString()));

        // Every process is in the tree of process numbers; the mappings of its memory are counted by itself.
        HashSet<ulong> ids = [.. Variable("init_pid_ns", "struct pid_namespace")["idr"]["idr_rt"].EntriesOf(types, types.Find("struct pid")!)
            .Select(p => p.Address!.Value)];
        Assert.All(processes, p => Assert.Contains(p["thread_pid"].AsUInt64(), ids));
        int mapped = 0;
        foreach (KernelObject mm in processes.Select(p => p["mm"]).Where(m => m.AsBool()))
        {
            KernelObject[] areas = [.. mm["mm_mt"].EntriesOf(types, types.Find("struct vm_area_struct")!)];
            Assert.Equal(mm["map_count"].AsInt64(), areas.Length);
            Assert.Equal(areas.Select(a => a["vm_start"].AsUInt64()).Order(), areas.Select(a => a["vm_start"].AsUInt64()));
            mapped++;
        }

        Assert.InRange(mapped, 1, processes.Length);
    }
}
