using Vmcore.Memory;

namespace Vmcore.Architectures.Arm64;

/// <summary>
/// Walks a stack by the chain of frame records (AAPCS64): x29 points to a pair of the caller's x29 and the return address. Every exception makes
/// a record inside the registers that it saves, so the chain leads through them.
/// </summary>
/// <remarks>Source: arch/arm64/kernel/stacktrace.c and kernel_entry in entry.S.</remarks>
/// <param name="around">The rooms above.</param>
/// <param name="codeMask">KERNELPACMASK: bits of a return address that its authentication code takes; 0 if there is none.</param>
internal sealed class FrameRecords(StackSurroundings around, ulong codeMask) : IFrameWalker
{
    private const ulong RecordSize = 16;

    // From 6.14 on the record of an exception is two zeros and a word that says which kind it is.
    private const ulong RegistersMark = 2;

    private readonly int _record = around.MemberOffset("pt_regs", "stackframe") ?? -1;

    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks)
    {
        List<StackFrame> frames = [new() { Address = Code(ip), StackPointer = sp, IsInterrupted = interrupted, Registers = registers }];
        if (registers is { IsUser: true })
            return Whole(frames);
        AddWildCaller(frames);
        while (frames.Count < around.Memory.Limits.StackFrames)
        {
            if (fp == 0)
                return Whole(frames);
            if ((fp & 7) != 0)
                return Broken(frames, $"the frame record at 0x{fp:x} is not aligned");
            if (stacks.Step(fp + RecordSize) is { } problem)
                return Broken(frames, problem);
            if (!around.Memory.TryReadUInt64(fp, out ulong next) || !around.Memory.TryReadUInt64(fp + 8, out ulong link))
                return Broken(frames, $"the frame at 0x{fp:x} cannot be read");
            CpuRegisters? saved = SavedAround(fp, next, link);
            if (saved is not null)
            {
                frames.Add(new() { Address = Code(saved.InstructionPointer), StackPointer = saved.StackPointer, IsInterrupted = true, Registers = saved });
                if (saved.IsUser)
                    return Whole(frames);
                AddWildCaller(frames);
                fp = saved.FramePointer;
                continue;
            }

            // The first record of a stack is two zeros; a thread of the kernel has never been in user mode.
            if (next == 0 && link == 0)
                return Whole(frames);
            link = Code(link);
            if (!around.IsCode(link))
                return Broken(frames, $"0x{link:x}, which the frame at 0x{fp:x} returns to, is no code");
            frames.Add(new() { Address = link, StackPointer = fp + RecordSize });
            fp = next;
        }

        return Broken(frames, $"it has more than {around.Memory.Limits.StackFrames} frames");
    }

    // A call to an address that is none of code (of a null pointer, mostly) made no record yet: where it returns to is in x30.
    private void AddWildCaller(List<StackFrame> frames)
    {
        if (frames[^1] is not { Registers: { IsUser: false } registers } wild || around.IsCode(wild.Address))
            return;
        ulong link = Code(registers["x30"]);
        if (around.IsCode(link))
            frames.Add(new() { Address = link, StackPointer = registers.StackPointer });
    }

    private static TaskStack Whole(List<StackFrame> frames) => new(StackMethod.FramePointers, frames, null);

    private static TaskStack Broken(List<StackFrame> frames, string problem) => TaskStack.Of(StackMethod.FramePointers, frames, problem);

    // The bits that authentication took are ones in every address of the kernel.
    private ulong Code(ulong address) => (address >> 55 & 1) != 0 ? address | codeMask : address;

    // EL1 or, with virtualisation, EL2. What was interrupted need not be code: a jump into nowhere is an exception too.
    private static bool IsKernelMode(CpuRegisters saved)
    {
        const ulong ModeMask = 0x1f, Lowest = 4, Highest = 9;
        return (saved["pstate"] & ModeMask) is >= Lowest and <= Highest;
    }

    // The registers that hold a record, if it is one of an exception: both must say the same.
    private CpuRegisters? SavedAround(ulong fp, ulong next, ulong link)
    {
        if (_record < 0)
            return null;
        byte[] bytes = new byte[Arm64Registers.Set.Size];
        if (around.Memory.Read(fp - (ulong)_record, bytes) != MemoryStatus.Ok)
            return null;
        CpuRegisters saved = CpuRegisters.FromBytes(Arm64Registers.Set, bytes, around.Memory.ByteOrder);
        if (next == 0 && link == 0)
        {
            bool isMarked = around.Memory.TryReadUInt64(fp + 16, out ulong mark);
            if (saved is { InstructionPointer: not 0, IsUser: true } && !around.Memory.IsKernelAddress(saved.InstructionPointer))
                return saved;
            return isMarked && mark == RegistersMark && IsKernelMode(saved) ? saved : null;
        }

        return saved.InstructionPointer == link && saved.FramePointer == next && IsKernelMode(saved) ? saved : null;
    }
}
