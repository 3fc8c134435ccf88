using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Identity;

/// <summary>Finds symbols of the kernel's image by name.</summary>
/// <param name="info">vmcoreinfo.</param>
/// <param name="memory">The kernel's memory.</param>
/// <param name="names">The names.</param>
/// <returns>The address of each, null where there is none; null if the table cannot be read.</returns>
internal delegate ulong?[]? SymbolSearch(VmcoreInfo info, IVirtualMemory memory, string[] names);

/// <summary>The crashed kernel: what it says of itself, and its address space.</summary>
public sealed class CrashedKernel
{
    private CrashedKernel(VmcoreInfo info, Architecture architecture, KernelPlace place, IReadOnlyList<ElfSegment>? loads = null, SymbolSearch? search = null)
    {
        VmcoreInfo = info;
        Architecture = architecture;
        PhysicalBase = place.PhysicalBase;
        Image = place.Image;
        Memory = loads is null ? place.Memory : place.Memory.With(new(() => FindLinear(info, architecture, place, loads, search)));

        // Only names that the page tables lead to prove them.
        var names = Utsname.TryRead(info, place.Memory);
        IsVerified = names is not null && names.Release == info.OsRelease;
        Utsname = names ?? Utsname.TryRead(info, Memory);
    }

    /// <summary>vmcoreinfo.</summary>
    public VmcoreInfo VmcoreInfo { get; }

    /// <summary>The machine's architecture.</summary>
    public Architecture Architecture { get; }

    /// <summary>The kernel's address space.</summary>
    public KernelAddressSpace Memory { get; }

    /// <summary>What the header of a kdump-compressed file calls phys_base: of x86_64, physical address of the kernel's image minus the one that the
    /// linker gave it, modulo 2^64; of arm64, PHYS_OFFSET.</summary>
    public ulong PhysicalBase { get; }

    /// <summary>Virtual addresses at which the kernel's image can be; they map memory that the kernel maps elsewhere too.</summary>
    public VirtualRange Image { get; }

    /// <summary>Tells whether a PT_LOAD maps the kernel's image: what it has is in the file by another address too.</summary>
    /// <param name="load">The PT_LOAD.</param>
    public bool IsImage(ElfSegment load)
    {
        ulong end = load.VirtualAddress + Math.Min(load.MemorySize, ulong.MaxValue - load.VirtualAddress);
        return load.VirtualAddress < Image.End && end > Image.Start;
    }

    /// <summary>The kernel's names; null if they cannot be read.</summary>
    public Utsname? Utsname { get; private set; }

    /// <summary>True if the names read through the page tables agree with vmcoreinfo: the best end-to-end test of the translation.</summary>
    public bool IsVerified { get; private init; }

    /// <summary>The same kernel over another view of its memory: its page tables and its names are read anew through that.</summary>
    /// <param name="memory">The view.</param>
    internal CrashedKernel Over(IPhysicalMemory memory) =>
        new(VmcoreInfo, Architecture, new(Memory.Over(memory), PhysicalBase, Image)) { IsVerified = IsVerified };

    /// <summary>The same kernel over a view in which data is erased: that may be names, but not which kind of machine it is.</summary>
    /// <param name="memory">The view.</param>
    internal CrashedKernel OverErased(IPhysicalMemory memory)
    {
        CrashedKernel erased = Over(memory);
        if (Utsname is { } names)
            erased.Utsname = erased.Utsname is { } left ? left with { SysName = names.SysName, Machine = names.Machine } : names;
        return erased;
    }

    /// <summary>Finds the page tables.</summary>
    /// <param name="memory">The physical memory.</param>
    /// <param name="info">vmcoreinfo.</param>
    /// <param name="architecture">The machine's architecture.</param>
    /// <param name="loads">PT_LOADs, for kernels that do not say where they are; may be empty.</param>
    /// <param name="problem">Receives null, or why there is no address space, or what looks wrong with it.</param>
    /// <param name="search">Finds symbols, for addresses whose page table is missing; null to know no more than vmcoreinfo of these.</param>
    /// <returns>Null if virtual addresses cannot be translated.</returns>
    internal static CrashedKernel? TryOpen(
        IPhysicalMemory memory, VmcoreInfo info, Architecture architecture, IReadOnlyList<ElfSegment> loads, out string? problem, SymbolSearch? search = null)
    {
        CrashedKernel? kernel = null;
        foreach (KernelPlace place in architecture.FindKernel(info, loads, memory, out problem))
        {
            CrashedKernel found = new(info, architecture, place, loads, search);
            if (kernel is null || found.IsVerified)
                kernel = found;
            if (found.IsVerified)
                break;
        }

        if (kernel is null)
            return null;
        problem = kernel.IsVerified || info.Symbol("init_uts_ns") is null ? null
            : kernel.Utsname?.Release is { } release && release == info.OsRelease
                ? "page tables of the kernel's image are not in the dump: its image and its map of all memory are read where they must lie (phys_base)"
            : kernel.Utsname is null ? "the kernel's names (init_uts_ns) cannot be read through its page tables: address translation may be wrong"
            : $"the kernel's release reads as '{kernel.Utsname.Release}' through its page tables, but vmcoreinfo says '{info.OsRelease}': "
                + "address translation may be wrong";
        return kernel;
    }

    // Where the kernel's map of all memory is, KASLR's variables say; they are in the image, and kallsyms tells where.
    private static LinearRange[] FindLinear(
        VmcoreInfo info, Architecture architecture, KernelPlace place, IReadOnlyList<ElfSegment> loads, SymbolSearch? search)
    {
        if (architecture.LinearImage(info, loads, place) is not { } image)
            return [];
        KernelAddressSpace memory = place.Memory.With(new(() => [image]));
        string[] names = architecture.DirectMapVariables;
        ulong?[] found = search?.Invoke(info, memory, ["_end", .. names]) ?? new ulong?[names.Length + 1];
        if (found[0] is { } end && end > image.Start && end < image.End)
            image = image with { End = end };
        var values = new ulong?[names.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = found[i + 1] is { } at && memory.TryReadUInt64(at, out ulong value) ? value : null;
        return architecture.DirectMap(info, loads, place, values) is { } map ? [image, map] : [image];
    }

    /// <summary>A short description for logs.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{VmcoreInfo.OsRelease} {Architecture.Name}, {Memory.Levels}-level page tables");
}
