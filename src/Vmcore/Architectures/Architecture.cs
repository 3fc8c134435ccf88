using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>
/// A machine architecture whose dumps Vmcore reads: all that differs between architectures, in one object and one folder.
/// An architecture that is not in <see cref="All"/> is refused by its name, never taken for another.
/// </summary>
/// <remarks>
/// <para>To add one, make a folder beside X86_64 and a class in it that derives from this one, add it to <see cref="All"/>, and:</para>
/// <para>1. <b>To open dumps</b>: give <see cref="Name"/>, <see cref="Machine"/>, <see cref="PageShifts"/>, <see cref="ByteOrder"/>, and the keys of
/// vmcoreinfo that no other architecture has (<see cref="IsProvenBy"/>; kernel file arch/*/kernel/vmcore_info.c or arch/*/kernel/crash_core.c).</para>
/// <para>2. <b>To translate</b>: describe the page tables as data (<see cref="PageTableFormat"/>: bits of each level, where leaves
/// may stand, how an entry is decoded) and say in <see cref="FindKernel"/> where their root is. Then the memmap, and with it the filter, work:
/// <see cref="DefaultSectionBits"/> and <see cref="DefaultPhysicalBits"/> are asked if vmcoreinfo does not say them. What lies in physical memory as
/// it lies in the kernel's, should a table be missing: <see cref="LinearImage"/> and <see cref="DirectMap"/>.</para>
/// <para>3. <b>To find the kernel of a vmlinux</b>: <see cref="ImageStep"/>, <see cref="IsLinked"/>, <see cref="LinkedSpaces"/>
/// and <see cref="RelocatedKeys"/>.</para>
/// <para>4. <b>To unwind</b>: <see cref="Registers"/> (the kernel's <c>struct pt_regs</c>, and where the note NT_PRSTATUS has it),
/// <see cref="Sleeping"/>, <see cref="StackSize"/>, <see cref="CpuStacks"/> and <see cref="CreateWalker"/>.</para>
/// <para>5. <b>To load a capture kernel</b>: a folder of the crash loader (Vmcore.Kexec/Platforms).</para>
/// <para>6. <b>To prove it</b>: a machine of it in Vmcore.Testing (page tables are written from the same data; write down the entries that
/// you expect by hand), a real dump if there is one, and the support matrix.</para>
/// </remarks>
public abstract class Architecture
{
    // Names that uname(2) gives elsewhere. Their dumps are not read, and a dump that is named so is theirs whatever else is in it.
    private static readonly string[] s_others =
    [
        "i386", "i486", "i586", "i686", "aarch64", "aarch64_be", "arm", "armv6l", "armv7l", "armv8l", "riscv32", "riscv64", "ppc", "ppc64", "ppcle",
        "ppc64le", "s390", "s390x", "loongarch64", "loongarch32", "mips", "mips64", "ia64", "alpha", "parisc", "parisc64", "sparc", "sparc64", "sh4", "m68k",
        "xtensa", "arc", "csky", "openrisc",
    ];

    private protected Architecture()
    {
    }

    /// <summary>All architectures that are read.</summary>
    public static IReadOnlyList<Architecture> All { get; } =
        [X86_64.X86Architecture.Instance, Arm64.Arm64Architecture.Instance, Riscv64.Riscv64Architecture.Instance];

    /// <summary>The architecture's name as uname(2) gives it, for example <c>x86_64</c>.</summary>
    public abstract string Name { get; }

    /// <summary>e_machine of its ELF files.</summary>
    public abstract ElfMachine Machine { get; }

    /// <summary>Order of the bytes of a word.</summary>
    public virtual ByteOrder ByteOrder => ByteOrder.LittleEndian;

    /// <summary>Bytes that every instruction begins at a multiple of, in which the kernel's own traces show code.</summary>
    public abstract int InstructionUnit { get; }

    /// <summary>Most bytes of one instruction.</summary>
    public virtual int LongestInstruction => InstructionUnit;

    /// <summary>log2 of each page size that its kernels can have, ascending.</summary>
    public abstract IReadOnlyList<int> PageShifts { get; }

    /// <summary>True if C's plain <c>char</c> is signed, where a compiler is not told otherwise.</summary>
    internal virtual bool IsCharSigned => false;

    /// <summary>The first virtual address that can be in the kernel's half, whatever page tables the kernel has.</summary>
    internal abstract ulong LowestKernelAddress { get; }

    /// <summary>The registers of a CPU.</summary>
    internal abstract RegisterSet Registers { get; }

    /// <summary>Where a task that sleeps has its registers; null if they lie on its stack.</summary>
    internal abstract SleepingState? Sleeping { get; }

    /// <summary>The image lies in physical memory at a multiple of this many bytes from where the linker put it.</summary>
    internal abstract ulong ImageStep { get; }

    /// <summary>The architecture of a dump.</summary>
    /// <param name="machine">e_machine of an ELF file; <see cref="ElfMachine.None"/> if the file does not say it.</param>
    /// <param name="name">The machine's name as uname(2) gives it, in the header of a kdump-compressed file; empty if the file does not say it.</param>
    /// <returns>Null if the dump says neither, or if the architecture is not read: there is no default.</returns>
    public static Architecture? Of(ElfMachine machine, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return All.FirstOrDefault(a => machine != ElfMachine.None ? a.Machine == machine : a.Name == name);
    }

