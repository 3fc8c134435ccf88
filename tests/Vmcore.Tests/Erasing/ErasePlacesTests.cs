using System.Buffers.Binary;
using Vmcore.Debugging;
using Vmcore.Erasing;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Tests.Debugging;
using Vmcore.Tests.Kernel;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.Erasing;

/// <summary>What names in rules mean, on types as compilers write them: debug information and BTF say the same.</summary>
public sealed class ErasePlacesTests
{
    private const ulong Outer = 0xffff8880_00001000, Pointer = Outer + 0x400, Head = Outer + 0x410, Text = Outer + 0x500, Empties = Outer + 0x600;

    public static TheoryData<string> Compilers => ["gcc -gdwarf-5", "clang -gdwarf-4", "gcc -g -shared -fdebug-types-section", "gcc -gbtf"];

    [Theory]
    [MemberData(nameof(Compilers))]
    public void APathHasItsPlaceAndItsSize(string compiler)
    {
        ErasePlaces places = Places(compiler);
        (string Expression, ulong Address, long? Size)[] all =
        [
            ("(struct outer)o", Outer, 208),
            ("(struct outer)o.in.name", Outer + 24, 16),
            ("(struct outer)o.b", Outer + 20, 4),
            ("(struct outer)o.list.prev", Outer + 56, 8),
            ("(struct outer)o.points", Outer + 88, 96),
            ("(struct outer)o.tail", Outer + 204, null),
            ("(struct outer *)p.in.value", Outer + 40, 4),
            ("(struct outer**)pp.c", Outer + 200, 4),
            ("(point_t)o.y", Outer + 4, 4),
            ("(char)o", Outer, 1),
            ("(void *)p", Pointer, 8),
            ("(struct empties)e.text", Empties + 4, 0),
            ("(struct empties)e.both", Empties + 8, 8),
            ("(struct empties)e.tail", Empties + 16, null),
            ("(struct ends_flexible)e.all", Empties + 4, null),
        ];
        foreach ((string expression, ulong address, long? size) in all)
        {
            KernelObject place = Assert.Single(places.Resolve(Expression(expression)));
            Assert.Equal((expression, address, size), (expression, place.Address!.Value, place.Type.KnownSize));
        }

        Assert.Empty(places.Resolve(Expression("(struct outer *)null.in.value")));
        Assert.Equal([Outer + 24, Outer + 0x1000 + 24], places.Resolve(Expression("(struct outer)each.in.name")).Select(p => p.Address!.Value));
    }

    [Theory]
    [MemberData(nameof(Compilers))]
    public void WhatIsNotThereIsSaidInTheSameWords(string compiler)
    {
        ErasePlaces places = Places(compiler);
        (string Expression, string Message)[] all =
        [
            ("(struct outer)nothing", "there is no symbol 'nothing'"),
            ("o.in", "the type of 'o' is not known: give the debug information with -x, or write the type in front of it, as in (struct foo *)o.in"),
            ("(struct absent)o", "the type (struct absent) is not known"),
            ("(unsigned long)o", "the type (unsigned long) is not known"),
            ("(void)o", "the type (void) is not known"),
            ("(u32)o", "the type (u32) is not known"),
            ("(struct outer)o.in.absent", "'(struct outer)o.in.absent': there is no member 'absent' in struct inner"),
            ("(struct outer)o.mode.x", "'(struct outer)o.mode.x': integer unsigned int has no members"),
            ("(struct outer)o.c.x", "'(struct outer)o.c.x': enumeration color has no members"),
            ("(struct outer)o.points.x", "'(struct outer)o.points.x': it has no members"),
            ("(struct outer)o.callback.x", "'(struct outer)o.callback.x': it has no members"),
            ("(struct outer)o.data.x", "'(struct outer)o.data.x': it has no members"),
            ("(struct outer *)wild.in",
                "'(struct outer *)wild.in': the pointer at 0x10 cannot be read (not mapped), so what it points to is not erased"),
        ];
        foreach ((string expression, string message) in all)
            Assert.Equal(message, Assert.Throws<EraseException>(() => places.Resolve(Expression(expression)).Count()).Message);
    }

