using System.Buffers.Binary;
using CsCheck;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

public sealed class BtfTypesTests
{
    private const ulong Base = 0xffffffff_82000000;

    [Theory]
    [InlineData("page", 64)]
    [InlineData("dentry", 192)]
    [InlineData("qstr", 16)]
    [InlineData("atomic_t", 4)]
    [InlineData("one_of", 8)]
    [InlineData("forwarded", 24)]
    public void SizesAreFound(string name, int size) => Assert.Equal(size, Kernel().StructSize(name));

    [Theory]
    [InlineData("nothing")]
    [InlineData("")]
    [InlineData("int")]
    [InlineData("pag")]
    [InlineData("page_")]
    [InlineData("loop_a")]
    [InlineData("zone_type")]
    public void WhatIsNoStructureHasNoSize(string name) => Assert.Null(Kernel().StructSize(name));

    [Theory]
    [InlineData("page", "flags", 0)]
    [InlineData("page", "mapping", 8)]
    [InlineData("page", "compound_head", 16)]
    [InlineData("page", "deep", 28)]
    [InlineData("page", "_refcount.counter", 52)]
    [InlineData("dentry", "d_name", 32)]
    [InlineData("dentry", "d_name.len", 36)]
    [InlineData("dentry", "d_name.name", 40)]
    [InlineData("dentry", "d_name.hash_len", 32)]
    [InlineData("atomic_t", "counter", 0)]
    [InlineData("twice", "wanted", 12)]
    [InlineData("with_bits", "plain", 8)]
    public void OffsetsAreFound(string type, string path, int offset)
    {
        Assert.Equal(offset, Kernel().MemberOffset(type, path));
        Assert.Equal(offset, KernelTypes.From(Kernel()).MemberOffset(type, path));
    }

    [Theory]
    [InlineData("page", "")]
    [InlineData("page", ".")]
    [InlineData("page", "flags.")]
    [InlineData("page", ".flags")]
    [InlineData("page", "flags.x")]
    [InlineData("page", "nothing")]
    [InlineData("dentry", "d_parent.d_name")]
    [InlineData("dentry", "len")]
    [InlineData("nothing", "flags")]
    [InlineData("with_bits", "low")]
    [InlineData("with_bits", "low.x")]
    [InlineData("self", "nothing")]
    [InlineData("loop_a", "nothing")]
    public void WhatIsNoMemberHasNoOffset(string type, string path)
    {
        Assert.Null(Kernel().MemberOffset(type, path));
        Assert.Null(KernelTypes.From(Kernel()).MemberOffset(type, path));
    }

    [Fact]
    public void BitFieldsAreReported()
    {
        Assert.Equal(new BtfMember(3, 5), Kernel().Member("with_bits", "high"));
        Assert.Equal(new BtfMember(0, 3), Kernel().Member("with_bits", "low"));
        Assert.Equal(new BtfMember(64, 0), Kernel().Member("with_bits", "plain"));
        Assert.Equal(new BtfMember(131, 5), Kernel().Member("holds_bits", "inner.high"));
    }

    [Fact]
    public void EnumsGiveTheirValues()
    {
        BtfTypes types = Kernel();
        Assert.Equal(4, types.EnumValue("zone_type", "ZONE_DEVICE"));
        Assert.Equal(-2, types.EnumValue("zone_type", "ZONE_ODD"));
        Assert.Equal(-2, KernelTypes.From(types).EnumValue("zone_type", "ZONE_ODD"));
        Assert.Null(KernelTypes.From(types).EnumValue("zone_type", "WIDE_BIT"));
        Assert.Null(KernelTypes.From(types).EnumValue("page", "flags"));
        Assert.Equal(0x1_2345_6789_a, types.EnumValue("wide", "WIDE_BIT"));
        Assert.Equal(-1, types.EnumValue("wide", "WIDE_ALL"));
        Assert.Equal(5, types.EnumValue(null, "SECTION_MAP_LAST_BIT"));
        Assert.Equal(5, types.EnumValue("", "SECTION_MAP_LAST_BIT"));
        Assert.Null(types.EnumValue("zone_type", "SECTION_MAP_LAST_BIT"));
        Assert.Null(types.EnumValue("page", "flags"));
        Assert.Null(types.EnumValue(null, "nothing"));
        Assert.Equal([new("ZONE_DEVICE", 4), new("ZONE_ODD", -2)], types.EnumValues("zone_type"));
        Assert.Empty(types.EnumValues("nothing"));
    }

