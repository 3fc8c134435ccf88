using CsCheck;
using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.Debugging;

/// <summary>What compilers write of a file with every kind of type, and what is read of it.</summary>
public class DwarfTypesTests
{
    public static TheoryData<string, string[]> Ways => new()
    {
        { "gcc -gdwarf-3 -gstrict-dwarf", [] },
        { "gcc -gdwarf-4", [] },
        { "gcc -gdwarf-5", [] },
        { "gcc -gdwarf-5 -gdwarf64", [] },
        { "clang -gdwarf-4", [] },
        { "clang -gdwarf-5", [] },
        { "gcc -g -gz=zlib", [] },
        { "gcc -g -gz=zlib-gnu", [] },
        { "gcc -g", ["objcopy --compress-debug-sections=zstd IN OUT"] },
        { "gcc -g", ["objcopy --only-keep-debug IN OUT"] },
        { "gcc -g -shared", [] },
        { "gcc -g -shared", ["objcopy --only-keep-debug IN OUT"] },
        { "gcc -g -shared -fdebug-types-section", [] },
        { "clang -g -shared -fdebug-types-section", [] },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void SizesAndOffsetsAreThoseOfTheCompiler(string compiler, string[] after)
    {
        DwarfTypes types = CompiledC.Load(CompiledC.Compile(compiler, after), out string? problem);
        Assert.Null(problem);
        Assert.Equal(208, types.FindComposite("outer")!.ByteSize);
        Assert.Equal(8, types.FindComposite("point_t")!.ByteSize);
        Assert.Null(types.FindComposite("absent"));
        Assert.Null(types.FindComposite("u32"));
        (string Path, long Offset)[] members =
        [
            ("pad", 8), ("a", 16), ("b", 20), ("word", 16), ("in", 24), ("in.name", 24), ("in.value", 40), ("list", 48), ("list.prev", 56),
            ("text", 64), ("data", 72), ("data_size", 80), ("points", 88), ("far", 184), ("callback", 192), ("c", 200), ("tail", 204),
        ];
        foreach ((string path, long offset) in members)
            Assert.Equal(offset, types.FindMember("outer", path)?.ByteOffset);
        Assert.Null(types.FindMember("outer", "list.absent"));
        Assert.Null(types.FindMember("outer", "text.x"));
        Assert.Null(types.FindMember("outer", ""));
        Assert.Equal((3, 5), types.FindMember("outer", "mode") is { } mode ? ((int)mode.BitOffset, mode.BitWidth) : default);
        Assert.Null(types.FindMember("outer", "mode")!.ByteOffset);
        Assert.Null(types.FindMember("outer", "mode.x"));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void VariablesHaveTheTypesOfTheirDefinitions(string compiler, string[] after)
    {
        DwarfTypes types = CompiledC.Load(CompiledC.Compile(compiler, after), out _);
        Assert.Equal((DwarfTypeKind.Struct, "outer"), Shape(types.FindVariable("an_outer", null)));
        DwarfType pointer = types.FindVariable("outer_pointer", null)!;
        Assert.Equal((DwarfTypeKind.Pointer, 8L), (pointer.Kind, pointer.ByteSize));
        Assert.Equal("outer", pointer.Target.Resolve().Name);
        DwarfType table = types.FindVariable("table", null)!;
        Assert.Equal((DwarfTypeKind.Array, 9L, 180L), (table.Kind, table.Count, table.ByteSize));
        Assert.Equal(100, types.FindVariable("secret", null)!.ByteSize);
        Assert.Equal((DwarfTypeKind.Struct, "list_head"), Shape(types.FindVariable("head", null)));
        Assert.Null(types.FindVariable("outer", null));
        DwarfMember points = types.FindMember("outer", "points")!;
        Assert.Equal((12L, 96L), (points.Type.Count, points.Type.ByteSize));
        DwarfType text = types.FindMember("outer", "text")!.Type;
        Assert.Equal((DwarfTypeKind.Integer, 1L), (text.Target.Resolve().Kind, text.Target.ByteSize));
        Assert.Equal(DwarfTypeKind.Void, types.FindMember("outer", "data")!.Type.Target.Resolve().Kind);
        Assert.Null(types.FindMember("outer", "tail")!.Type.Count is > 0 ? 1 : null);
        Assert.Equal(DwarfTypeKind.Function, types.FindMember("outer", "callback")!.Type.Target.Kind);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void EnumeratorsHaveTheirValues(string compiler, string[] after)
    {
        DwarfTypes types = CompiledC.Load(CompiledC.Compile(compiler, after), out _);
        Assert.Equal(-1, types.FindEnumerator("RED"));
        Assert.Equal(5, types.FindEnumerator("GREEN"));
        Assert.Equal(200, types.FindEnumerator("BLUE"));
        Assert.Equal(0x1122334455667788, types.FindEnumerator("BIG"));
        Assert.Null(types.FindEnumerator("PURPLE"));
        if (compiler.StartsWith("clang", StringComparison.Ordinal))
            return; // Leaves out what no variable uses.
        Assert.Equal(7, types.FindEnumerator("ANON_A"));
        Assert.Equal(0x7fffffff, types.FindEnumerator("ANON_B"));
    }

    [Fact]
    public void AStructureThatIsOnlyDeclaredIsFoundWhereAnotherUnitDefinesIt()
    {
        DwarfTypes types = CompiledC.Load(CompiledC.Compile("gcc -g -shared"), out _);
        DwarfType far = types.FindMember("outer", "far")!.Type.Target.Resolve();
        Assert.Equal(16, far.ByteSize);
        Assert.Equal(8, far.Find("y")!.ByteOffset);
        DwarfTypes alone = CompiledC.Load(CompiledC.Compile("gcc -g"), out _);
        Assert.Null(alone.FindMember("outer", "far")!.Type.Target.ByteSize);
    }

    [Fact]
    public void TheSymbolsAndTheFileOfATypedefAreFound()
    {
        byte[] file = CompiledC.Compile("gcc -g -shared -Wl,--build-id");
        using ElfObjectFile elf = ElfObjectFile.Open(new HostileSource(file));
        ElfSymbols symbols = ElfSymbols.Read(elf);
        Assert.True(symbols.TryFind("an_outer", out ulong address));
        Assert.Equal("outer", DwarfTypes.TryLoad(elf, out _)!.FindVariable("an_outer", address)!.Name);
        Assert.False(symbols.TryFind("absent", out _));
        Assert.Equal(40, elf.ReadBuildId()!.Length);
        Assert.EndsWith("a.c", DwarfTypes.TryLoad(elf, out _)!.FindTypedefFile("point_t"), StringComparison.Ordinal);
        byte[] text = new byte[6];
        Assert.True(symbols.TryFind("secret", out address) && elf.Read(address, text) == text.Length);
        Assert.Equal("secret"u8.ToArray(), text);
    }

    [Fact]
    public void AFileWithoutDebugInformationIsToldSo()
    {
        Assert.Null(CompiledC.Load(CompiledC.Compile("gcc"), out string? problem));
        Assert.Contains(".debug_info", problem, StringComparison.Ordinal);
        Assert.Throws<DumpFormatException>(() =>
            ElfObjectFile.Open(new HostileSource("no ELF file at all, but long enough to be one of them, is it not?"u8.ToArray())));
        Assert.Throws<DumpFormatException>(() => ElfObjectFile.Open(new HostileSource([])));
    }

    [Fact]
    public void ZlibDataThatAskForADictionaryAreDamaged()
    {
        byte[] file = CompiledC.Compile("gcc -g -gz=zlib");
        int changed = 0;
        for (int i = 0; i + 1 < file.Length; i++)
        {
            if (file[i] != 0x78 || file[i + 1] is not (0x01 or 0x5e or 0x9c or 0xda))
                continue;
            file[i + 1] = 0xbb;
            changed++;
        }

        Assert.True(changed > 0);
        Use(file);
        Assert.Throws<DumpFormatException>(() => CompiledC.Load(file, out _));
    }

    [Theory]
    [InlineData("gcc -gdwarf-4")]
    [InlineData("gcc -gdwarf-5 -shared")]
    [InlineData("clang -gdwarf-5")]
    [InlineData("gcc -g -gz=zlib")]
    public void DamageEndsInAnErrorOrInTypes(string compiler)
    {
        byte[] file = CompiledC.Compile(compiler);
        Gen.Select(Gen.Int[0, file.Length - 1].Array[1, 8], Gen.Byte.Array[8], Gen.Int[0, 9]).Sample(
            (at, values, cut) =>
            {
                byte[] bytes = [.. file];
                for (int i = 0; i < at.Length; i++)
                    bytes[at[i]] = values[i];
                Use(cut == 0 ? bytes[..at[0]] : bytes);
            },
            iter: 800);
    }

    [Theory]
    [InlineData("gcc -gdwarf-4")]
    [InlineData("clang -gdwarf-5")]
    public void EveryByteOfTheDebugSectionsMayLie(string compiler)
    {
        byte[] file = CompiledC.Compile(compiler);
        using ElfObjectFile elf = ElfObjectFile.Open(new HostileSource(file));
        foreach (ElfSection section in elf.Sections.Where(s => s.Name is ".debug_info" or ".debug_abbrev" or ".debug_str_offsets"))
        {
            for (long at = section.Offset; at < section.Offset + section.Size; at++)
            {
                byte before = file[at];
                foreach (byte value in (ReadOnlySpan<byte>)[0, 0x7f, 0x80, 0xff])
                {
                    file[at] = value;
                    Use(file);
                }

                file[at] = before;
            }
        }
    }

    private static (DwarfTypeKind Kind, string Name) Shape(DwarfType? type) => type is null ? default : (type.Kind, type.Name);

    private static void Use(byte[] file)
    {
        try
        {
            if (CompiledC.Load(file, out _) is not { } types)
                return;
            foreach (string name in (ReadOnlySpan<string>)["outer", "inner", "point_t", "list_head"])
                Walk(types.FindComposite(name), 0);
            foreach (string name in (ReadOnlySpan<string>)["an_outer", "outer_pointer", "table", "secret", "biggest"])
                Walk(types.FindVariable(name, null), 0);
            types.FindMember("outer", "list.next");
            types.FindEnumerator("RED");
            types.FindTypedefFile("point_t");
        }
        catch (VmcoreException)
        {
            // A clear error is what damage may end in.
        }
    }

    private static void Walk(DwarfType? type, int depth)
    {
        if (type is null || depth > 4)
            return;
        _ = (type.ByteSize, type.Count, type.Name, type.IsSigned, type.Enumerators.Count);
        Walk(type.Target, depth + 1);
        foreach (DwarfMember member in type.Members)
            Walk(member.Type, depth + 1);
    }
}