    [Theory]
    [MemberData(nameof(Compilers))]
    public void LoopsGoOverArraysOfArraysAndListsBothWays(string compiler)
    {
        var elements = new EraseElements(Places(compiler));
        ulong[] Of(string loop) => [.. elements.Of((EraseLoop)Parse($"for x in {loop}\nerase x\nendfor\n")).Select(e => e.Address!.Value)];
        Assert.Equal(Enumerable.Range(0, 12).Select(i => Outer + 88 + (8 * (ulong)i)), Of("(struct outer)o.points"));
        Assert.Empty(Of("(struct empties)e.text"));
        Assert.Equal(2, Of("(struct empties)e.both").Length);
        ulong first = Outer + 0x700 - 48, second = Outer + 0x800 - 48;
        Assert.Equal([first, second], Of("(struct list_head)head within outer:list"));
        Assert.Equal([first, second], Of("(struct list_head *)head_pointer within outer:list"));
        Assert.Equal([first, second], Of("(struct list_head)head.next within outer:list"));
        Assert.Equal([second, first], Of("(struct list_head)head.prev within outer:list"));
        Assert.Equal([Outer + 0x300, Outer + 0x320], Of("(struct list_head)chain via next"));
        (string Loop, string Message)[] faults =
        [
            ("(struct outer)o.tail", "'(struct outer)o.tail': the length of the array is not known"),
            ("(struct outer)o.in", "'(struct outer)o.in' is no array; a list needs via or within"),
            ("(struct outer)o.list within outer:absent", "there is no struct outer with a member 'absent'"),
            ("(struct outer)o.list within outer:mode", "there is no struct outer with a member 'mode'"),
            ("(struct outer)o.in within outer:list", "'(struct outer)o.in' is no struct list_head"),
            ("(struct outer)o via in.value", "'in.value' is no pointer"),
            ("(struct outer)o via absent", "'(struct outer)o' has no member 'absent'"),
        ];
        foreach ((string loop, string message) in faults)
            Assert.Equal(message, Assert.Throws<EraseException>(() => Of(loop)).Message);
    }

    [Theory]
    [MemberData(nameof(Compilers))]
    public void SizesAreThoseOfTypesTextsAndVariables(string compiler)
    {
        ErasePlaces places = Places(compiler);
        var sizes = new EraseSizes(places);
        long Target(string expression)
        {
            KernelObject place = places.Resolve(Expression(expression)).Single();
            return sizes.OfTarget(place.Type.Underlying().Target, places.ReadPointer(place.Address!.Value, expression), expression);
        }

        Assert.Equal(11, Target("(struct outer)o.text"));
        Assert.Equal(208, Target("(struct outer *)p"));
        Assert.Equal(16, Target("(struct outer)o.list.next"));
        foreach (string none in (string[])["(struct outer)o.data", "(struct outer)o.callback"])
            Assert.Equal($"what the pointer '{none}' points to has no size: give size or nullify", Assert.Throws<EraseException>(() => Target(none)).Message);
        long Read(string expression) => sizes.Read(Expression(expression));
        Assert.Equal(77, Read("(struct outer)o.data_size"));
        Assert.Equal(200, Read("(struct outer)o.c"));
        Assert.Equal(0, Read("(struct outer *)null.data_size"));
        (string Expression, string Message)[] faults =
        [
            ("(struct outer)o.pad", "'(struct outer)o.pad' is -2, expected a size of 0 to 1073741824 bytes"),
            ("(struct outer)o.mode", "'(struct outer)o.mode' is no integer, so it is no size"),
            ("(struct outer)o.text", "'(struct outer)o.text' is no integer, so it is no size"),
            ("(struct outer)o.in", "'(struct outer)o.in' is no integer, so it is no size"),
            ("(struct outer)wild.data_size", "'(struct outer)wild.data_size' cannot be read, so the size is not known"),
        ];
        foreach ((string expression, string message) in faults)
            Assert.Equal(message, Assert.Throws<EraseException>(() => Read(expression)).Message);
    }

