using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>Walks a stack by the chain of frame pointers, through the frames that interrupts save.</summary>
/// <param name="around">The rooms above.</param>
internal sealed class FramePointers(StackSurroundings around) : IFrameWalker
{
    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks)
    {
        IVirtualMemory memory = around.Memory;
        ulong bp = fp;
        List<StackFrame> frames = [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }];
        if (registers is { IsUser: true })
            return new(StackMethod.FramePointers, frames, null);
        _ = stacks.Step(sp, interrupted);
        if (interrupted && !around.IsCode(ip))
            return TaskStack.Of(StackMethod.FramePointers, frames, $"0x{ip:x} is no code: who called it, frame pointers do not tell");
        Span<byte> bytes = stackalloc byte[X86Registers.Set.Size];
        while (frames.Count < around.Memory.Limits.StackFrames)
        {
            // An encoded pointer, its lowest bit set, leads to registers that the entry code has saved.
            if ((bp & 1) != 0)
            {
                if (stacks.StackOf(bp - 1 + (ulong)bytes.Length) is null || memory.Read(bp - 1, bytes) != MemoryStatus.Ok)
                    return TaskStack.Of(StackMethod.FramePointers, frames, $"the registers saved at 0x{bp - 1:x} cannot be read");
                CpuRegisters saved = CpuRegisters.FromBytes(X86Registers.Set, bytes, memory.ByteOrder);

                // A thread of the kernel has never been in user mode: nothing is in the place for its registers.
                if (saved is { InstructionPointer: 0, StackPointer: 0 })
                    return new(StackMethod.FramePointers, frames, null);
                if (!X86Registers.ArePlausible(saved["cs"], saved["eflags"]))
                    return TaskStack.Of(StackMethod.FramePointers, frames, $"what lies at 0x{bp - 1:x} are no registers of a CPU");
                if (!saved.IsUser && stacks.Step(saved.StackPointer, interrupted: true) is { } wrong)
                    return TaskStack.Of(StackMethod.FramePointers, frames, wrong);
                frames.Add(new() { Address = saved.InstructionPointer, StackPointer = saved.StackPointer, IsInterrupted = true, Registers = saved });
                if (saved.IsUser)
                    return new(StackMethod.FramePointers, frames, null);
                bp = saved.FramePointer;
                continue;
            }

            if (bp == 0)
                return new(StackMethod.FramePointers, frames, null);
            if (stacks.StackOf(bp + 16) is null)
                return TaskStack.Of(StackMethod.FramePointers, frames, stacks.Step(bp + 16));
            if (!memory.TryReadUInt64(bp, out ulong next) || !memory.TryReadUInt64(bp + 8, out ulong address))
                return TaskStack.Of(StackMethod.FramePointers, frames, $"the frame at 0x{bp:x} cannot be read");
            if (!around.IsCode(address))
                return TaskStack.Of(StackMethod.FramePointers, frames,
                    address == 0 ? null : $"0x{address:x}, which the frame at 0x{bp:x} returns to, is no code");
            if (stacks.Step(bp + 16) is { } problem)
                return TaskStack.Of(StackMethod.FramePointers, frames, problem);
            frames.Add(new() { Address = address, StackPointer = bp + 16 });
            bp = next;
        }

        return TaskStack.Of(StackMethod.FramePointers, frames, $"it has more than {around.Memory.Limits.StackFrames} frames");
    }
}
