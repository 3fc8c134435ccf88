namespace Vmcore.Architectures.Riscv64;

/// <summary><c>struct user_regs_struct</c>, with which <c>struct pt_regs</c> begins. Source: arch/riscv/include/uapi/asm/ptrace.h.</summary>
internal static class Riscv64Registers
{
    private const ulong KernelHalf = 1UL << 63;

    internal static readonly RegisterSet Set = new()
    {
        Names =
        [
            "pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
            "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
        ],
        Lines =
        [
            ["pc", "ra", "sp"], ["gp", "tp", "t0"], ["t1", "t2", "s0"], ["s1", "a0", "a1"], ["a2", "a3", "a4"], ["a5", "a6", "a7"],
            ["s2", "s3", "s4"], ["s5", "s6", "s7"], ["s8", "s9", "s10"], ["s11", "t3", "t4"], ["t5", "t6"],
        ],
        InstructionPointer = 0,
        StackPointer = 2,
        FramePointer = 8,
        Mode = 0, // The note has no status register: the kernel's code is in the upper half.
        ModeMask = KernelHalf,
        UserMode = 0,
    };
}
