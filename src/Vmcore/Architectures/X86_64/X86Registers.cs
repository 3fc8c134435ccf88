namespace Vmcore.Architectures.X86_64;

/// <summary><c>struct pt_regs</c> of x86_64. Source: arch/x86/include/asm/ptrace.h.</summary>
internal static class X86Registers
{
    internal static readonly RegisterSet Set = new()
    {
        Names =
        [
            "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp",
            "ss",
        ],
        Lines =
        [
            ["rip", "rsp", "eflags"], ["rax", "rbx", "rcx"], ["rdx", "rsi", "rdi"],
            ["rbp", "r8", "r9"], ["r10", "r11", "r12"], ["r13", "r14", "r15"], ["orig_rax", "cs", "ss"],
        ],
        InstructionPointer = 16,
        StackPointer = 19,
        FramePointer = 4,
        Mode = 17, // The privilege level in cs.
        ModeMask = 3,
        UserMode = 3,
        CoreWords = 27, // struct user_regs_struct: then come fs_base, gs_base, ds, es, fs, gs.
        ThreadMembers = ["fsbase", "gsbase"],
    };

    /// <summary>Tells whether what was read can be registers that a CPU saved: of eflags bit 1 is always set and those from 22 on never; cs is that of
    /// the kernel or of user mode. Source: Intel SDM 3.4.3; arch/x86/include/asm/segment.h.</summary>
    /// <param name="cs">Code segment; from bit 16 on FRED keeps other things.</param>
    /// <param name="flags">eflags.</param>
    internal static bool ArePlausible(ulong cs, ulong flags) =>
        (flags & 2) != 0 && flags >> 22 == 0 && (cs & 0xffff) != 0 && ((cs & 3) is 0 or 3);
}
