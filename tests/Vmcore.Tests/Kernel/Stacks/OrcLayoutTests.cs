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

    /// <summary>Without a single entry the numbers mean nothing; any part of the table tells them.</summary>
    [Fact]
    public void ATableThatCannotBeReadSaysNothing()
    {
        OrcLayout layout = Layout();
        layout.LearnNumbers(new FakeVirtualMemory(), Base, int.MaxValue);
        layout.LearnNumbers(new FakeVirtualMemory(), Base, -1);
        Assert.Equal(OrcEntry.Unreadable, layout.Decode(s_old));
        const int Count = 100_000, From = 50_000;
        byte[] later = [.. Enumerable.Range(0, Count - From).SelectMany(_ => s_new)];
        layout.LearnNumbers(new FakeVirtualMemory().Add(Base + (6 * From), later), Base, Count);
        Assert.Equal(OrcRegister.Sp, layout.Decode(s_new).SpRegister);
    }

    /// <summary>An address below the table has no entry; one whose entry cannot be read may have any.</summary>
    [Fact]
    public void AnEntryThatIsMissingIsNotOneThatCannotBeRead()
    {
        const ulong Addresses = Base + 0x10000, Code = Base - 0x1000;
        byte[] addresses = new byte[8], entries = [.. s_old, .. s_old];
        BitConverter.TryWriteBytes(addresses, unchecked((int)(Code - Addresses)));
        BitConverter.TryWriteBytes(addresses.AsSpan(4), unchecked((int)(Code + 0x100 - (Addresses + 4))));
        OrcLayout layout = Layout(s_old);
        FakeVirtualMemory Memory() => new FakeVirtualMemory().Add(Addresses, addresses);
        var whole = new OrcTable(Memory().Add(Base, entries), layout, Addresses, Base, 2);
        Assert.Equal(OrcFrame.Missing, whole.Find(Code - 1).Frame);
        Assert.Equal(OrcFrame.Call, whole.Find(Code).Frame);
        Assert.Equal(OrcFrame.Call, whole.Find(Code + 0x200).Frame);
        Assert.Equal(OrcFrame.Unreadable, new OrcTable(Memory(), layout, Addresses, Base, 2).Find(Code).Frame);
        Assert.Equal(OrcFrame.Unreadable, new OrcTable(new FakeVirtualMemory().Add(Base, entries), layout, Addresses, Base, 2).Find(Code).Frame);
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