    [Fact]
    public void ALongerHeaderIsAccepted() => Assert.Equal(16, Parse(Sample().Build(40)).MemberOffset("page", "compound_head"));

    [Fact]
    public void AnUnknownKindEndsTheListButKeepsWhatWasRead()
    {
        BtfBuilder builder = Sample();
        builder.Add((BtfKind)20, "future", 8);
        builder.Composite(BtfKind.Struct, "behind", 8);
        BtfTypes types = Parse(builder.Build());
        Assert.False(types.IsComplete);
        Assert.Equal(64, types.StructSize("page"));
        Assert.Null(types.StructSize("behind"));
        Assert.True(Kernel().IsComplete);
        Assert.Equal(Kernel().Count, types.Count);
    }

    [Fact]
    public void ManyNamesakesAndEndlessNestingEnd()
    {
        var builder = new BtfBuilder();
        for (uint id = 1; id <= 300; id++)
            builder.Composite(BtfKind.Struct, "same", 8, [.. Enumerable.Range(0, 50).Select(i => ("", (uint)(1 + ((id + i) % 300)), 0u))]);
        Assert.Null(Parse(builder.Build()).MemberOffset("same", "nothing"));
    }

    [Fact]
    public void AbsurdSizesAndOffsetsAreNotGiven()
    {
        var builder = new BtfBuilder();
        builder.Composite(BtfKind.Struct, "huge", uint.MaxValue, ("far", 1, uint.MaxValue), ("odd", 1, 3));
        BtfTypes types = Parse(builder.Build());
        Assert.Null(types.StructSize("huge"));
        Assert.Null(types.MemberOffset("huge", "far"));
        Assert.Null(types.MemberOffset("huge", "odd"));
        Assert.Equal(new BtfMember(3, 0), types.Member("huge", "odd"));
    }

