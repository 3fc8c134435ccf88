using System.Buffers.Binary;
using CsCheck;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Tests.Kernel;

public sealed class KernelSymbolsTests
{
    private static readonly string s_longName = string.Concat(Enumerable.Range(0, 480).Select(i => (char)('a' + (i % 26))));

    public static TheoryData<KallsymsEncoding, bool> Kinds
    {
        get
        {
            var data = new TheoryData<KallsymsEncoding, bool>();
            foreach (KallsymsEncoding encoding in Enum.GetValues<KallsymsEncoding>())
            {
                data.Add(encoding, true);
                data.Add(encoding, false);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AllSymbolsComeOutAsTheyWentIn(KallsymsEncoding encoding, bool oldOrder)
    {
        List<KernelSymbol> expected = KallsymsImage.Symbols(3000, encoding == KallsymsEncoding.AbsolutePerCpu,
            new KernelSymbol(KallsymsImage.Base + 0x20, 't', s_longName));
        KernelSymbols symbols = Load(KallsymsImage.Build(expected, encoding, oldOrder));

        Assert.Equal(encoding, symbols.Encoding);
        Assert.Equal(expected.Count, symbols.Count);
        Assert.Equal(expected, symbols.All());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void EveryNameIsFoundAtItsFirstPlace(KallsymsEncoding encoding, bool oldOrder)
    {
        List<KernelSymbol> expected = KallsymsImage.Symbols(1200, encoding == KallsymsEncoding.AbsolutePerCpu,
            new KernelSymbol(KallsymsImage.Base + 0x20, 't', s_longName));
        KernelSymbols symbols = Load(KallsymsImage.Build(expected, encoding, oldOrder));
        string[] names = [.. expected.Select(s => s.Name)];

        ulong?[] found = symbols.Find(names);
        for (int i = 0; i < names.Length; i++)
            Assert.Equal(expected.First(s => s.Name == names[i]).Address, found[i]);
        Assert.True(symbols.TryFind(s_longName, out ulong address));
        Assert.Equal(KallsymsImage.Base + 0x20, address);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void OneNameIsFoundWithoutLoadingTheOthers(KallsymsEncoding encoding, bool oldOrder)
    {
        List<KernelSymbol> expected = KallsymsImage.Symbols(20000, encoding == KallsymsEncoding.AbsolutePerCpu,
            new KernelSymbol(KallsymsImage.Base + 0x20, 't', s_longName));
        KallsymsImage image = KallsymsImage.Build(expected, encoding, oldOrder);
        FakeVirtualMemory memory = MemoryOf(image.Bytes);
        foreach (string name in new[] { s_longName, "_stext", "alloc_init_page", expected[^1].Name, expected[700].Name })
            Assert.Equal(expected.First(s => s.Name == name).Address, KernelSymbols.TryFindOne(image.Info(), memory, name));
        foreach (string name in new[] { "", "T_stext", "_stex", "_stext_", "stext", "\ud800" })
            Assert.Null(KernelSymbols.TryFindOne(image.Info(), memory, name));
        Assert.Null(KernelSymbols.TryFindOne(image.Info(KallsymsImage.Base + 0x1000), memory, "alloc_init_page"));
        foreach (string key in new[] { "kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index",
            "_stext", encoding == KallsymsEncoding.Absolute ? "kallsyms_addresses" : "kallsyms_offsets" })
            Assert.Null(KernelSymbols.TryFindOne(image.Info(key), memory, "alloc_init_page"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("T_stext")]
    [InlineData("_stex")]
    [InlineData("_stext_")]
    [InlineData("stext")]
    [InlineData("\ud800")]
    [InlineData("ünknown")]
    public void WhatIsNotThereIsNotFound(string name)
    {
        KernelSymbols symbols = Load(KallsymsImage.Build(KallsymsImage.Symbols(1000, false), KallsymsEncoding.BaseRelative, false));
        Assert.False(symbols.TryFind(name, out ulong address));
        Assert.Equal(0UL, address);
        Assert.Equal([null, KallsymsImage.Base, null, KallsymsImage.Base], symbols.Find(name, "_stext", name, "_stext"));
    }

    [Fact]
    public void AddressesResolveToTheNearestSymbolBelow()
    {
        List<KernelSymbol> expected = KallsymsImage.Symbols(1000, true);
        KernelSymbols symbols = Load(KallsymsImage.Build(expected, KallsymsEncoding.AbsolutePerCpu, false));
        ulong last = expected[^1].Address;
        for (ulong address = KallsymsImage.Base; address <= last; address += 3)
        {
            ulong nearest = expected.Last(s => s.Address <= address).Address;
            Assert.True(symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset));
            Assert.Equal(expected.First(s => s.Address == nearest), symbol);
            Assert.Equal(address - nearest, offset);
        }

        Assert.False(symbols.TryResolve(last + 1, out _, out _));
        Assert.False(symbols.TryResolve(ulong.MaxValue, out _, out _));
        Assert.False(symbols.TryResolve(0x1004, out _, out _));
        Assert.False(symbols.TryResolve(KallsymsImage.Base - 1, out _, out _));
    }

    [Fact]
    public void ATableOutOfOrderStillResolves()
    {
        List<KernelSymbol> shuffled = KallsymsImage.Symbols(1000, false);
        shuffled.Reverse();
        KernelSymbols symbols = Load(KallsymsImage.Build(shuffled, KallsymsEncoding.BaseRelative, true));
        Assert.True(symbols.TryResolve(KallsymsImage.Base + 0x11, out KernelSymbol symbol, out ulong offset));
        Assert.Equal(("alloc_init_page", 1UL), (symbol.Name, offset));
        Assert.False(symbols.TryResolve(KallsymsImage.Base - 1, out _, out _));
        Assert.False(symbols.TryResolve(shuffled[0].Address + 1, out _, out _));
    }

    [Theory]
    [InlineData("kallsyms_names")]
    [InlineData("kallsyms_num_syms")]
    [InlineData("kallsyms_token_table")]
    [InlineData("kallsyms_token_index")]
    [InlineData("kallsyms_offsets")]
    [InlineData("_stext")]
    public void AMissingKeyIsAProblem(string key)
    {
        KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, false), KallsymsEncoding.BaseRelative, false);
        Assert.Null(KernelSymbols.TryLoad(image.Info(key), MemoryOf(image.Bytes), out string? problem));
        Assert.Contains("vmcoreinfo", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void SymbolsThatContradictVmcoreInfoAreRefused()
    {
        foreach (KallsymsEncoding encoding in Enum.GetValues<KallsymsEncoding>())
        {
            KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, false), encoding, false);
            Assert.Null(KernelSymbols.TryLoad(image.Info(KallsymsImage.Base + 0x1000), MemoryOf(image.Bytes), out string? problem));
            Assert.Contains("_stext", problem, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(999u)]
    [InlineData(2_000_000u)]
    [InlineData(2_000_001u)]
    [InlineData(uint.MaxValue)]
    public void AWrongCountIsRefused(uint count)
    {
        KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, false), KallsymsEncoding.BaseRelative, false);
        byte[] bytes = image.Bytes;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(image.OffsetOf("kallsyms_num_syms")), count);
        Assert.Null(KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes), out string? problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void ATruncatedImageIsRefusedWhereverItEnds()
    {
        KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, true), KallsymsEncoding.AbsolutePerCpu, false);
        byte[] bytes = image.Bytes;
        for (int length = 0; length < bytes.Length - 64; length += 17)
        {
            Assert.Null(KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes[..length]), out string? problem));
            Assert.NotNull(problem);
        }
    }

