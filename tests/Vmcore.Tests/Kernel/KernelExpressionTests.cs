using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>
/// What an expression is: the value and its type as C has them, or an error that names the part. <c>tests/readers/compare-drgn</c> asks gcc for the arithmetic,
/// and drgn for what is in a dump.
/// </summary>
public sealed class KernelExpressionTests
{
    private const ulong At = 0xffff_8880_0000_0000;

    // Where things lie: an item at 0 and one at 256, in one list whose head is at 512; a rb_root at 528; per-CPU numbers at 768 and 776.
    private const ulong Second = At + 256, Head = At + 512, Root = At + 528, Wild = At + 600, Cpus = At + 768;

    private readonly byte[] _bytes = new byte[1024];
    private readonly KernelExpressionContext _context;

    public KernelExpressionTests()
    {
        var builder = new BtfBuilder();
        const uint Signed = 1 << 24;
        uint number = builder.Add(BtfKind.Int, "int", 4, 0, false, Signed | 32), character = builder.Add(BtfKind.Int, "char", 1, 0, false, Signed | 8);
        uint word = builder.Int("unsigned long", 8), byteType = builder.Int("unsigned char", 1), half = builder.Int("unsigned int", 4);
        const uint ListHead = 6, Node = 8, Item = 12;
        Assert.Equal(ListHead, builder.Composite(BtfKind.Struct, "list_head", 16, ("next", 7, 0), ("prev", 7, 64)));
        builder.Add(BtfKind.Pointer, "", ListHead);
        Assert.Equal(Node, builder.Composite(BtfKind.Struct, "rb_node", 24, ("rb_parent", word, 0), ("rb_right", 9, 64), ("rb_left", 9, 128)));
        builder.Add(BtfKind.Pointer, "", Node);
        builder.Composite(BtfKind.Struct, "rb_root", 8, ("rb_node", 9, 0));
        uint name = builder.Add(BtfKind.Array, "", 0, 0, false, character, word, 8);
        Assert.Equal(Item, builder.WithBitFields("item", 128, ("number", number, 0, 0), ("unsigned_number", half, 32, 0), ("big", word, 64, 0),
            ("name", name, 128, 0), ("next", 13, 192, 0), ("links", ListHead, 256, 0), ("tree", Node, 384, 0), ("byte", byteType, 576, 0),
            ("low", half, 608, 3), ("full", half, 640, 32), ("letter", character, 704, 0)));
        builder.Add(BtfKind.Pointer, "", Item);
        builder.Enum("color", ("RED", 1));
        builder.Add(BtfKind.Int, "bool", 1, 0, false, (4 << 24) | 8);
        var types = KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
        Put(0, 0xffffffff_fffffffe);
        Put(8, ulong.MaxValue);
        "hello"u8.CopyTo(_bytes.AsSpan(16));
        Put(256, 7);
        Put(256 + 24, At);
        Put(512, At + 32);
        Put(32, Second + 32);
        Put(256 + 32, Head);
        Put(528, At + 48);
        Put(48 + 8, Second + 48);
        _bytes[72] = 200;
        Put(76, 5);
        Put(80, uint.MaxValue);
        _bytes[88] = 0xff;
        Put(600, At + 32);
        Put(768, 41);
        Put(776, 42);
        Dictionary<string, ulong> symbols = new()
        {
            ["item"] = At,
            ["head"] = Head,
            ["root"] = Root,
            ["wild"] = Wild,
            ["counter"] = Cpus,
            ["gone"] = At + 4096,
        };
        _context = new(new FakeVirtualMemory().Add(At, _bytes), types, symbol => symbols.TryGetValue(symbol, out ulong at) ? at : null,
            cpu => cpu is 0 or 1 ? (ulong)cpu * 8 : null)
        {
            Cpus = [0, 1],
        };
    }