    /// <summary>Two files of the kernel may each have a variable of their own by one name; the address tells which is meant.</summary>
    [Theory]
    [InlineData("gcc -g -shared")]
    [InlineData("clang -g -shared")]
    public void AVariableIsTheOneAtItsAddress(string compiler)
    {
        using ElfObjectFile file = ElfObjectFile.Open(new HostileSource(CompiledC.Compile(compiler)));
        ElfSymbols symbols = ElfSymbols.Read(file);
        Assert.True(symbols.TryFind("twin_of_a", out ulong a) && symbols.TryFind("twin_of_b", out ulong b) && symbols.TryFind("twin", out _));
        symbols.TryFind("twin_of_b", out b);
        KernelTypes debug = new(new DwarfTypeFactory(DwarfTypes.TryLoad(file, out _)!, static _ => null));
        using EraseTypes types = new(debug, null, null, isModule: false);
        Assert.Equal(("long", "char [24]"), ($"{types.FindVariable("twin", a)}", $"{types.FindVariable("twin", b)}"));
        const ulong Moved = 0x12000000;
        foreach ((ulong address, string type) in (ReadOnlySpan<(ulong, string)>)[(a, "long"), (b, "char [24]")])
        {
            EraseScope scope = new(types, _ => address + Moved, (_, value) => [value], value => value - Moved);
            Assert.Equal(type, $"{scope.TypeOf("twin")}");
        }
    }

    /// <summary>A module may have a variable that is called as one of the kernel is; types they share.</summary>
    [Fact]
    public void AModulesVariablesAreOnlyThoseOfItsOwnDebugInformation()
    {
        KernelTypes debug = Types("gcc -gdwarf-5");
        using EraseTypes kernel = new(debug, null, null, isModule: false);
        using EraseTypes bare = new(null, debug, debug, isModule: true);
        using EraseTypes own = new(debug, null, null, isModule: true);
        Assert.Equal("struct inner [9]", $"{kernel.FindVariable("table", null)}");
        Assert.Equal("struct inner [9]", $"{own.FindVariable("table", null)}");
        Assert.Null(bare.FindVariable("table", null));
        Assert.Equal((true, true, false), (kernel.HasDebugInformation, own.HasDebugInformation, bare.HasDebugInformation));
        Assert.Equal(208, bare.FindComposite("outer")!.Size);
        Assert.Null(bare.FindComposite("outer", "absent"));
        Assert.Null(bare.FindComposite("u32"));
    }

