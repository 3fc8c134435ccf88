using System.Buffers.Binary;
using Vmcore.Architectures;
using Vmcore.Architectures.X86_64;
using Vmcore.Ranges;
using Vmcore.Tests.Kernel;

namespace Vmcore.Tests.Architectures.X86_64;

/// <summary>Stacks of x86_64, frame by frame, by unwind tables (ORC) and by frame pointers: what each step needs, and what ends a walk.</summary>
public sealed class X86StackTests
{
    private const ulong Stack = 0xffff_c900_0000_4000, Irq = 0xffff_c900_0010_0000, Code = 0xffff_ffff_8100_0000, Size = 0x4000;
    private const int Sp = 0x1000;

    private readonly byte[] _stack = new byte[Size], _irq = new byte[Size], _code = new byte[0x1000];
    private readonly Dictionary<ulong, OrcEntry> _orc = [];
    private readonly HashSet<ulong> _framed = [];
    private bool _hasCode = true;

    // A call pushed its return address; a frame of 8 to 24 bytes lies above it.
    private static OrcEntry Call(int offset, int bp = 0) =>
        new(OrcFrame.Call, OrcRegister.Sp, offset, bp == 0 ? OrcRegister.Undefined : OrcRegister.PreviousSp, bp);

    private static OrcEntry Of(OrcFrame frame, OrcRegister register = OrcRegister.Sp, int offset = 0) => new(frame, register, offset, OrcRegister.Undefined, 0);