    [Theory]
    [InlineData("1 + 2 * 3", "int", 7)]
    [InlineData("(1 + 2) * 3", "int", 9)]
    [InlineData("7 - 2 - 1", "int", 4)]
    [InlineData("-7 / 2", "int", -3)]
    [InlineData("-7 % 3", "int", -1)]
    [InlineData("1 << 31", "int", int.MinValue)]
    [InlineData("1U << 31", "unsigned int", 1L << 31)]
    [InlineData("-1 >> 1", "int", -1)]
    [InlineData("1 << 2 + 1", "int", 8)]
    [InlineData("6 & 3 == 3", "int", 0)]
    [InlineData("1 | 6 ^ 2 & 3", "int", 5)]
    [InlineData("~0U", "unsigned int", uint.MaxValue)]
    [InlineData("-1 < 1U", "int", 0)]
    [InlineData("-1L < 1U", "int", 1)]
    [InlineData("-1 < 1UL", "int", 0)]
    [InlineData("2147483647", "int", int.MaxValue)]
    [InlineData("2147483648", "long", 1L << 31)]
    [InlineData("0x80000000", "unsigned int", 1L << 31)]
    [InlineData("0xffffffffffffffff", "unsigned long", -1)]
    [InlineData("0x7fffffffffffffffLL", "long long", long.MaxValue)]
    [InlineData("1LL + 1UL", "unsigned long long", 2)]
    [InlineData("(-9223372036854775807 - 1) / -1", "long", long.MinValue)]
    [InlineData("(-9223372036854775807 - 1) % -1", "long", 0)]
    [InlineData("!5 || 2 && 0", "int", 0)]
    [InlineData("0 && 1 / 0", "int", 0)]
    [InlineData("1 || 1 / 0", "int", 1)]
    [InlineData("(char)300", "char", 44)]
    [InlineData("(unsigned char)-1", "unsigned char", 255)]
    [InlineData("(unsigned char)255 + (unsigned char)1", "int", 256)]
    [InlineData("(bool)256", "bool", 1)]
    [InlineData("(enum color)1 - 2", "unsigned int", uint.MaxValue)]
    [InlineData("sizeof(struct item)", "unsigned long", 128)]
    [InlineData("sizeof(int) * 2", "unsigned long", 8)]
    [InlineData("sizeof(((struct item *)item)->name)", "unsigned long", 8)]
    [InlineData("sizeof *((struct item *)item)->next", "unsigned long", 128)]
    [InlineData("offsetof(struct item, tree.rb_left)", "unsigned long", 64)]
    [InlineData("((struct item *)item)->number + 1", "int", -1)]
    [InlineData("((struct item *)item)->unsigned_number + 1", "unsigned int", 0)]
    [InlineData("((struct item *)item)->big == -1", "int", 1)]
    [InlineData("((struct item *)item)->byte << 1", "int", 400)]
    [InlineData("((struct item *)item)->low - 6", "int", -1)]
    [InlineData("((struct item *)item)->full + 1", "unsigned int", 0)]
    [InlineData("((struct item *)item)->letter", "char", -1)]
    [InlineData("((struct item *)item)->name[1] == 101", "int", 1)]
    [InlineData("*(((struct item *)item)->name + 4)", "char", 'o')]
    [InlineData("&((struct item *)item)->name[5] - &((struct item *)item)->name[1]", "long", 4)]
    [InlineData("((struct item *)item)->next == 0", "int", 1)]
    [InlineData("!((struct item *)item)->next", "int", 1)]
    [InlineData("container_of(((struct list_head *)head)->next, struct item, links)->number", "int", -2)]
    [InlineData("&((struct item *)0)->big", "unsigned long *", 8)]
    [InlineData("(unsigned long)(&item + 1) - (unsigned long)&item", "unsigned long", 1)]
    [InlineData("*(int *)per_cpu(counter, 1)", "int", 42)]
    [InlineData("*per_cpu_ptr((int *)counter, 1)", "int", 42)]
    public void ValuesAndTypesAreThoseOfC(string text, string type, long value)
    {
        KernelObject item = KernelExpression.Evaluate(text, _context);
        Assert.Equal((type, value), (item.Type.ToString(), (long)item.AsUInt64()));
    }

    [Theory]
    [InlineData("list_for_each(head, struct item, links)->number", "-2 7")]
    [InlineData("list_for_each((struct list_head *)head, struct item, links)->number * 2 + 1", "-3 15")]
    [InlineData("rb_for_each(root, struct item, tree)->number", "-2 7")]
    [InlineData("*(int *)per_cpu(counter)", "cpu0:41 cpu1:42")]
    [InlineData("*per_cpu_ptr((int *)counter)", "cpu0:41 cpu1:42")]
    [InlineData("list_for_each(head, struct item, links)->next->number", "'list_for_each(head, struct item, links)->next' is NULL -2")]
    [InlineData("chain_for_each((struct item *)(item + 256), next)->number", "7 -2")]
    [InlineData("list_for_each(list_for_each(head, struct item, links)->next->tree.rb_right, struct item, tree)",
        "'list_for_each(head, struct item, links)->next' is NULL is no 'struct list_head'")]
    [InlineData("list_for_each(wild, struct item, links)->number", "-2 7 leads back into itself")]
    [InlineData("list_for_each(gone, struct item, links)->number", "breaks off")]
    [InlineData("per_cpu(counter) / 0", "the dump does not say what type the dump does not say what type")]
    public void ListsStandForTheirStructures(string text, string expected)
    {
        var expression = KernelExpression.Parse(text, _context);
        Assert.True(expression.IsSequence);
        string said = string.Join(' ', expression.Values().Select(static v => v.Item is not { } item ? v.Problem
            : (v.Cpu is { } cpu ? $"cpu{cpu}:" : "") + ((long)item.AsUInt64()).ToString(CultureInfo.InvariantCulture)));
        int at = 0;
        foreach (string part in expected.Split(' '))
        {
            at = said.IndexOf(part, at, StringComparison.Ordinal);
            Assert.True(at >= 0, $"{text}: '{said}' lacks '{part}'");
        }

        Assert.Contains("several values", Assert.Throws<KernelObjectException>(expression.Value).Message, StringComparison.Ordinal);
    }