    /// <summary>The only architecture of which vmcoreinfo can be; null if it does not say.</summary>
    internal static Architecture? ProvenBy(IKernelKeys keys)
    {
        Architecture? found = null;
        foreach (Architecture architecture in All)
        {
            if (architecture.IsProvenBy(keys))
                found = found is null ? architecture : null;
        }

        return found;
    }

    /// <summary>True if a name is that of an architecture, read or not: then nothing else decides.</summary>
    internal static bool IsName(string name) => s_others.Contains(name) || Of(ElfMachine.None, name) is not null;

    /// <summary>True if vmcoreinfo has keys that only this architecture's kernels export.</summary>
    private protected abstract bool IsProvenBy(IKernelKeys keys);

    /// <summary>SECTION_SIZE_BITS of kernels that do not export it.</summary>
    /// <param name="keys">vmcoreinfo.</param>
    /// <param name="pageShift">log2 of the page size.</param>
    internal abstract int DefaultSectionBits(IKernelKeys keys, int pageShift);

    /// <summary>MAX_PHYSMEM_BITS of kernels that do not export it.</summary>
    /// <param name="memory">The kernel's address space.</param>
    internal abstract int DefaultPhysicalBits(KernelAddressSpace memory);

    /// <summary>Bytes of a task's stack (THREAD_SIZE).</summary>
    /// <param name="pageShift">log2 of the page size.</param>
    internal abstract int StackSize(int pageShift);

    /// <summary>Creates what walks the stacks of a kernel.</summary>
    /// <param name="keys">vmcoreinfo.</param>
    /// <param name="around">What it asks of the rooms above.</param>
    /// <returns>Null if the kernel was built with nothing that stacks can be walked by.</returns>
    internal abstract IFrameWalker? CreateWalker(IKernelKeys keys, StackSurroundings around);

    /// <summary>Finds the kernel's page tables.</summary>
    /// <param name="keys">vmcoreinfo.</param>
    /// <param name="loads">PT_LOADs, for what is not in vmcoreinfo; may be empty.</param>
    /// <param name="memory">The physical memory.</param>
    /// <param name="problem">Receives null, or why there are none, as a clause for the operator.</param>
    /// <returns>What is possible, likeliest first: the right one reads the kernel's names. Empty if nothing is.</returns>
    internal abstract IReadOnlyList<KernelPlace> FindKernel(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, IPhysicalMemory memory, out string? problem);

    /// <summary>Where the kernel's image lies in physical memory as one piece.</summary>
    /// <param name="keys">vmcoreinfo.</param>
    /// <param name="loads">PT_LOADs; may be empty.</param>
    /// <param name="place">Where the kernel was found.</param>
    /// <returns>No more than is known to be the image, or to be nothing else; null if that is not known.</returns>
    internal abstract LinearRange? LinearImage(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place);

    /// <summary>The kernel's map of all memory (its direct or linear map).</summary>
    /// <param name="keys">vmcoreinfo.</param>
    /// <param name="loads">PT_LOADs; may be empty.</param>
    /// <param name="place">Where the kernel was found.</param>
    /// <param name="variables">The values of <see cref="DirectMapVariables"/>, null for those that are not known.</param>
    /// <returns>Null if it is not known where it is.</returns>
    internal virtual LinearRange? DirectMap(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place, ReadOnlySpan<ulong?> variables) => null;

    /// <summary>Variables of the kernel, each a word, that say where its direct map is.</summary>
    internal virtual string[] DirectMapVariables => [];

    /// <summary>Creates what follows the addresses that instructions put together; null where each says its own.</summary>
    internal virtual IInstructionReferences? CreateReferences() => null;

    /// <summary>The stacks of a CPU beside that of its task, as per-CPU variables: those that a kernel does not have are none.</summary>
    internal abstract CpuStackVariable[] CpuStacks { get; }

    /// <summary>True if vmcoreinfo has link-time addresses: it does not say where the kernel ran.</summary>
    internal abstract bool IsLinked(IKernelKeys keys);

    /// <summary>The address spaces that the kernel of a vmlinux can have.</summary>
    /// <param name="keys">vmcoreinfo made of the vmlinux.</param>
    /// <param name="memory">The physical memory.</param>
    /// <param name="delta">What is added to a link-time address for its physical one, modulo 2^64.</param>
    internal abstract IEnumerable<KernelPlace> LinkedSpaces(IKernelKeys keys, IPhysicalMemory memory, ulong delta);

    /// <summary>The lines of vmcoreinfo that say where a kernel ran.</summary>
    /// <param name="place">Its address space.</param>
    /// <param name="delta">What is added to a link-time address for its physical one, modulo 2^64.</param>
    /// <param name="offset">What is added to a link-time address for its run-time one, modulo 2^64.</param>
    internal abstract IEnumerable<string> RelocatedKeys(KernelPlace place, ulong delta, ulong offset);
}
