using Vmcore.Architectures;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel.Stacks;

/// <summary>What a kernel's entries mean: 7.3 numbers registers in another way than all before, which only the entries themselves tell.</summary>
public class OrcLayoutTests
{
    private const ulong Base = 0xffffffff_82000000;

    // As vpanic of 6.18 and of 7.3 has it: the caller's stack pointer is rsp + 40, its rbp at 32 below that.
    private static readonly byte[] s_old = [40, 0, 0xe0, 0xff, 0x15, 2];
    private static readonly byte[] s_new = [40, 0, 0xe0, 0xff, 0x83, 2];

    [Fact]
    public void RegistersAreThoseOfTheKernelsOwnNumbers()
    {
        OrcEntry expected = new(OrcFrame.Call, OrcRegister.Sp, 40, OrcRegister.PreviousSp, -32);
        Assert.Equal(expected, Layout(s_old, s_old, [16, 0, 0xf0, 0xff, 0x14, 2]).Decode(s_old));
        Assert.Equal(expected, Layout(s_new, s_new, [16, 0, 0xf0, 0xff, 0x84, 2]).Decode(s_new));
        Assert.Equal(OrcRegister.Bp, Layout(s_new).Decode([16, 0, 0xf0, 0xff, 0x84, 2]).SpRegister);
        Assert.Equal((OrcRegister.BpIndirect, OrcRegister.Bp),
            Layout(s_new).Decode([0, 0, 0, 0, 0x4a, 2]) is var entry ? (entry.SpRegister, entry.BpRegister) : default);
        Assert.Equal(OrcRegister.SpIndirect, Layout(s_new).Decode([0, 0, 0, 0, 9, 2]).SpRegister);
        Assert.Equal(OrcRegister.SpIndirect, Layout(s_old).Decode([0, 0, 0, 0, 9, 2]).SpRegister);
    }

    [Fact]
    public void NumbersThatMeanNothingAreNoRegister()
    {
        foreach (byte[] table in (byte[][])[s_old, s_new])
        {
            for (byte number = 11; number < 16; number++)
                Assert.Equal(OrcRegister.Undefined, Layout(table).Decode([0, 0, 0, 0, number, 2]).SpRegister);
        }
    }

    [Fact]
    public void ATableThatCannotBeReadIsTakenForAnOlderOne()
    {
        OrcLayout layout = Layout();
        layout.LearnNumbers(new FakeVirtualMemory(), Base, int.MaxValue);
        layout.LearnNumbers(new FakeVirtualMemory(), Base, -1);
        Assert.Equal(OrcRegister.Sp, layout.Decode(s_old).SpRegister);
    }

    private static OrcLayout Layout(params byte[][] entries)
    {
        var builder = new BtfBuilder();
        uint signed = builder.Add(BtfKind.Int, "short", 2, 0, false, 16 | (1u << 24)), number = builder.Int("unsigned int", 4);
        builder.WithBitFields("orc_entry", 6, ("sp_offset", signed, 0, 0), ("bp_offset", signed, 16, 0),
            ("sp_reg", number, 32, 4), ("bp_reg", number, 36, 4), ("type", number, 40, 3));
        OrcLayout layout = OrcLayout.TryFrom(KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!))!;
        byte[] table = [.. entries.SelectMany(e => e)];
        if (table.Length > 0)
            layout.LearnNumbers(new FakeVirtualMemory().Add(Base, table), Base, entries.Length);
        return layout;
    }
}
