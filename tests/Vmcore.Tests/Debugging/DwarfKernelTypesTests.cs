using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Types;
using Vmcore.Tests.Kernel;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.Debugging;

/// <summary>What compilers write of types, as the reader's commands show it: names, declarations, members.</summary>
public class DwarfKernelTypesTests
{
    private static readonly string s_outer = string.Join(
        '\n',
        "struct outer {",
        "\tu32 flags : 3;",
        "\tu32 mode : 5;",
        "\tlong pad;",
        "\tunion {",
        "\t\tstruct {",
        "\t\t\tint a;",
        "\t\t\tint b;",
        "\t\t};",
        "\t\tunsigned long word;",
        "\t};",
        "\tstruct inner in;",
        "\tstruct list_head list;",
        "\tconst volatile char *text;",
        "\tvoid *data;",
        "\tunsigned long data_size;",
        "\tpoint_t points[3][4];",
        "\tstruct only_declared *far;",
        "\tint (*callback)(int);",
        "\tenum color c;",
        "\tchar tail[];",
        "}");

    private static readonly string[] s_compilers = ["gcc -gdwarf-3 -gstrict-dwarf", "gcc -gdwarf-5", "clang -gdwarf-4", "gcc -g -shared -fdebug-types-section"];

    public static TheoryData<string> Compilers => [.. s_compilers];

    [Theory]
    [MemberData(nameof(Compilers))]
    public void DeclarationsAreThoseOfTheSource(string compiler)
    {
        KernelTypes types = Load(compiler, _ => null);
        Assert.Equal(s_outer,
            TypeDeclaration.Write(types.Find("struct outer")!, withOffsets: false).Replace("volatile const", "const volatile", StringComparison.Ordinal));
        Assert.Equal("unsigned int", types.Find("u32")!.Underlying().ToString());
        Assert.Equal(48, types.Find("struct list_head [3]")!.Size);
        Assert.Equal(8, types.Find("point_t")!.Size);
        Assert.Equal([("RED", -1L), ("GREEN", 5), ("BLUE", 200)], types.Find("enum color")!.Enumerators.Select(e => (e.Name, e.Value)));
        Assert.Equal(0x1122334455667788, types.Find("enum big")!.Enumerators.Single().Value);
        Assert.Equal((8, true), (types.Find("long")!.Size!.Value, types.Find("long")!.IsSigned));
        Assert.Null(types.Find("struct nothing"));
        Assert.Equal(320, types.Find("struct outer")!.FindMember("a")!.BitOffset + types.Find("struct outer")!.FindMember("in")!.BitOffset);
    }

    [Theory]
    [MemberData(nameof(Compilers))]
    public void VariablesHaveTheirTypes(string compiler)
    {
        KernelTypes types = Load(compiler, name => name switch
        {
            "__per_cpu_start" => 0x10,
            "secret" => 0x20,
            "__per_cpu_end" => 0x30,
            "table" => 0x30,
            _ => null,
        });
        Assert.Equal("struct inner [9]", types.VariableType("table", out bool isPerCpu)!.ToString());
        Assert.False(isPerCpu);
        Assert.Equal("char [100]", types.VariableType("secret", out isPerCpu)!.ToString());
        Assert.True(isPerCpu);
        Assert.Null(types.VariableType("nothing", out _));
    }

    [Theory]
    [MemberData(nameof(Compilers))]
    public void OffsetsAreThoseOfTheCompilersBtf(string compiler)
    {
        KernelTypes debug = Load(compiler, _ => null), btf = Btf();
        string[] paths = ["flags", "mode", "pad", "a", "b", "word", "in.value", "in.name", "list.prev",
            "text", "data_size", "points", "points.x", "far.x", "callback", "c", "tail", "nothing", ""];
        int?[] offsets = [.. paths.Select(path => btf.MemberOffset("outer", path))];
        Assert.Equal(offsets, paths.Select(path => debug.MemberOffset("outer", path)));
        Assert.Equal(13, offsets.Count(offset => offset is not null));
        Assert.Equal(4, debug.MemberOffset("point_t", "y"));
        Assert.Equal((-1L, -1L), (debug.EnumValue("color", "RED")!.Value, btf.EnumValue("color", "RED")!.Value));
        Assert.Null(debug.EnumValue("color", "ANON_A"));
        Assert.Null(debug.EnumValue("outer", "RED"));
    }

