using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Architectures.Arm64;
using Vmcore.Ranges;
using Vmcore.Tests.Kernel;

namespace Vmcore.Tests.Architectures.Arm64;

/// <summary>Stacks of arm64, frame by frame: authentication codes, exceptions in the middle, the ends that a stack can have, and damage.</summary>
public sealed class FrameRecordsTests
{
    private const ulong Stack = 0xffff_8000_1000_0000, Code = 0xffff_8000_0801_0000, PacMask = 0xff7f_0000_0000_0000;
    private const int Record = 0x130;

    private readonly byte[] _stack = new byte[0x4000];

    [Fact]
    public void TheChainIsFollowedToItsEnd()
    {
        Frame(0x100, 0x200, Code + 0x10);
        Frame(0x200, 0x300, Code + 0x20);
        Frame(0x300, 0, 0);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x10, Code + 0x20], stack.Frames.Select(f => f.Address));
        Assert.Equal(StackMethod.FramePointers, stack.Method);
    }

    /// <summary>A signed return address has other bits than ones above; KERNELPACMASK says which.</summary>
    [Fact]
    public void AuthenticationCodesAreTakenOut()
    {
        Frame(0x100, 0x200, (Code + 0x10) & ~0x5a5a_0000_0000_0000ul);
        Frame(0x200, 0, 0);
        Assert.Equal([Code, Code + 0x10], Run(Code, 0x100).Frames.Select(f => f.Address));
        Assert.NotNull(Run(Code, 0x100, mask: 0).Problem);
    }

    /// <summary>Up to 6.13 the record in the saved registers has the interrupted frame pointer and address; from 6.14 on it is zeros and a mark.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ExceptionsInTheKernelAreGoneThrough(bool marked)
    {
        Frame(0x100, 0x400 + Record, Code + 0x10);
        Registers(0x400, Code + 0x40, 0x800, state: 5);
        Frame(0x400 + Record, marked ? 0 : 0x800, marked ? 0 : Code + 0x40);
        Word(0x400 + Record + 16, marked ? 2 : 0ul);
        Frame(0x800, 0x900, Code + 0x50);
        Frame(0x900, 0, 0);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x10, Code + 0x40, Code + 0x50], stack.Frames.Select(f => f.Address));
        Assert.True(stack.Frames[2].IsInterrupted);
        Assert.Equal(Code + 0x40, stack.Frames[2].Registers!["pc"]);
        Assert.Equal(Stack + 0x800, stack.Frames[2].Registers!["x29"]);
    }

    [Fact]
    public void AStackEndsWithTheRegistersOfUserMode()
    {
        Frame(0x100, 0x3e00 + Record, Code + 0x10);
        Registers(0x3e00, 0x44a7cc, 0, state: 0x80001000);
        Frame(0x3e00 + Record, 0, 0);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.True(stack.Frames[^1].Registers!.IsUser);
        Assert.Equal(0x44a7ccul, stack.Frames[^1].Address);
    }

    /// <summary>A call of a null pointer, or of any address that is none of code: x30 has where it returns to.</summary>
    [Theory]
    [InlineData(0ul)]
    [InlineData(0x1234ul)]
    [InlineData(0xffff_a000_0000_0000ul)]
    public void TheCallerOfAWildAddressIsFound(ulong pc)
    {
        Frame(0x100, 0x400 + Record, Code + 0x10);
        Registers(0x400, pc, 0x800, state: 5);
        Word(0x400 + (30 * 8), Code + 0x60);
        Frame(0x400 + Record, 0x800, pc);
        Frame(0x800, 0x900, Code + 0x50);
        Frame(0x900, 0, 0);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x10, pc, Code + 0x60, Code + 0x50], stack.Frames.Select(f => f.Address));
    }

    [Fact]
    public void DamageEndsTheWalkAndIsSaid()
    {
        Frame(0x100, 0x100, Code + 0x10);
        Assert.Contains("goes backwards", Run(Code, 0x100).Problem?.ToString(), StringComparison.Ordinal);
        Frame(0x100, 0x203, Code + 0x10);
        Assert.Contains("not aligned", Run(Code, 0x100).Problem?.ToString(), StringComparison.Ordinal);
        Frame(0x100, 0x200, 0x1234);
        Assert.Contains("is no code", Run(Code, 0x100).Problem?.ToString(), StringComparison.Ordinal);
        Frame(0x100, 0x9000, Code + 0x10);
        Assert.Contains("on no stack", Run(Code, 0x100).Problem?.ToString(), StringComparison.Ordinal);
        Frame(0x100, 0x80, Code + 0x10);
        Assert.Contains("goes backwards", Run(Code, 0x100).Problem?.ToString(), StringComparison.Ordinal);
    }

    private TaskStack Run(ulong ip, int fp, ulong mask = PacMask)
    {
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(Stack, _stack);
        var around = new StackSurroundings(memory, a => a is >= Code and < Code + 0x1000, (type, name) => type + name == "pt_regsstackframe" ? Record : null)
        {
            FunctionAt = _ => null,
        };
        return new FrameRecords(around, mask).Run(ip, Stack, Stack + (ulong)fp, null, interrupted: false, new(new VirtualRange(Stack, Stack + 0x4000), []));
    }

    private void Frame(int at, int next, ulong link)
    {
        Word(at, next == 0 ? 0 : Stack + (ulong)next);
        Word(at + 8, link);
    }

    private void Registers(int at, ulong pc, int fp, ulong state)
    {
        Word(at + (29 * 8), fp == 0 ? 0 : Stack + (ulong)fp);
        Word(at + (32 * 8), pc);
        Word(at + (33 * 8), state);
    }

    private void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_stack.AsSpan(at), value);
}