    /// <summary>Of several structures with one name a list is in the one that has the member; one that is only declared comes last.</summary>
    [Fact]
    public void OfSeveralStructuresTheOneWithTheMemberIsTaken()
    {
        BtfBuilder builder = new();
        uint word = builder.Int("long", 8);
        builder.Add(BtfKind.Forward, "twice", 0);
        builder.Composite(BtfKind.Struct, "twice", 8, ("a", word, 0));
        builder.Composite(BtfKind.Struct, "twice", 16, ("b", word, 0), ("c", word, 64));
        builder.Add(BtfKind.Forward, "declared", 0);
        using EraseTypes types = new(null, null, KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!), isModule: false);
        Assert.Equal((8L, 8L, 16L), (types.FindComposite("twice")!.Size, types.FindComposite("twice", "a")!.Size, types.FindComposite("twice", "c")!.Size));
        Assert.Null(types.FindComposite("declared")?.KnownSize);
    }

    /// <summary>Damaged BTF has members that are functions, and members between bytes.</summary>
    [Fact]
    public void ParametersAreNoMembersAndAMemberStartsOnAByte()
    {
        BtfBuilder builder = new();
        uint word = builder.Int("long", 8), function = builder.Add(BtfKind.FunctionPrototype, "", word, 1, false, 1, word);
        builder.Composite(BtfKind.Struct, "odd", 32, ("call", function, 0), ("", function, 64), ("between", word, 131));
        KernelType odd = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!).Find("struct odd")!;
        string parameter = odd.FindMember("call")!.Type.Members[0].Name;
        Assert.NotEmpty(parameter);
        Assert.Null(odd.FindMember(parameter));
        Assert.Null(odd.FindPath("call." + parameter));
        KernelObject item = KernelObject.At(new FakeVirtualMemory().Add(Outer, new byte[64]), odd, Outer);
        Assert.Contains("between", Assert.Throws<KernelObjectException>(() => item.Member("between")).Message, StringComparison.Ordinal);
    }

    /// <summary>Since 6.15 on x86_64, and always elsewhere, a per-cpu variable has an address of the kernel: each CPU's is erased.</summary>
    [Theory]
    [InlineData(0x0UL)]
    [InlineData(0xffffffff82a00000UL)]
    public void APerCpuVariableIsThatOfEachCpu(ulong start)
    {
        const ulong Tables = 0xffffffff81000000;
        byte[] tables = new byte[0x100];
        BinaryPrimitives.WriteUInt64LittleEndian(tables, 0b101);
        BinaryPrimitives.WriteUInt32LittleEndian(tables.AsSpan(8), 3);
        BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan(0x10), 0xffff8880_10000000 - start);
        BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan(0x20), 0xffff8880_20000000 - start);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(Tables, tables);
        Dictionary<string, ulong> names = new()
        {
            ["__per_cpu_start"] = start,
            ["__per_cpu_end"] = start + 0x1000,
            ["__cpu_possible_mask"] = Tables,
            ["nr_cpu_ids"] = Tables + 8,
            ["__per_cpu_offset"] = Tables + 0x10,
        };
        KernelSymbols symbols = KernelSymbols.Of(new NamedSymbols(names));
        IReadOnlyList<ulong> Of(ulong value) => EraseScope.Places(memory, symbols, () => PerCpuAreas.TryLoad(memory, symbols), "it", value);
        Assert.Equal([0xffff8880_10000040, 0xffff8880_20000040], Of(start + 0x40));
        Assert.Equal([0xffffffff82a01000], Of(0xffffffff82a01000));
        Assert.Empty(EraseScope.Places(memory, symbols, () => null, "it", start + 0x40));

        // One CPU's variable that cannot be found must not stay in the dump unnoticed.
        names["__per_cpu_offset"] = Tables + 0xf8;
        Assert.Contains("CPU 2", Assert.Throws<EraseException>(() => Of(start + 0x40)).Message, StringComparison.Ordinal);
    }

    private static EraseCommand Parse(string rules) => EraseConfig.Parse("rules", rules).Sections.Single().Commands.Single();

    private static EraseExpression Expression(string text) => ((EraseRule)Parse($"erase {text}\n")).Target;

    private static KernelTypes Types(string compiler)
    {
        byte[] file = CompiledC.Compile(compiler);
        if (!compiler.EndsWith("btf", StringComparison.Ordinal))
            return new(new DwarfTypeFactory(CompiledC.Load(file, out _), static _ => null));
        ElfObjectFile elf = ElfObjectFile.Open(new HostileSource(file));
        ElfSection section = elf.Find(".BTF")!;
        byte[] bytes = new byte[section.Size];
        elf.Source.ReadExactly(section.Offset, bytes, "BTF");
        return KernelTypes.From(BtfTypes.TryParse(bytes, out _)!);
    }

    private static ErasePlaces Places(string compiler)
    {
        byte[] bytes = new byte[0x1000];
        void Put(ulong address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((int)(address - Outer)), value);
        Put(Outer + 8, unchecked((ulong)-2));
        Put(Outer + 48, Head);
        Put(Outer + 64, Text);
        Put(Outer + 72, Text);
        Put(Outer + 80, 77);
        Put(Outer + 192, Text);
        Put(Outer + 200, 200);
        Put(Pointer, Outer);
        Put(Pointer + 8, Pointer);
        ulong[] ring = [Head, Outer + 0x700, Outer + 0x800];
        for (int i = 0; i < ring.Length; i++)
        {
            Put(ring[i], ring[(i + 1) % 3]);
            Put(ring[i] + 8, ring[(i + 2) % 3]);
        }

        Put(Outer + 0x3f8, Head);
        Put(Outer + 0x300, Outer + 0x320);
        "eleven long"u8.CopyTo(bytes.AsSpan(0x500));
        Dictionary<string, ulong> symbols = new()
        {
            ["o"] = Outer,
            ["p"] = Pointer,
            ["pp"] = Pointer + 8,
            ["e"] = Empties,
            ["null"] = Outer + 0x900,
            ["wild"] = 0x10,
            ["head"] = Head,
            ["head_pointer"] = Outer + 0x3f8,
            ["chain"] = Outer + 0x300,
            ["each"] = Outer,
        };
        EraseScope scope = new(
            new EraseTypes(null, null, Types(compiler), isModule: true),
            name => symbols.TryGetValue(name, out ulong value) ? value : null,
            (name, value) => name == "each" ? [value, value + 0x1000] : [value],
            static _ => null);
        return new(new FakeVirtualMemory().Add(Outer, bytes), scope);
    }
}
