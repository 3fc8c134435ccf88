using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Types;
using Vmcore.Testing;
using Vmcore.Tests.Kernel;

namespace Vmcore.Tests.Robustness;

/// <summary>
/// Types that hold themselves, in breadth as well as in depth, and variables of which nothing would come to an end: one budget goes through an answer, the
/// answer says where it was cut, and a sound answer does not change.
/// </summary>
public class TypeBombTests
{
    private const ulong At = 0xffff_8880_0000_0000;
    private const long MostBytes = 200L << 20;

    public static TheoryData<string> Corpus =>
        [.. Directory.GetFiles(Path.Combine(SourceTree.Root, "tests", "fuzz", "corpus", "btf")).Select(static f => Path.GetFileName(f)!)];

    [Theory]
    [MemberData(nameof(Corpus))]
    public void WhatHoldsItselfEnds(string file) =>
        Ask(File.ReadAllBytes(Path.Combine(SourceTree.Root, "tests", "fuzz", "corpus", "btf", file)));

    [Fact]
    public void AChainOfFunctionsIsNoChainOfCalls()
    {
        var builder = new BtfBuilder();
        for (uint id = 1; id <= 300_000; id++)
            builder.Add(BtfKind.Function, "", id - 1);
        builder.Composite(BtfKind.Struct, "list_head", 16, ("a", 300_000, 0));
        Ask(builder.Build());
    }

    [Fact]
    public void AFunctionOrVariableStandsForItsType()
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4), variable = builder.Add(BtfKind.Variable, "v", number, 0, false, 0);
        builder.Composite(BtfKind.Struct, "list_head", 16, ("a", variable, 0));
        KernelTypes types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
        Assert.Equal("int", types.Find("struct list_head")!.FindMember("a")!.Type.ToString());
        Assert.Equal("int", types.VariableType("v", out _)!.ToString());
    }

    [Fact]
    public void NamesOfHundredsOfThousandsOfTypesAreNotHeld()
    {
        var builder = new BtfBuilder();
        for (int i = 0; i < 60_000; i++)
            builder.Composite(BtfKind.Struct, new string('x', 200) + i, 0);
        uint number = builder.Int("long unsigned int", 8);
        builder.Composite(BtfKind.Struct, "list_head", 16, ("a", number, 0));
        KernelTypes types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
        Assert.Equal("unsigned long", types.Find("struct list_head")!.Members[0].Type.Name);
        Assert.Equal(8, types.Find("unsigned long")!.Size);
        Assert.Null(types.Find("struct " + new string('x', 200)));
        Assert.NotNull(types.Find("struct " + new string('x', 200) + "59999"));
    }

    [Fact]
    public void TypesThatTakeTooMuchAreRefused()
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4);
        builder.Composite(BtfKind.Struct, "list_head", 16, [.. Enumerable.Range(0, 60_000).Select(i => (new string('y', 250), number, 0u))]);
        var factory = new BtfTypeFactory(BtfBlob.TryParse(builder.Build(), out _)!, limits: new() { TypeMemory = 1 << 20 });
        KernelType type = factory.Named("list_head").First();
        Assert.Contains("more than 1048576 bytes", Assert.Throws<KernelObjectException>(() => type.Members).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 0, "<float>")]
    [InlineData(1, 5, "-3")]
    [InlineData(1, 100, "-3")]
    [InlineData(2, 5, "29")]
    public void BitFieldsOfWideNumbersAndFloats(int kind, int width, string expected)
    {
        var builder = new BtfBuilder();
        uint type = kind == 0 ? builder.Add(BtfKind.Float, "double", 8)
            : kind == 1 ? builder.Add(BtfKind.Int, "__int128", 16, 0, false, (1u << 24) | 128) : builder.Int("__int128 unsigned", 16);
        builder.WithBitFields("list_head", 32, ("a", type, 3, width == 0 ? 5u : (uint)width));
        byte[] bytes = new byte[32];
        bytes.AsSpan().Fill(0xff);
        bytes[0] = 0b1110_1000; // bits 3 to 7: 29, or -3 with a sign
        KernelTypes types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(At, bytes);
        string text = new ValueFormatter(memory, _ => null).Format(KernelObject.At(memory, types.Find("struct list_head")!, At));
        Assert.Contains($"){expected},", text, StringComparison.Ordinal);
        Assert.False(Ask(builder.Build()));
    }

    [Fact]
    public void AnAnswerThatIsCutSaysSoAndStreamsTheSame()
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4), array = builder.Add(BtfKind.Array, "", 0, 0, false, number, number, 4096);
        builder.Composite(BtfKind.Struct, "list_head", 16384, ("a", array, 0));
        byte[] bytes = new byte[16384];
        bytes.AsSpan().Fill(1);
        KernelTypes types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(At, bytes);
        KernelObject item = KernelObject.At(memory, types.Find("struct list_head")!, At);
        foreach (ReadLimits limits in (ReadLimits[])[ReadLimits.Default, new() { AnswerCharacters = 5000 }, new() { AnswerVisits = 1000 }])
        {
            var formatter = new ValueFormatter(memory, _ => null, limits);
            string text = formatter.Format(item);
            Assert.Equal(limits != ReadLimits.Default, formatter.IsTruncated);
            Assert.Equal(formatter.IsTruncated, text.Contains("...", StringComparison.Ordinal));
            Assert.InRange(text.Length, 100, limits.AnswerCharacters + 100);
            var writer = new StringWriter();
            formatter.Format(item, writer);
            Assert.Equal(text, writer.ToString());
        }
    }

    [Fact]
    public void ABoundThatIsNoneIsRefused() =>
        Assert.Equal("AnswerVisits", Assert.Throws<ArgumentOutOfRangeException>(() => new ReadLimits { AnswerVisits = 0 }).ParamName);

    // Every answer that the commands give of a type; true if one was cut.
    private static bool Ask(byte[] btf)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool isCut = false;
        byte[] bytes = new byte[1 << 16];
        new Random(1).NextBytes(bytes);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(At, bytes);
        if (BtfTypes.TryParse(btf, out _) is not { } parsed)
            return false;
        KernelTypes types = KernelTypes.From(parsed);
        if (types.Find("struct list_head") is not { } type)
            return false;
        var budget = new AnswerBudget();
        _ = type.ToString();
        _ = TypeDeclaration.Write(type, withOffsets: true, budget);
        _ = type.FindMember("no such member");
        isCut |= budget.IsTruncated;
        try
        {
            KernelObject item = KernelObject.At(memory, type, At);
            var formatter = new ValueFormatter(memory, _ => null);
            formatter.Format(item, TextWriter.Null);
            isCut |= formatter.IsTruncated;
        }
        catch (KernelObjectException)
        {
            // Larger than memory, or of no size.
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
        return isCut;
    }
}
