using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>What a damaged or hostile dump may do to the reader: lists in circles,
/// pointers to nowhere, types that are cut off or refer to themselves.</summary>
public class HostileKernelTests
{
    private const ulong At = 0xffff_8880_0000_0000;

    [Fact]
    public void CutOffBtfGivesTypesOrASentence()
    {
        byte[] whole = Btf();
        for (int length = 0; length < whole.Length; length++)
        {
            if (BtfTypes.TryParse(whole.AsSpan(0, length), out string? problem) is { } types)
                _ = Describe(KernelTypes.From(types));
            else
                Assert.NotNull(problem);
        }
    }

    [Fact]
    public void BtfWithAnyByteChangedEnds()
    {
        byte[] whole = Btf();
        for (int i = 0; i < whole.Length; i++)
        {
            foreach (byte value in (ReadOnlySpan<byte>)[0, 1, 0x7f, 0xff])
            {
                byte[] changed = [.. whole];
                changed[i] = value;
                if (BtfTypes.TryParse(changed, out _) is { } types)
                    _ = Describe(KernelTypes.From(types));
            }
        }
    }

    [Fact]
    public void PointersToNowhereAreSaidSo()
    {
        KernelTypes types = KernelTypes.From(BtfTypes.TryParse(Btf(), out _)!);
        byte[] bytes = new byte[64];
        bytes.AsSpan().Fill(0xee);
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(At, bytes);
        var context = new KernelExpressionContext(memory, types, name => name == "item" ? At : null, _ => null);
        Assert.Throws<KernelObjectException>(() => KernelExpression.Evaluate("((struct node *)item)->next->next->value", context).AsUInt64());
        Assert.Equal(0xeeeeeeeeul, KernelExpression.Evaluate("((struct node *)item)->value", context).AsUInt64() & 0xffffffff);
        foreach (string wrong in (string[])["((struct node *)item)->none", "item[", "((((((((", "", "*", "&&&&item",
            "item[99999999999999999999]", "((struct none *)item)->x", new string('(', 5000) + "item", new string('*', 5000) + "item"])
            Assert.Throws<KernelObjectException>(() => KernelExpression.Evaluate(wrong, context).AsUInt64());
    }

    private static byte[] Btf()
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4);
        uint pointer = builder.Add(BtfKind.Pointer, "", 3);
        builder.Composite(BtfKind.Struct, "node", 16, ("next", pointer, 0), ("value", number, 64));
        builder.Add(BtfKind.Typedef, "loop_t", 5);
        builder.Add(BtfKind.Const, "", 4);
        builder.Composite(BtfKind.Struct, "self", 8, ("", 6, 0));
        builder.Enum("color", ("RED", 1), ("BLUE", -2));
        return builder.Build();
    }

    private static string Describe(KernelTypes types)
    {
        string all = "";
        foreach (string name in (string[])["struct node", "struct self", "loop_t", "enum color", "int"])
        {
            if (types.Find(name, out _) is { } type)
                all += TypeDeclaration.Write(type, withOffsets: true) + type.Size + type.FindMember("value");
        }

        return all;
    }
}
