using System.Globalization;
using Vmcore.Architectures.X86_64;
using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Kernel.Identity;

/// <summary>The crashed kernel: what it says of itself, and its address space.</summary>
public sealed class CrashedKernel
{
    private const ulong StartKernelMap = 0xffff_ffff_8000_0000;

    private CrashedKernel(VmcoreInfo info, X86AddressSpace memory, ulong physicalBase)
    {
        Info = info;
        Memory = memory;
        PhysicalBase = physicalBase;
        Utsname = Utsname.TryRead(info, memory);
    }

    /// <summary>vmcoreinfo.</summary>
    public VmcoreInfo Info { get; }

    /// <summary>The kernel's address space.</summary>
    public X86AddressSpace Memory { get; }

    /// <summary>phys_base: physical address = kernel text address − 0xffffffff80000000 + this, modulo 2^64.</summary>
    public ulong PhysicalBase { get; }

    /// <summary>The kernel's names; null if they cannot be read.</summary>
    public Utsname? Utsname { get; }

    /// <summary>True if the names read through the page tables agree with vmcoreinfo: the best end-to-end test of the translation.</summary>
    public bool IsVerified => Utsname is not null && Utsname.Release == Info.OsRelease;

    /// <summary>Finds the page tables.</summary>
    /// <param name="memory">The physical memory.</param>
    /// <param name="info">vmcoreinfo.</param>
    /// <param name="machine">e_machine of the file.</param>
    /// <param name="loads">PT_LOADs, for kernels that do not export phys_base; may be empty.</param>
    /// <param name="problem">Receives null, or why there is no address space, or what looks wrong with it.</param>
    /// <returns>Null if virtual addresses cannot be translated.</returns>
    internal static CrashedKernel? TryOpen(IPhysicalMemory memory, VmcoreInfo info, ElfMachine machine, IReadOnlyList<ElfSegment> loads, out string? problem)
    {
        if (machine is not (ElfMachine.X86_64 or ElfMachine.None))
        {
            problem = $"address translation for {machine} is not there yet, only for x86_64";
            return null;
        }

        ulong? root = info.Symbol("init_top_pgt") ?? info.Symbol("swapper_pg_dir") ?? info.Symbol("init_level4_pgt");
        if (root is null)
        {
            problem = "vmcoreinfo has neither SYMBOL(swapper_pg_dir) nor SYMBOL(init_top_pgt): the page tables cannot be found";
            return null;
        }

        if (FindPhysicalBase(info, loads) is not { } physicalBase)
        {
            problem = "vmcoreinfo has no NUMBER(phys_base) and no PT_LOAD holds the kernel text: the page tables cannot be found";
            return null;
        }

        // Encryption bits lie above the physical address proper; one inside the low 40 bits would be damage.
        ulong encryption = unchecked((ulong)(info.Number("sme_mask") ?? 0)) & 0x000f_ff00_0000_0000;
        ulong rootAddress = unchecked(root.Value - StartKernelMap + physicalBase);
        int levels = info.Number("pgtable_l5_enabled") == 1 ? 5 : 4;
        CrashedKernel kernel = new(info, new(memory, rootAddress, levels, encryption), physicalBase);
        if (!kernel.IsVerified && info.Number("pgtable_l5_enabled") is null)
        {
            CrashedKernel other = new(info, new(memory, rootAddress, 9 - levels, encryption), physicalBase);
            if (other.IsVerified)
                kernel = other;
        }

        problem = kernel.IsVerified || info.Symbol("init_uts_ns") is null ? null
            : kernel.Utsname is null ? "the kernel's names (init_uts_ns) cannot be read through its page tables: address translation may be wrong"
            : $"the kernel's release reads as '{kernel.Utsname.Release}' through its page tables, but vmcoreinfo says '{info.OsRelease}': "
                + "address translation may be wrong";
        return kernel;
    }

    private static ulong? FindPhysicalBase(VmcoreInfo info, IReadOnlyList<ElfSegment> loads)
    {
        if (info.Number("phys_base") is { } value)
            return unchecked((ulong)value);
        foreach (ElfSegment load in loads)
        {
            if (load.VirtualAddress >= StartKernelMap && load.VirtualAddress != ulong.MaxValue)
                return unchecked(load.PhysicalAddress - (load.VirtualAddress - StartKernelMap));
        }

        return null;
    }

    /// <summary>A short description for logs.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Info.OsRelease} x86_64, {Memory.Levels}-level page tables");
}
