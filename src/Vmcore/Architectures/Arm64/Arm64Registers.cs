namespace Vmcore.Architectures.Arm64;

/// <summary><c>struct user_pt_regs</c>, with which <c>struct pt_regs</c> begins. Source: arch/arm64/include/uapi/asm/ptrace.h.</summary>
internal static class Arm64Registers
{
    internal const int FramePointer = 29;
    internal const int StackPointer = 31;
    internal const int InstructionPointer = 32;
    internal const int State = 33;

    internal static readonly RegisterSet Set = new()
    {
        Names = [.. Enumerable.Range(0, 31).Select(i => $"x{i}"), "sp", "pc", "pstate"],
        Lines =
        [
            ["pc", "sp", "pstate"], ["x30", "x29", "x28"], ["x27", "x26", "x25"], ["x24", "x23", "x22"], ["x21", "x20", "x19"], ["x18", "x17", "x16"],
            ["x15", "x14", "x13"], ["x12", "x11", "x10"], ["x9", "x8", "x7"], ["x6", "x5", "x4"], ["x3", "x2", "x1"], ["x0"],
        ],
        InstructionPointer = InstructionPointer,
        StackPointer = StackPointer,
        FramePointer = FramePointer,
        Mode = State,
        ModeMask = 0xf, // PSR_MODE_MASK without the bit of AArch32, which the kernel does not run in.
        UserMode = 0,
    };
}
