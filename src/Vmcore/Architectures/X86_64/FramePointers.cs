using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>Walks a stack by the chain of frame pointers, through the frames that interrupts save.</summary>
/// <param name="around">The rooms above.</param>
internal sealed class FramePointers(StackSurroundings around) : IFrameWalker
{
    private const int MaxFrames = 512;

    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted)
    {
        IVirtualMemory memory = around.Memory;
        ulong bp = fp;
        List<StackFrame> frames = [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }];
        if (registers is { IsUser: true })
            return new(StackMethod.FramePointers, frames, null);
        HashSet<ulong> seen = [];
        Span<byte> bytes = stackalloc byte[X86Registers.Set.Size];
        while (frames.Count < MaxFrames)
        {
            // An encoded pointer, its lowest bit set, leads to registers that the entry code has saved.
            if ((bp & 1) != 0)
            {
                if (!seen.Add(bp) || memory.Read(bp - 1, bytes) != MemoryStatus.Ok)
                    return new(StackMethod.FramePointers, frames, $"the registers saved at 0x{bp - 1:x} cannot be read");
                CpuRegisters saved = CpuRegisters.FromBytes(X86Registers.Set, bytes, memory.ByteOrder);

                // A thread of the kernel has never been in user mode: nothing is in the place for its registers.
                if (saved is { InstructionPointer: 0, StackPointer: 0 })
                    return new(StackMethod.FramePointers, frames, null);
                frames.Add(new() { Address = saved.InstructionPointer, StackPointer = saved.StackPointer, IsInterrupted = true, Registers = saved });
                if (saved.IsUser)
                    return new(StackMethod.FramePointers, frames, null);
                bp = saved.FramePointer;
                continue;
            }

            if (bp == 0)
                return new(StackMethod.FramePointers, frames, null);
            if (!seen.Add(bp))
                return new(StackMethod.FramePointers, frames, $"the frame at 0x{bp:x} leads back into itself");
            if (!memory.TryReadUInt64(bp, out ulong next) || !memory.TryReadUInt64(bp + 8, out ulong address))
                return new(StackMethod.FramePointers, frames, $"the frame at 0x{bp:x} cannot be read");
            if (!around.IsCode(address))
                return new(StackMethod.FramePointers, frames, address == 0 ? null : $"0x{address:x}, which the frame at 0x{bp:x} returns to, is no code");
            frames.Add(new() { Address = address, StackPointer = bp + 16 });
            bp = next;
        }

        return new(StackMethod.FramePointers, frames, $"it has more than {MaxFrames} frames");
    }
}