    [Fact]
    public void SymbolsLeadToTheTypes()
    {
        byte[] blob = Sample().Build();
        KernelSymbols symbols = Symbols(("__start_BTF", Base), ("__stop_BTF", Base + (ulong)blob.Length));
        BtfTypes? types = BtfTypes.TryLoad(symbols, new FakeVirtualMemory().Add(Base, blob), out string? problem);
        Assert.Null(problem);
        Assert.Equal(64, types!.StructSize("page"));
        Assert.Null(BtfTypes.TryLoad(symbols, new FakeVirtualMemory().Add(Base, blob[..^1]), out problem));
        Assert.Contains("cannot be read", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void SymbolsThatEncloseNothingAreAProblem()
    {
        var memory = new FakeVirtualMemory().Add(Base, Sample().Build());
        Assert.Null(BtfTypes.TryLoad(Symbols(), memory, out string? problem));
        Assert.Contains("__start_BTF", problem, StringComparison.Ordinal);
        Assert.Null(BtfTypes.TryLoad(Symbols(("__start_BTF", Base), ("__stop_BTF", Base)), memory, out problem));
        Assert.NotNull(problem);
        Assert.Null(BtfTypes.TryLoad(Symbols(("__start_BTF", Base), ("__stop_BTF", Base + (65 << 20))), memory, out problem));
        Assert.NotNull(problem);
        Assert.Null(BtfTypes.TryLoad(Symbols(("__start_BTF", Base), ("__stop_BTF", Base + 8)), memory, out problem));
        Assert.NotNull(problem);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65536 - 20)]
    [InlineData(65536 - 24)]
    [InlineData(70001)]
    public void TheScanTakesTheLargest(int at)
    {
        var small = new BtfBuilder();
        small.Composite(BtfKind.Struct, "page", 8);
        byte[] image = new byte[300_000];
        Sample().Build().CopyTo(image, at);
        small.Build().CopyTo(image, 65536 - 30 + 20_000);
        BtfBlob.Magic.CopyTo(image.AsSpan(120_000));
        small.Build().CopyTo(image, 290_000);
        var memory = new FakeVirtualMemory().Add(Base, image[..200_704]).Add(Base + 204_800, image[204_800..]);

        BtfTypes? types = BtfTypes.TryScan(memory, Base, Base + 400_000, out string? problem);
        Assert.Null(problem);
        Assert.Equal(64, types!.StructSize("page"));
        Assert.Equal(8, BtfTypes.TryScan(memory, Base + 204_800, Base + 400_000, out _)!.StructSize("page"));
        Assert.Null(BtfTypes.TryScan(memory, Base + 100_000, Base + 204_800, out problem));
        Assert.NotNull(problem);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(0, ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 100, ulong.MaxValue)]
    public void AScanOfNothingEnds(ulong start, ulong end)
    {
        Assert.Null(BtfTypes.TryScan(new FakeVirtualMemory(), start, end, out string? problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void TruncatedBlobsAreRefused()
    {
        byte[] blob = Sample().Build();
        for (int length = 0; length < blob.Length; length++)
        {
            Assert.Null(BtfTypes.TryParse(blob.AsSpan(0, length), out string? problem));
            Assert.NotNull(problem);
        }
    }

    [Fact]
    public void DamageNeverThrows()
    {
        byte[] good = Sample().Build();
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte).Array[1, 12].Sample(
            mutations =>
            {
                byte[] blob = (byte[])good.Clone();
                foreach ((int at, byte value) in mutations)
                    blob[at] = value;
                Use(blob);
            },
            iter: 2000);
    }

    [Fact]
    public void WordsOfDamageNeverThrow()
    {
        byte[] good = Sample().Build();
        Gen.Select(Gen.Int[0, (good.Length / 4) - 1], Gen.OneOf(Gen.UInt, Gen.UInt[0, 64], Gen.Const(uint.MaxValue))).Array[1, 12].Sample(
            mutations =>
            {
                byte[] blob = (byte[])good.Clone();
                foreach ((int at, uint value) in mutations)
                    BinaryPrimitives.WriteUInt32LittleEndian(blob.AsSpan(4 * at), value);
                Use(blob);
            },
            iter: 2000);
    }

    private static void Use(byte[] blob)
    {
        BtfTypes? types = BtfTypes.TryParse(blob, out string? problem);
        Assert.Equal(types is null, problem is not null);
        if (types is null)
            return;
        foreach (string name in (string[])["page", "dentry", "twice", "atomic_t", "with_bits", "one_of"])
        {
            Assert.InRange(types.StructSize(name) ?? 0, 0, 1 << 26);
            foreach (string member in (string[])["flags", "deep", "d_name.len", "counter", "nothing", "high"])
                Assert.InRange(types.MemberOffset(name, member) ?? 0, 0, 1 << 26);
        }

        types.EnumValue("zone_type", "ZONE_DEVICE");
        types.EnumValue(null, "nothing");
        types.EnumValues("wide");
    }

    private static BtfTypes Kernel() => Parse(Sample().Build());

    private static BtfTypes Parse(byte[] blob)
    {
        BtfTypes? types = BtfTypes.TryParse(blob, out string? problem);
        Assert.Null(problem);
        return types!;
    }

    private static KernelSymbols Symbols(params (string Name, ulong Address)[] more)
    {
        List<KernelSymbol> symbols = KallsymsImage.Symbols(1000, false, [.. more.Select(m => new KernelSymbol(m.Address, 'R', m.Name))]);
        KallsymsImage image = KallsymsImage.Build(symbols, KallsymsEncoding.Absolute, false);
        return KernelSymbols.TryLoad(image.Info(), new FakeVirtualMemory().Add(KallsymsImage.Base, image.Bytes), out _)!;
    }

    // Every kind of type, in shapes that the kernel has, and some that it does not.
    private static BtfBuilder Sample()
    {
        var b = new BtfBuilder();
        uint number = b.Int("int", 4);
        uint word = b.Int("long unsigned int", 8);
        uint pointer = b.Add(BtfKind.Pointer, "", 0);
        b.Add(BtfKind.Array, "", 0, 0, false, number, number, 8);
        b.Add(BtfKind.Forward, "forwarded", 0);
        uint atomicStruct = b.Composite(BtfKind.Struct, "", 4, ("counter", number, 0));
        uint atomic = b.Add(BtfKind.Typedef, "atomic_t", atomicStruct);
        uint tagged = b.Add(BtfKind.Const, "", b.Add(BtfKind.Volatile, "", b.Add(BtfKind.TypeTag, "tag", b.Add(BtfKind.Restrict, "", atomic))));
        uint innermost = b.Composite(BtfKind.Struct, "", 8, ("skip", number, 0), ("deep", number, 32));
        uint tail = b.Composite(BtfKind.Struct, "", 24, ("compound_head", word, 0), ("", innermost, 64));
        uint head = b.Composite(BtfKind.Struct, "", 16, ("lru", word, 64), ("mapping", pointer, 0));
        uint body = b.Composite(BtfKind.Union, "", 40, ("", head, 0), ("", b.Add(BtfKind.Const, "", tail), 64));
        b.Composite(BtfKind.Struct, "page", 64, ("flags", word, 0), ("", body, 64), ("_refcount", tagged, 52 * 8));
        uint hashes = b.Composite(BtfKind.Struct, "", 8, ("hash", number, 0), ("len", number, 32));
        uint hashUnion = b.Composite(BtfKind.Union, "", 8, ("", hashes, 0), ("hash_len", word, 0));
        uint qstr = b.Composite(BtfKind.Struct, "qstr", 16, ("", hashUnion, 0), ("name", pointer, 64));
        b.Composite(BtfKind.Struct, "dentry", 192, ("d_parent", pointer, 192), ("d_name", qstr, 256));
        b.Composite(BtfKind.Union, "one_of", 8, ("a", word, 0));
        b.Composite(BtfKind.Struct, "forwarded", 24, ("x", word, 0));
        b.Composite(BtfKind.Struct, "twice", 8, ("other", word, 0));
        b.Composite(BtfKind.Struct, "twice", 16, ("wanted", number, 96));
        uint bits = b.WithBitFields("with_bits", 16, ("low", number, 0, 3), ("high", number, 3, 5), ("plain", word, 64, 0));
        b.Composite(BtfKind.Struct, "holds_bits", 32, ("inner", bits, 128));
        b.Enum("zone_type", ("ZONE_DEVICE", 4), ("ZONE_ODD", -2));
        b.Enum("", ("SECTION_MAP_LAST_BIT", 5));
        b.Enum64("wide", ("WIDE_BIT", 0x1_2345_6789_a), ("WIDE_ALL", -1));
        uint prototype = b.Add(BtfKind.FunctionPrototype, "", number, 2, false, 0, number, 0, word);
        uint function = b.Add(BtfKind.Function, "do_it", prototype, 1);
        b.Add(BtfKind.DeclarationTag, "tag", function, 0, false, 0);
        uint variable = b.Add(BtfKind.Variable, "jiffies", word, 0, false, 1);
        b.Add(BtfKind.DataSection, ".data", 8, 1, false, variable, 0, 8);
        b.Add(BtfKind.Float, "double", 8);
        uint self = b.Composite(BtfKind.Struct, "other_self", 8);
        b.Composite(BtfKind.Struct, "self", 8, ("", self + 1, 0), ("", self + 1, 64));
        b.Add(BtfKind.Typedef, "loop_a", self + 3);
        b.Add(BtfKind.Typedef, "loop_b", self + 2);
        return b;
    }
}
