using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Architectures.Riscv64;
using Vmcore.Ranges;
using Vmcore.Tests.Kernel;

namespace Vmcore.Tests.Architectures.Riscv64;

/// <summary>Stacks of riscv64, frame by frame: the pair lies below the address that a frame pointer has, and an exception's registers at it.</summary>
public sealed class RiscvFramesTests
{
    private const ulong Stack = 0xff20_0000_1000_0000, Code = 0xffff_ffff_8001_0000;

    // Places in struct pt_regs, in words.
    private const int StackPointer = 2, FramePointer = 8;

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
        Assert.Equal([Stack, Stack + 0x100, Stack + 0x200], stack.Frames.Select(f => f.StackPointer));
        Assert.Equal(StackMethod.FramePointers, stack.Method);
    }

    [Fact]
    public void AnExceptionInTheKernelIsGoneThrough()
    {
        Frame(0x100, 0x400, Code + 0x10);
        Frame(0x400, 0x800, Code + 0x20);
        Registers(0x400, Code + 0x40, 0x700, 0x800);
        Frame(0x800, 0x900, Code + 0x50);
        Frame(0x900, 0, 0);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x10, Code + 0x20, Code + 0x40, Code + 0x50], stack.Frames.Select(f => f.Address));
        Assert.Equal([false, false, false, true, false], stack.Frames.Select(f => f.IsInterrupted));
        Assert.Equal((Code + 0x40, Stack + 0x800), (stack.Frames[3].Registers!["pc"], stack.Frames[3].Registers!["s0"]));
    }

    [Fact]
    public void AStackEndsWithTheRegistersOfUserMode()
    {
        const ulong User = 0x3f_8000_1234, UserFrame = 0x3f_ff00_0000;
        Frame(0x100, 0x400, Code + 0x10);
        Frame(0x400, 0, Code + 0x20);
        Word(0x400 - 16, UserFrame);
        Word(0x400, User);
        Word(0x400 + (StackPointer * 8), UserFrame - 64);
        Word(0x400 + (FramePointer * 8), UserFrame);
        TaskStack stack = Run(Code, 0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x10, Code + 0x20, User], stack.Frames.Select(f => f.Address));
        Assert.True(stack.Frames[^1].Registers!.IsUser);
    }

    /// <summary>What lies at a frame pointer is an exception's registers only if their frame pointer is that of the chain.</summary>
    [Fact]
    public void OtherWordsAreNoRegisters()
    {
        Frame(0x100, 0x400, Code + 0x10);
        Frame(0x400, 0x800, Code + 0x20);
        Registers(0x400, Code + 0x40, 0x700, 0x808);
        Frame(0x800, 0, 0);
        Assert.Equal([Code, Code + 0x10, Code + 0x20], Run(Code, 0x100).Frames.Select(f => f.Address));
    }

    [Theory]
    [InlineData(0x100, Code + 0x10, "goes backwards")]
    [InlineData(0x80, Code + 0x10, "goes backwards")]
    [InlineData(0x203, Code + 0x10, "not aligned")]
    [InlineData(0x200, 0x1234ul, "is no code")]
    [InlineData(0x9000, Code + 0x10, "on no stack")]
    public void DamageEndsTheWalkAndIsSaid(int next, ulong link, string problem)
    {
        Frame(0x100, next, link);
        TaskStack stack = Run(Code, 0x100);
        Assert.Contains(problem, stack.Problem?.ToString(), StringComparison.Ordinal);
        Assert.Equal(Code, stack.Frames[0].Address);
        Assert.DoesNotContain(stack.Frames, f => f.Address == 0x1234);
    }

    private TaskStack Run(ulong ip, int fp)
    {
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(Stack, _stack);
        var around = new StackSurroundings(memory, static a => a is >= Code and < Code + 0x1000, static (_, _) => null) { FunctionAt = _ => null };
        return new RiscvFrames(around).Run(ip, Stack, Stack + (ulong)fp, null, interrupted: false, new(new VirtualRange(Stack, Stack + 0x4000), []));
    }

    // The pair of a frame pointer: the caller's, and where the function returns to.
    private void Frame(int at, int next, ulong link)
    {
        Word(at - 16, next == 0 ? 0 : Stack + (ulong)next);
        Word(at - 8, link);
    }

    private void Registers(int at, ulong pc, int sp, int fp)
    {
        Word(at, pc);
        Word(at + (StackPointer * 8), Stack + (ulong)sp);
        Word(at + (FramePointer * 8), Stack + (ulong)fp);
    }

    private void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_stack.AsSpan(at), value);
}