    /// <summary>Never a zero: the error names the part that has no value.</summary>
    [Theory]
    [InlineData("1 + 5 / (2 - 2)", "'5 / (2 - 2)': division by 0")]
    [InlineData("1 % 0", "'1 % 0': division by 0")]
    [InlineData("1 << 32", "'1 << 32': a shift of 32 bits by 32")]
    [InlineData("1L << -1", "'1L << -1': a shift of 64 bits by -1")]
    [InlineData("((struct item *)item)->next->number + 1", "'((struct item *)item)->next' is NULL")]
    [InlineData("*((struct item *)item)->next", "'((struct item *)item)->next' is NULL")]
    [InlineData("((struct item *)item)->next[0]", "'((struct item *)item)->next' is NULL")]
    [InlineData("&((struct item *)item)->next->number", "'((struct item *)item)->next' is NULL")]
    [InlineData("1 + ((struct item *)gone)->number", "'1 + ((struct item *)gone)->number': 4 bytes at 0xffff888000001000")]
    [InlineData("((struct item *)gone)->next->number", "'((struct item *)gone)->next->number': 8 bytes at")]
    [InlineData("item == 0", "does not say what type 'item' has")]
    [InlineData("(int)item", "does not say what type 'item' has")]
    [InlineData("!item", "does not say what type 'item' has")]
    [InlineData("nothing", "there is no symbol 'nothing'")]
    [InlineData("nothing(1)", "there is no function 'nothing'")]
    [InlineData("sizeof(struct nothing)", "there is no type 'struct nothing'")]
    [InlineData("sizeof(((struct item *)item)->low)", "a bit-field has no size")]
    [InlineData("offsetof(struct item, nothing)", "no member 'nothing'")]
    [InlineData("container_of(item, struct item, low)", "is a bit-field")]
    [InlineData("per_cpu(counter, 2)", "there is no CPU 2")]
    [InlineData("per_cpu(counter, -1)", "there is no CPU")]
    [InlineData("&item + &item", "'+' is not defined for 'void *' and 'void *'")]
    [InlineData("&item * 2", "'*' is not defined for")]
    [InlineData("(int *)1 - (char *)1", "elements of different size")]
    [InlineData("*(struct item *)item + 1", "'struct item' is no number")]
    [InlineData("010", "octal")]
    [InlineData("0x", "is no number")]
    [InlineData("1K", "is no number")]
    [InlineData("18446744073709551616", "is no number")]
    [InlineData("1 +", "ends too early")]
    [InlineData("1 2", "'2' was not expected")]
    [InlineData("&&item", "was not expected")]
    [InlineData("list_for_each(head, struct item, links)", "several values")]
    [InlineData("per_cpu(counter) == per_cpu(counter)", "both sides stand for several values")]
    [InlineData("list_for_each(head, struct item)", "was not expected")]
    [InlineData("list_for_each(head, struct item, nothing)->number == 1", "several values")]
    [InlineData("rb_for_each((struct list_head *)head, struct item, tree)", "several values")]
    public void WhatHasNoValueIsNamed(string text, string message) =>
        Assert.Contains(message, Assert.Throws<KernelObjectException>(() => KernelExpression.Evaluate(text, _context).AsUInt64()).Message,
            StringComparison.Ordinal);

    [Fact]
    public void AVariableWithoutATypeTakesTheOneThatIsGiven()
    {
        KernelExpressionContext given = _context with { Untyped = _context.Types.Find("struct item") };
        Assert.Equal("hello", KernelExpression.Evaluate("item.name", given).ReadString());
        Assert.True(KernelExpression.Parse("item.name", given).HasUntyped);
        Assert.False(KernelExpression.Parse("1 + 1", given).HasUntyped);
        Assert.Equal("void *", KernelExpression.Evaluate("&item", _context).Type.ToString());
    }

    [Theory]
    [InlineData("1+")]
    [InlineData("-")]
    [InlineData("(")]
    [InlineData("1||")]
    [InlineData("sizeof ")]
    [InlineData("sizeof(")]
    [InlineData("per_cpu_ptr(")]
    [InlineData("list_for_each(")]
    [InlineData("((struct item *)item)->")]
    public void NothingNestsWithoutEnd(string part)
    {
        foreach (int count in (int[])[600, 2000])
        {
            string text = string.Concat(Enumerable.Repeat(part, count))[..Math.Min(part.Length * count, 4000)] + "1";
            Assert.Throws<KernelObjectException>(() => KernelExpression.Evaluate(text, _context).AsUInt64());
        }
    }

    private void Put(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(at), value);
}