    [Fact]
    public void EachCallIsFollowedToTheEnd()
    {
        Entry(0x100, Call(16));
        Word(Sp + 8, Code + 0x210);
        Entry(0x20f, Call(24, -16));
        Word(Sp + 24, Stack + 0x2000);
        Word(Sp + 32, Code + 0x310);
        Entry(0x30f, new(OrcFrame.Call, OrcRegister.Bp, 16, OrcRegister.PreviousSp, -16));
        Word(0x2000, 0);
        Word(0x2008, Code + 0x410);
        Entry(0x40f, Of(OrcFrame.End));
        TaskStack stack = Walk(0x100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code + 0x100, Code + 0x210, Code + 0x310, Code + 0x410], stack.Frames.Select(f => f.Address));
        Assert.Equal([Stack + Sp, Stack + Sp + 16, Stack + Sp + 40, Stack + 0x2010], stack.Frames.Select(f => f.StackPointer));
    }

    /// <summary>From the stack of interrupts, whose end has the task's stack pointer, through saved registers to user mode.</summary>
    [Fact]
    public void StacksAreChangedThroughWhatTheyKeep()
    {
        Entry(0x100, Of(OrcFrame.Call, OrcRegister.SpIndirect, 8));
        BinaryPrimitives.WriteUInt64LittleEndian(_irq.AsSpan(0x3ff0), Stack + 0x800);
        Word(0x800, Code + 0x210);
        Entry(0x20f, Of(OrcFrame.Registers));
        Registers(0x808, Code + 0x300, Stack + 0x1000, cs: 0x10);
        Entry(0x300, Of(OrcFrame.Registers, OrcRegister.R10));
        Word(0x808 + (7 * 8), Stack + 0x2000); // r10
        Registers(0x2000, 0x401000, 0x7fff0000, cs: 0x33);
        TaskStack stack = Walk(0x100, Irq + 0x3ff0);
        Assert.Null(stack.Problem);
        Assert.Equal([Code + 0x100, Code + 0x210, Code + 0x300, 0x401000ul], stack.Frames.Select(f => f.Address));
        Assert.Equal([true, false, true, true], stack.Frames.Select(f => f.IsInterrupted));
        Assert.True(stack.Frames[^1].Registers!.IsUser);
    }

    [Theory]
    [InlineData((int)OrcFrame.Unreadable, "the unwind table that has 0xffffffff81000210 cannot be read")]
    [InlineData((int)OrcFrame.Missing, "nothing is known of how 0xffffffff81000210 was called")]
    [InlineData((int)OrcFrame.Undefined, "nothing is known of how 0xffffffff81000210 was called")]
    public void WhatTheTablesDoNotSayIsNotGuessed(int frame, string problem)
    {
        Entry(0x100, Call(16));
        Word(Sp + 8, Code + 0x210);
        Entry(0x20f, Of((OrcFrame)frame));
        TaskStack stack = Walk(0x100, bp: Stack + 0x2000);
        Assert.Equal(problem, stack.Problem?.ToString());
        Assert.Equal(2, stack.Frames.Count);
    }

    [Theory]
    [InlineData(16, 0x1234ul, "is no code")]
    [InlineData(16, 0ul, "is no code")]
    [InlineData(-16, Code + 0x210, "goes backwards")]
    [InlineData(0x7000, Code + 0x210, "on no stack")]
    public void AStepThatCannotBeIsNotTaken(int offset, ulong address, string problem)
    {
        Entry(0x100, Call(offset));
        if (Sp + offset - 8 < (int)Size)
            Word(Sp + offset - 8, address);
        TaskStack stack = Walk(0x100);
        Assert.Contains(problem, stack.Problem?.ToString(), StringComparison.Ordinal);
        Assert.Equal([Code + 0x100], stack.Frames.Select(f => f.Address));
    }

    [Theory]
    [InlineData(0x10ul, 0ul)]
    [InlineData(0x10ul, 0xffff_8880_0000_0002ul)]
    [InlineData(0ul, 2ul)]
    [InlineData(0x11ul, 2ul)]
    public void WhatAreNoRegistersIsNotTakenForThem(ulong cs, ulong flags)
    {
        Entry(0x100, Of(OrcFrame.Registers));
        Registers(Sp, Code + 0x300, Stack + 0x2000, cs, flags);
        Assert.Contains("no registers", Walk(0x100).Problem?.ToString(), StringComparison.Ordinal);
        Entry(0x100, Of(OrcFrame.Interrupt));
        Word(Sp, Code + 0x300);
        Word(Sp + 8, cs);
        Word(Sp + 16, flags);
        Word(Sp + 24, Stack + 0x2000);
        Assert.Contains("not what a CPU pushes", Walk(0x100).Problem?.ToString(), StringComparison.Ordinal);
    }

    /// <summary>The word at the stack pointer is where a call to a wild address returns to, if a call stands in front of it there.</summary>
    [Theory]
    [InlineData(0ul, "e801020304", true)]
    [InlineData(0x123456789aul, "ffd0", true)]
    [InlineData(0x123456789aul, "ff5018", true)]
    [InlineData(0xffff_c900_0000_5000ul, "41ff14c4", true)]
    [InlineData(0ul, "909090", false)]
    [InlineData(0ul, "ffe0", false)]
    public void TheCallerOfAWildAddressIsFound(ulong ip, string code, bool isFound)
    {
        byte[] call = Convert.FromHexString(code);
        call.CopyTo(_code, 0x210 - call.Length);
        Word(Sp, Code + 0x210);
        Entry(0x20f, Call(16));
        Word(Sp + 16, Code + 0x310);
        Entry(0x30f, Of(OrcFrame.End));
        TaskStack stack = Walk(ip - Code, interrupted: true);
        Assert.Equal(isFound ? [ip, Code + 0x210, Code + 0x310] : (ulong[])[ip], stack.Frames.Select(f => f.Address));
        Assert.Equal(isFound, stack.Problem is null);
        _hasCode = false;
        Assert.NotNull(Walk(ip - Code, interrupted: true).Problem);
    }

    [Fact]
    public void ProgramsThatTheKernelGeneratesHaveFramePointers()
    {
        Entry(0x100, Call(8));
        Word(Sp, Code + 0x810);
        Word(0x2000, Stack + 0x3000);
        Word(0x2008, Code + 0x310);
        Entry(0x30f, Of(OrcFrame.End));
        Assert.NotNull(Walk(0x100, bp: Stack + 0x2000).Problem);
        _framed.Add(Code + 0x810);
        Assert.Equal([Code + 0x100, Code + 0x810, Code + 0x310], Walk(0x100, bp: Stack + 0x2000).Frames.Select(f => f.Address));
    }

    /// <summary>By frame pointers: through registers that an encoded pointer leads to.</summary>
    [Fact]
    public void FramePointersAreFollowed()
    {
        Frame(0x1100, 0x1200, Code + 0x210);
        Word(0x1200, (Stack + 0x1301));
        Word(0x1208, Code + 0x220);
        Registers(0x1300, Code + 0x300, Stack + 0x1400, cs: 0x10, bp: Stack + 0x1500);
        Frame(0x1500, 0, Code + 0x310);
        TaskStack stack = WalkFrames(0x1100);
        Assert.Null(stack.Problem);
        Assert.Equal([Code, Code + 0x210, Code + 0x220, Code + 0x300, Code + 0x310], stack.Frames.Select(f => f.Address));
    }

    [Theory]
    [InlineData(0x1100, Code + 0x210, "goes backwards")]
    [InlineData(0x1080, Code + 0x210, "goes backwards")]
    [InlineData(0x9000, Code + 0x210, "on no stack")]
    [InlineData(0x1200, 0x1234ul, "is no code")]
    public void AFramePointerThatCannotBeEndsTheWalk(int next, ulong address, string problem)
    {
        Frame(0x1100, 0x1180, Code + 0x210);
        Frame(0x1180, next, address);
        if (next == 0x1080)
            Frame(0x1080, 0x1300, Code + 0x230);
        Assert.Contains(problem, WalkFrames(0x1100).Problem?.ToString(), StringComparison.Ordinal);
    }

    private TaskStack Walk(ulong ip, ulong sp = Stack + Sp, ulong bp = 0, bool interrupted = false) =>
        new OrcWalker(Around(), a => _orc.GetValueOrDefault(a, OrcEntry.Missing))
            .Run(unchecked(Code + ip), sp, bp, null, interrupted: interrupted || ip == 0x100, Bounds());

    private TaskStack WalkFrames(int bp) => new FramePointers(Around()).Run(Code, Stack + Sp, Stack + (ulong)bp, null, interrupted: false, Bounds());

    private static StackBounds Bounds() => new(new VirtualRange(Stack, Stack + Size), [new(Irq, Irq + Size)]);

    private StackSurroundings Around()
    {
        FakeVirtualMemory memory = new FakeVirtualMemory().Add(Stack, _stack).Add(Irq, _irq);
        if (_hasCode)
            memory.Add(Code, _code);
        return new(memory, a => a is >= Code and < Code + 0x1000, (_, _) => null) { FunctionAt = _ => null, IsFramed = _framed.Contains };
    }

    private void Entry(int at, OrcEntry entry) => _orc[Code + (ulong)at] = entry;

    private void Frame(int at, int next, ulong address)
    {
        Word(at, next == 0 ? 0 : Stack + (ulong)next);
        Word(at + 8, address);
    }

    private void Registers(int at, ulong ip, ulong sp, ulong cs, ulong flags = 0x246, ulong bp = 0)
    {
        Word(at + (4 * 8), bp);
        Word(at + (16 * 8), ip);
        Word(at + (17 * 8), cs);
        Word(at + (18 * 8), flags);
        Word(at + (19 * 8), sp);
    }

    private void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_stack.AsSpan(at), value);
}
