using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Expressions;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Tests.Kernel;

/// <summary>What an expression must not answer: a place found by a wrong member, what only looks like a variable of each CPU, memory that is no longer a
/// variable's, an address that is none.</summary>
public sealed class ExpressionCheckTests
{
    private const ulong At = 0xffff_8880_0000_0000, Freed = At + 512;

    private readonly byte[] _bytes = new byte[1024];
    private readonly KernelExpressionContext _context;

    public ExpressionCheckTests()
    {
        var builder = new BtfBuilder();
        const uint Signed = 1 << 24, ListHead = 3, Node = 5, Item = 8;
        uint number = builder.Add(BtfKind.Int, "int", 4, 0, false, Signed | 32), word = builder.Int("unsigned long", 8);
        Assert.Equal(ListHead, builder.Composite(BtfKind.Struct, "list_head", 16, ("next", 4, 0), ("prev", 4, 64)));
        builder.Add(BtfKind.Pointer, "", ListHead);
        Assert.Equal(Node, builder.Composite(BtfKind.Struct, "hlist_node", 16, ("next", 6, 0), ("pprev", word, 64)));
        builder.Add(BtfKind.Pointer, "", Node);
        Assert.Equal(7u, builder.Composite(BtfKind.Struct, "hlist_head", 8, ("first", 6, 0)));
        Assert.Equal(Item, builder.Composite(
            BtfKind.Struct, "item", 64, ("number", number, 0), ("next", 9, 64), ("links", ListHead, 128), ("hash", Node, 256)));
        builder.Add(BtfKind.Pointer, "", Item);
        builder.Enum("color", ("RED", 1), ("BLUE", 7));
        builder.Enum("other", ("BLUE", 7), ("GREEN", 3));
        builder.Enum("third", ("GREEN", 4));
        BitConverter.GetBytes(5).CopyTo(_bytes, 0);
        BitConverter.GetBytes(6).CopyTo(_bytes, 4);
        BitConverter.GetBytes(0xdead000000000100).CopyTo(_bytes, 8);
        BitConverter.GetBytes(At + 16).CopyTo(_bytes, 256);
        BitConverter.GetBytes(At + 256).CopyTo(_bytes, 16);
        BitConverter.GetBytes(At + 32).CopyTo(_bytes, 300);
        BitConverter.GetBytes(0x6b6b6b6b6b6b6b6b).CopyTo(_bytes, 72);
        Dictionary<string, ulong> symbols = new() { ["item"] = At, ["second"] = At + 64, ["head"] = At + 256, ["hash"] = At + 300, ["start"] = Freed };
        _context = new(new WithoutRange(new FakeVirtualMemory().Add(At, _bytes), new(Freed, Freed + 64)),
            KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!), name => symbols.TryGetValue(name, out ulong at) ? at : null, _ => 0)
        {
            Cpus = [0],
            IsPerCpu = static (name, _) => name == "second",
        };
    }

    [Theory]
    [InlineData("RED", 1)]
    [InlineData("BLUE + RED", 8)]
    [InlineData("(enum color)7 == BLUE", 1)]
    [InlineData("sizeof(*(int (*)[4])item)", 16)]
    [InlineData("(*(int (*)[2])item)[1]", 6)]
    [InlineData("((int (*)[1])item)[1][0]", 6)]
    [InlineData("((struct item (*)[2])item)[0][0].number", 5)]
    [InlineData("container_of(&((struct item *)item)->links, struct item, links)->number", 5)]
    [InlineData("container_of((void *)0xffff888000000010, struct item, links)->number", 5)]
    [InlineData("container_of(&((struct item *)item)->number, struct item, number)->number", 5)]
    [InlineData("*(int *)&per_cpu(second, 0) == 0", 1)]
    public void WhatCAllowsIsCalculated(string expression, long value) => Assert.Equal(value, (long)Evaluate(expression).AsUInt64());

    [Theory]
    [InlineData("NOSUCH", "there is no symbol 'NOSUCH'")]
    [InlineData("GREEN", "'GREEN' is 3 in 'enum other', and 4 in 'enum third'")]
    [InlineData("(int (*)[4)item", "a ']' was expected")]
    [InlineData("(int (*[4])item", "there is no function 'int'")]
    [InlineData("container_of(&((struct item *)item)->links, struct item, hash)",
        "'hash' of 'struct item' is a 'struct hlist_node', and what is pointed to is a 'struct list_head'")]
    [InlineData("container_of(&((struct item *)item)->number, struct item, next)", "is a 'struct item *', and what is pointed to is a 'int'")]
    [InlineData("per_cpu(item, 0)", "'item' is there once, and not for each CPU")]
    [InlineData("per_cpu(item)", "'item' is there once, and not for each CPU")]
    [InlineData("*(int *)start", "memory of the kernel's start (init), which was freed")]
    [InlineData("((struct item *)start)->next->number", "memory of the kernel's start (init), which was freed")]
    [InlineData("((struct item *)item)->next->number", "the address is LIST_POISON1")]
    [InlineData("((struct item *)second)->next->next", "the address is POISON_FREE: content of a slab object that was freed, and 0x8 bytes")]
    [InlineData("*(int *)0x1234567812345678", "none that can be mapped (not canonical)")]
    public void WhatWouldBeWrongIsRefused(string expression, params string[] messages)
    {
        string message = Assert.Throws<KernelObjectException>(() => Evaluate(expression).AsUInt64()).Message;
        Assert.True(messages.Any(m => message.Contains(m, StringComparison.Ordinal)), message);
    }

    [Theory]
    [InlineData("list_for_each(*(struct list_head *)head, struct item, hash)",
        "'hash' of 'struct item' is a 'struct hlist_node', and links it into no such list")]
    [InlineData("list_for_each(*(struct list_head *)head, struct item, number)", "'number' of 'struct item' is a 'int'")]
    [InlineData("hlist_for_each(*(struct hlist_head *)hash, struct item, links)", "that takes a 'struct hlist_node'")]
    public void AListIsNotFollowedByAMemberThatIsNoneOfIts(string expression, string message)
    {
        ExpressionValue value = Assert.Single(KernelExpression.Parse(expression, _context).Values());
        Assert.Contains(message, value.Problem!, StringComparison.Ordinal);
    }

    [Fact]
    public void AListIsFollowedByItsMember() => Assert.Equal([At], KernelExpression
        .Parse("list_for_each(*(struct list_head *)head, struct item, links)", _context).Values().Select(v => v.Item!.AsUInt64()));

    [Theory]
    [InlineData(0UL, "NULL")]
    [InlineData(0x10UL, "NULL and 0x10 bytes")]
    [InlineData(0xfffffffffffffff4, "error -12 as a pointer (ERR_PTR)")]
    [InlineData(0xdead000000000100, "LIST_POISON1, which an entry has in front of it that was taken off its list")]
    [InlineData(0xdeacfffffffffff8, "LIST_POISON1, which an entry has in front of it that was taken off its list, less 0x108 bytes")]
    [InlineData(0xdead000000000130, "LIST_POISON2, which an entry has behind it that was taken off its list, and 0xe bytes")]
    [InlineData(0x6b6b6b6b6b6b6bab, "POISON_FREE: content of a slab object that was freed, and 0x40 bytes")]
    [InlineData(0xa56b6b6b6b6b6b6b, "POISON_FREE: content of a slab object that was freed")]
    [InlineData(0xccccccccccccccc4, "POISON_FREE_INITMEM: content of memory of the kernel's start, less 0x8 bytes")]
    [InlineData(0xffff888000001000, null)]
    [InlineData(0x6b6b6b6b00000000, null)]
    public void ValuesThatAreNoPlacesHaveNames(ulong value, string? words) => Assert.Equal(words, AddressPattern.Of(value));

    /// <summary>Where BTF marks "signed char" it says of "char" too whether it is; where it does not, the kernel's age and its machine tell.</summary>
    [Theory]
    [InlineData(0, 0, true, true)]
    [InlineData(0, 0, false, false)]
    [InlineData(0, 1, true, false)]
    [InlineData(1, 1, false, true)]
    [InlineData(1, 0, false, true)]
    public void TheSignOfCharIsThatOfTheKernel(int ofChar, int ofSignedChar, bool isUsual, bool expected)
    {
        var builder = new BtfBuilder();
        builder.Add(BtfKind.Int, "char", 1, 0, false, ((uint)ofChar << 24) | 8);
        builder.Add(BtfKind.Int, "signed char", 1, 0, false, ((uint)ofSignedChar << 24) | 8);
        builder.Add(BtfKind.Int, "unsigned char", 1, 0, false, 8);
        var types = new KernelTypes(BtfTypes.TryParse(builder.Build(), out _)!, isCharSigned: isUsual);
        Assert.Equal((expected, true, false), (types.Find("char")!.IsSigned, types.Find("signed char")!.IsSigned, types.Find("unsigned char")!.IsSigned));
    }

    [Theory]
    [InlineData("6.1.192-pmemlab", true)]
    [InlineData("5.14.0-427.el9", true)]
    [InlineData("6.2.0", false)]
    [InlineData("6.12.117+deb12-amd64", false)]
    [InlineData("10.0", false)]
    [InlineData("", false)]
    [InlineData("6.", false)]
    [InlineData("next", false)]
    public void ReleasesAreComparedByTheirNumbers(string release, bool isBefore) => Assert.Equal(isBefore, KernelRelease.IsBefore(release, 6, 2));

    private KernelObject Evaluate(string expression) => KernelExpression.Evaluate(expression, _context);
}