    [Fact]
    public void SeveralThreadsMayAsk()
    {
        KernelTypes types = Load("gcc -g", _ => null);
        string[] all = new string[64];
        Parallel.For(0, all.Length, i => all[i] = TypeDeclaration.Write(types.Find("struct outer")!, withOffsets: true));
        Assert.Single(all.Distinct());
    }

    /// <summary>The texts are those of drgn 0.0.22 for the same file, in memory full of ones.</summary>
    [Theory]
    [InlineData("gcc -gdwarf-5")]
    [InlineData("clang -gdwarf-4")]
    [InlineData("gcc -gbtf")]
    public void ArraysWithoutElementsAreWrittenAsDrgnWritesThem(string compiler)
    {
        KernelTypes types = compiler.EndsWith("btf", StringComparison.Ordinal) ? Btf() : Load(compiler, _ => null);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(0x1000, [.. Enumerable.Repeat((byte)1, 128)]);
        var formatter = new ValueFormatter(memory, _ => null);
        string Print(string type, ulong address) => formatter.Format(KernelObject.At(memory, types.Find(type)!, address));
        string expected = string.Join(
            '\n',
            "(struct empties){",
            "\t.n = (int)16843009,",
            "\t.text = (char [0]){},",
            "\t.none = (struct inner [0]){},",
            "\t.grid = (int [0][3]){},",
            "\t.cmd = (long [0]){},",
            "\t.before = (struct nothing_in_it){},",
            "\t.flexible = (const char *[]){},",
            "\t.both = (struct ends_flexible [2]){",
            "\t\t{",
            "\t\t\t.n = (short)257,",
            "\t\t\t.all = (struct inner []){},",
            "\t\t},",
            "\t\t{",
            "\t\t\t.n = (short)257,",
            "\t\t\t.all = (struct inner []){},",
            "\t\t},",
            "\t},",
            "\t.tail = (unsigned char []){},",
            "}");
        string text = Print("struct empties", 0x1000);
        // gcc's own BTF has dimensions in another order.
        Assert.Equal(compiler == "gcc -gbtf" ? expected.Replace("[0][3]", "[3][]", StringComparison.Ordinal) : expected, text);
        Assert.Equal("(struct ends_flexible){\n\t.n = (short)257,\n\t.all = (struct inner []){},\n}", Print("struct ends_flexible", 0x1000));
        Assert.Equal(["(int [0]){}", "(char []){}", "(char [0]){}", "(struct inner []){}"],
            [Print("int [0]", 0x1000), Print("char []", 0x1000), Print("char [0]", 0x1000), Print("struct inner []", 0x1000)]);

        // What a pointer to it points to ends nobody knows where.
        KernelObject item = KernelObject.At(memory, types.Find("struct empties")!, 0x1000);
        Assert.Equal("(unsigned char (*)[])0x1010", formatter.Format(item.Member("tail").AddressOf()));
        Assert.Equal("*(char (*)[0])0x1004 = {}", formatter.Format(item.Member("text").AddressOf()));
    }

    private static KernelTypes Btf()
    {
        ElfObjectFile file = ElfObjectFile.Open(new HostileSource(CompiledC.Compile("gcc -gbtf")));
        ElfSection section = file.Find(".BTF")!;
        byte[] bytes = new byte[section.Size];
        file.Source.ReadExactly(section.Offset, bytes, "BTF");
        return KernelTypes.From(BtfTypes.TryParse(bytes, out _)!);
    }

    private static KernelTypes Load(string compiler, Func<string, ulong?> addresses) =>
        new(new DwarfTypeFactory(CompiledC.Load(CompiledC.Compile(compiler), out _), addresses));
}
