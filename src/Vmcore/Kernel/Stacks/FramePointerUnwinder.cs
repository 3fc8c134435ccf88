using Vmcore.Memory;

namespace Vmcore.Kernel.Stacks;

/// <summary>Walks a stack by the chain of frame pointers, through the frames that interrupts save.</summary>
internal static class FramePointerUnwinder
{
    private const int MaxFrames = 512;

    /// <summary>Walks from registers, or from what a sleeping task has left.</summary>
    internal static TaskStack Run(IVirtualMemory memory, Func<ulong, bool> isCode, ulong ip, ulong sp, ulong bp, CpuRegisters? registers, bool interrupted)
    {
        List<StackFrame> frames = [new() { Address = ip, StackPointer = sp, IsInterrupted = interrupted, Registers = registers }];
        if (registers is { IsUser: true })
            return new(StackMethod.FramePointers, frames, null);
        HashSet<ulong> seen = [];
        Span<byte> bytes = stackalloc byte[CpuRegisters.Size];
        while (frames.Count < MaxFrames)
        {
            // An encoded pointer, its lowest bit set, leads to registers that the entry code has saved.
            if ((bp & 1) != 0)
            {
                if (!seen.Add(bp) || memory.Read(bp - 1, bytes) != MemoryStatus.Ok)
                    return new(StackMethod.FramePointers, frames, $"the registers saved at 0x{bp - 1:x} cannot be read");
                var saved = CpuRegisters.FromBytes(bytes);

                // A thread of the kernel has never been in user mode: nothing is in the place for its registers.
                if (saved is { Rip: 0, Rsp: 0 })
                    return new(StackMethod.FramePointers, frames, null);
                frames.Add(new() { Address = saved.Rip, StackPointer = saved.Rsp, IsInterrupted = true, Registers = saved });
                if (saved.IsUser)
                    return new(StackMethod.FramePointers, frames, null);
                bp = saved.Rbp;
                continue;
            }

            if (bp == 0)
                return new(StackMethod.FramePointers, frames, null);
            if (!seen.Add(bp))
                return new(StackMethod.FramePointers, frames, $"the frame at 0x{bp:x} leads back into itself");
            if (!memory.TryReadUInt64(bp, out ulong next) || !memory.TryReadUInt64(bp + 8, out ulong address))
                return new(StackMethod.FramePointers, frames, $"the frame at 0x{bp:x} cannot be read");
            if (!isCode(address))
                return new(StackMethod.FramePointers, frames, address == 0 ? null : $"0x{address:x}, which the frame at 0x{bp:x} returns to, is no code");
            frames.Add(new() { Address = address, StackPointer = bp + 16 });
            bp = next;
        }

        return new(StackMethod.FramePointers, frames, $"it has more than {MaxFrames} frames");
    }
}
