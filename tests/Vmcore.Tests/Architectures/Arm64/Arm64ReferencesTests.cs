using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Architectures.Arm64;

namespace Vmcore.Tests.Architectures.Arm64;

/// <summary>Where arm64 instructions lead. The words are those that an assembler gives; the addresses are worked out by hand.</summary>
public sealed class Arm64ReferencesTests
{
    private const ulong Start = 0xffff800008010ff8;

    public static TheoryData<uint, InstructionFlow, ulong?> Branches => new()
    {
        { 0x9400_0002, InstructionFlow.Call, Start + 8 }, // bl
        { 0x97ff_ffff, InstructionFlow.Call, Start - 4 },
        { 0x1400_0010, InstructionFlow.Jump, Start + 0x40 }, // b
        { 0x17ff_ffff, InstructionFlow.Jump, Start - 4 },
        { 0x5400_0040, InstructionFlow.Branch, Start + 8 }, // b.eq
        { 0x54ff_ffe1, InstructionFlow.Branch, Start - 4 }, // b.ne
        { 0xb400_0060, InstructionFlow.Branch, Start + 12 }, // cbz x0
        { 0x3500_0060, InstructionFlow.Branch, Start + 12 }, // cbnz w0
        { 0x3718_0043, InstructionFlow.Branch, Start + 8 }, // tbnz w3, #3
        { 0xb607_ffe1, InstructionFlow.Branch, Start - 4 }, // tbz x1, #32
        { 0xd63f_0020, InstructionFlow.Call, null }, // blr x1
        { 0xd61f_0020, InstructionFlow.Jump, null }, // br x1
        { 0xd65f_03c0, InstructionFlow.Return, null }, // ret
        { 0xd69f_03e0, InstructionFlow.Return, null }, // eret
        { 0xd421_0000, InstructionFlow.Trap, null }, // brk #0x800
        { 0x0000_0000, InstructionFlow.Trap, null }, // udf #0
        { 0xd503_201f, InstructionFlow.Next, null }, // nop
    };

    [Theory]
    [MemberData(nameof(Branches))]
    public void BranchesSayWhereTheyLead(uint word, InstructionFlow flow, ulong? target) =>
        Assert.Equal(new InstructionReference(flow, target, null), Next(new(), word, Start));

    [Fact]
    public void APageAndTheOffsetBehindItMakeAnAddress()
    {
        var references = new Arm64References();
        Assert.Null(Next(references, 0xd000_0001, Start).Operand); // adrp x1, +0x2000
        Assert.Equal(0xffff800008012123UL, Next(references, 0x9104_8c22, Start + 4).Operand); // add x2, x1, #0x123
        Assert.Equal(0xffff800008012010UL, Next(references, 0xf940_0823, Start + 8).Operand); // ldr x3, [x1, #16]
        Assert.Equal(0xffff800008012004UL, Next(references, 0xb900_0423, Start + 12).Operand); // str w3, [x1, #4]
        Assert.Equal(0xffff800008012010UL, Next(references, 0x3dc0_0420, Start + 16).Operand); // ldr q0, [x1, #16]
    }

    [Theory]
    [InlineData(0xaa02_03e1)] // mov x1, x2
    [InlineData(0xf940_0041)] // ldr x1, [x2]
    [InlineData(0xf840_8c41)] // ldr x1, [x2, #8]!
    [InlineData(0xf840_8422)] // ldr x2, [x1], #8: x1 moves
    [InlineData(0xa940_0440)] // ldp x0, x1, [x2]
    [InlineData(0x9400_0002)] // bl
    [InlineData(0x1400_0002)] // b
    [InlineData(0xd65f_03c0)] // ret
    [InlineData(0x8b02_0021)] // add x1, x1, x2
    public void WhatWasWrittenOverIsForgotten(uint between)
    {
        var references = new Arm64References();
        Next(references, 0xd000_0001, Start); // adrp x1
        Next(references, between, Start + 4);
        Assert.Null(Next(references, 0x9104_8c22, Start + 8).Operand); // add x2, x1, #0x123
    }

    [Fact]
    public void WhatWasNotWrittenOverIsKept()
    {
        var references = new Arm64References();
        Next(references, 0xd000_0001, Start); // adrp x1
        Next(references, 0xaa02_03e3, Start + 4); // mov x3, x2
        Next(references, 0x5400_0040, Start + 8); // b.eq
        Assert.Equal(0xffff800008012123UL, Next(references, 0x9104_8c22, Start + 12).Operand);
        references.Forget();
        Assert.Null(Next(references, 0x9104_8c22, Start + 16).Operand);
    }

    [Fact]
    public void AnAddressNearByIsOneInstruction()
    {
        Assert.Equal(Start, Next(new(), 0x1000_0001, Start).Operand); // adr x1, .
        Assert.Equal(Start + 8, Next(new(), 0x5800_0041, Start).Operand); // ldr x1, .+8
    }

    private static InstructionReference Next(Arm64References references, uint word, ulong address)
    {
        byte[] code = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(code, word);
        return references.Next(code, address);
    }
}