    [Fact]
    public void TheKernelIsBlamedForWhatItDoesNotHaveOnly() =>
        Assert.Equal("the kernel has no symbol nosuch (built without CONFIG_KALLSYMS_ALL)",
            Load(KallsymsImage.Build(KallsymsImage.Symbols(1000, false), KallsymsEncoding.BaseRelative, false)).Lacks("nosuch"));

    [Fact]
    public void ACountThatIsTooLargeTakesTheLastGroup()
    {
        List<KernelSymbol> original = KallsymsImage.Symbols(1000, false);
        KallsymsImage image = KallsymsImage.Build(original, KallsymsEncoding.BaseRelative, false);
        byte[] bytes = image.Bytes;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(image.OffsetOf("kallsyms_num_syms")), 1001);
        KernelSymbols symbols = KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes), out string? problem)!;
        Assert.StartsWith("233 of 1001 symbols are not known: ", problem, StringComparison.Ordinal);
        Assert.Equal(original.Take(768), symbols.All());
    }

    private static List<KernelSymbol> SymbolsOfUniqueNames(int count) =>
        [.. KallsymsImage.Symbols(count, false).Select(static (s, i) => s.Name == "_stext" ? s : s with { Name = $"{s.Name}_{i}" })];

    /// <summary>A page that is not in the dump takes the symbols that it is of, and no others; no address gets the name of a neighbour.</summary>
    [Theory]
    [InlineData(KallsymsEncoding.BaseRelative, false)]
    [InlineData(KallsymsEncoding.AbsolutePerCpu, true)]
    [InlineData(KallsymsEncoding.SlotRelative, false)]
    public void ALostPageTakesItsOwnSymbolsOnly(KallsymsEncoding encoding, bool oldOrder)
    {
        List<KernelSymbol> original = SymbolsOfUniqueNames(5_000);
        KallsymsImage image = KallsymsImage.Build(original, encoding, oldOrder);
        byte[] bytes = image.Bytes;
        int parts = 0;
        for (int hole = 0; hole < bytes.Length; hole += 4096)
        {
            FakeVirtualMemory memory = MemoryOf(bytes[..hole]);
            if (hole + 4096 < bytes.Length)
                memory.Add(KallsymsImage.Base + (ulong)hole + 4096, bytes[(hole + 4096)..]);
            KernelSymbols? symbols = KernelSymbols.TryLoad(image.Info(), memory, out string? problem);
            if (symbols is null || problem is null)
            {
                Assert.True(symbols is not null || problem is not null);
                continue;
            }

            parts++;
            Assert.Equal("the symbol nosuch is not among those that the dump has", symbols.Lacks("nosuch"));
            Assert.Contains($" of {original.Count} symbols are not known: kallsyms_", problem, StringComparison.Ordinal);
            HashSet<KernelSymbol> known = [.. symbols.All()];
            Assert.Equal(known.Count, known.Intersect(original).Count());
            Assert.InRange(original.Count - known.Count, 1, 1500);
            for (int i = 0; i < original.Count - 1; i += 97)
            {
                // Aliases have one address: any of those that are known will do.
                ulong address = original[i].Address + (ulong)(i % 3);
                KernelSymbol right = original.Last(s => s.Address <= address);
                bool isFound = symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset, out ulong? size);
                if (!isFound)
                    continue;
                Assert.Equal((right.Address, address - right.Address), (symbol.Address, offset));
                Assert.Contains(symbol, known);
                Assert.True(size is null || size == original.First(s => s.Address > address).Address - right.Address);
            }

            KernelSymbol last = original.Last(known.Contains);
            Assert.Equal(last.Address, symbols.TryFindInImage(last.Name));
            Assert.Equal(last.Address, KernelSymbols.TryFindOne(image.Info(), memory, last.Name));
            KernelSymbol lost = original.First(o => !known.Contains(o));
            Assert.True(symbols.TryFindInImage(lost.Name) != lost.Address);
        }

        Assert.True(parts > 10, $"{parts} of the pages took some of the symbols");
    }

    /// <summary>A record that is damaged moves all behind it; the kernel's own markers show where, and those are not believed.</summary>
    [Fact]
    public void ADamagedRecordTakesItsGroupOnly()
    {
        List<KernelSymbol> original = SymbolsOfUniqueNames(20_000);

        // Where the group of _stext is lost, another symbol that vmcoreinfo has proves the addresses.
        original[^1] = original[^1] with { Name = "init_uts_ns" };
        KallsymsImage image = KallsymsImage.Build(original, KallsymsEncoding.BaseRelative, false);
        Gen.OneOf(Gen.Int[1, 0x10000], Gen.Int[1, 0x800]).Sample(
            at =>
            {
                // The length of some record becomes another one, or a token does.
                byte[] bytes = image.Bytes;
                bytes[image.OffsetOf("kallsyms_names") + at] ^= 1;
                KernelSymbols? symbols = KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes), out string? problem);
                Assert.True(symbols is not null, problem);
                foreach (KernelSymbol wrong in symbols.All().Except(original).Take(2))
                    Assert.True(symbols.All().Except(original).Count() == 1, $"{wrong} and others are wrong");
                Assert.InRange(symbols.All().Count(), original.Count - 256, original.Count);
                foreach (int i in (ReadOnlySpan<int>)[300, 3000, 9000, 19_000])
                {
                    ulong? found = KernelSymbols.TryFindOne(image.Info(), MemoryOf(bytes), original[i].Name);
                    Assert.True(found is null || found == original[i].Address, $"{original[i]}: {found:x}");
                }
            },
            iter: 60);
    }

    [Fact]
    public void DamageNeverThrows()
    {
        KallsymsImage[] images =
        [
            .. Enum.GetValues<KallsymsEncoding>().Select(e => KallsymsImage.Build(KallsymsImage.Symbols(1000, true), e, e == KallsymsEncoding.BaseRelative)),
        ];
        Gen.Select(Gen.Int[0, images.Length - 1], Gen.Int[0, 65535], Gen.Byte, Gen.Bool).Array[1, 8].Sample(
            mutations =>
            {
                KallsymsImage image = images[mutations[0].Item1];
                byte[] bytes = image.Bytes;
                foreach ((_, int where, byte value, bool inHead) in mutations)
                {
                    // Half of the damage goes where it does most: the tokens.
                    int at = inHead ? image.OffsetOf("kallsyms_token_table") + (where % 1300) : where % bytes.Length;
                    bytes[at % bytes.Length] = value;
                }

                KernelSymbols? symbols = KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes), out string? problem);
                Use(symbols, problem);

                // What lies before the damage is found, so that one of them may know more, but nothing else.
                ulong? one = KernelSymbols.TryFindOne(image.Info(), MemoryOf(bytes), "func_5_init"), other = symbols?.TryFindInImage("func_5_init");
                Assert.True(one is null || other is null || one == other);
            },
            iter: 600);
    }

    [Fact]
    public void NoiseNeverThrows()
    {
        KallsymsImage image = KallsymsImage.Build(KallsymsImage.Symbols(1000, true), KallsymsEncoding.AbsolutePerCpu, false);
        Gen.Int.Sample(
            seed =>
            {
                byte[] bytes = image.Bytes;
                var random = new Random(seed);
                int names = image.OffsetOf("kallsyms_names");
                random.NextBytes(bytes.AsSpan(names + random.Next(8000)));
                Use(KernelSymbols.TryLoad(image.Info(), MemoryOf(bytes), out string? problem), problem);
            },
            iter: 150);
    }

    private static void Use(KernelSymbols? symbols, string? problem)
    {
        Assert.True(symbols is not null || problem is not null);
        if (symbols is null)
            return;
        Assert.Equal(problem is null, symbols.All().Count() == symbols.Count);
        Assert.True(symbols.TryFind("_stext", out ulong stext));
        Assert.Equal(KallsymsImage.Base, stext);
        symbols.TryResolve(stext + 0x123, out _, out _);
        Assert.Single(symbols.Find("func_5_init"));
    }

    private static FakeVirtualMemory MemoryOf(byte[] bytes) => new FakeVirtualMemory().Add(KallsymsImage.Base, bytes);

    private static KernelSymbols Load(KallsymsImage image)
    {
        KernelSymbols? symbols = KernelSymbols.TryLoad(image.Info(), MemoryOf(image.Bytes), out string? problem);
        Assert.Null(problem);
        return symbols!;
    }
}
