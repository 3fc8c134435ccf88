using Vmcore.Memory;

namespace Vmcore.Architectures.Riscv64;

/// <summary>
/// Walks a stack by the chain of frame pointers: s0 points behind a pair of the caller's s0 and the return address. An exception saves the
/// registers, and the first frame in its handler leads to them.
/// </summary>
/// <remarks>Source: arch/riscv/kernel/stacktrace.c.</remarks>
/// <param name="around">The rooms above.</param>
internal sealed class RiscvFrames(StackSurroundings around) : IFrameWalker
{
    private const ulong RecordSize = 16;

    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks)
    {
        List<StackFrame> frames = [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }];
        if (registers is { IsUser: true })
            return new(StackMethod.FramePointers, frames, null);
        while (frames.Count < around.Memory.Limits.StackFrames)
        {
            if (fp == 0)
                return new(StackMethod.FramePointers, frames, null);
            if ((fp & 7) != 0)
                return Broken(frames, $"the frame at 0x{fp:x} is not aligned");
            if (stacks.Step(fp) is { } problem)
                return Broken(frames, problem);
            if (!around.Memory.TryReadUInt64(fp - RecordSize, out ulong next) || !around.Memory.TryReadUInt64(fp - 8, out ulong address))
                return Broken(frames, $"the frame at 0x{fp:x} cannot be read");
            if (!around.IsCode(address))
                return address == 0 ? new(StackMethod.FramePointers, frames, null)
                    : Broken(frames, $"0x{address:x}, which the frame at 0x{fp:x} returns to, is no code");
            frames.Add(new() { Address = address, StackPointer = fp });

            // A call from the entry code: what it has saved lies at the frame pointer, and its own frame pointer points there.
            if (Saved(fp) is { } saved && next == saved.FramePointer)
            {
                frames.Add(new() { Address = saved.InstructionPointer, StackPointer = saved.StackPointer, IsInterrupted = true, Registers = saved });
                if (saved.IsUser)
                    return new(StackMethod.FramePointers, frames, null);
            }

            fp = next;
        }

        return Broken(frames, $"it has more than {around.Memory.Limits.StackFrames} frames");
    }

    private static TaskStack Broken(List<StackFrame> frames, string problem) => TaskStack.Of(StackMethod.FramePointers, frames, problem);

    // Registers are believed if the frame pointer in them is that of the chain, and the interrupted code is code.
    private CpuRegisters? Saved(ulong at)
    {
        Span<byte> bytes = stackalloc byte[Riscv64Registers.Set.Size];
        if (around.Memory.Read(at, bytes) != MemoryStatus.Ok)
            return null;
        CpuRegisters saved = CpuRegisters.FromBytes(Riscv64Registers.Set, bytes, around.Memory.ByteOrder);
        return saved.StackPointer != 0 && (around.IsCode(saved.InstructionPointer) || (saved.IsUser && saved.InstructionPointer != 0)) ? saved : null;
    }
}
