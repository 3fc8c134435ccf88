using System.Globalization;
using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>x86_64. Source of the map of addresses: Documentation/arch/x86/x86_64/mm.rst.</summary>
internal sealed class X86Architecture : Architecture
{
    internal static readonly X86Architecture Instance = new();

    // __START_KERNEL_map, and the largest KERNEL_IMAGE_SIZE: with KASLR.
    private const ulong StartKernelMap = 0xffff_ffff_8000_0000;
    private const ulong ImageSpace = 1UL << 30;

    // Encryption bits lie above the physical address proper; one inside the low 40 bits would be damage.
    private const ulong EncryptionBits = 0x000f_ff00_0000_0000;
    private const string FiveLevels = "pgtable_l5_enabled";

    private X86Architecture()
    {
    }

    /// <inheritdoc/>
    public override string Name => "x86_64";

    /// <inheritdoc/>
    public override ElfMachine Machine => ElfMachine.X86_64;

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [X86PageTables.PageShift];

    /// <inheritdoc/>
    internal override ulong LowestKernelAddress => X86PageTables.KernelStart(5);

    /// <inheritdoc/>
    internal override ulong ImageStep => 2 << 20;

    /// <inheritdoc/>
    internal override RegisterSet Registers => X86Registers.Set;

    /// <summary>Null: __switch_to_asm leaves a <c>struct inactive_task_frame</c> on the stack.</summary>
    internal override SleepingState? Sleeping => null;

    /// <inheritdoc/>
    internal override int StackSize(int pageShift) => 16 << 10;

    /// <inheritdoc/>
    internal override IFrameWalker? CreateWalker(IKernelKeys keys, StackSurroundings around) =>
        around.FindOrc is { } find ? new OrcWalker(around.Memory, find, around.FunctionAt) : around.HasFramePointers ? new FramePointers(around) : null;

    /// <inheritdoc/>
    private protected override bool IsProvenBy(IKernelKeys keys) =>
        keys.Number("phys_base") is not null || keys.Number(FiveLevels) is not null
        || keys.Symbol("init_top_pgt") is not null || keys.Symbol("init_level4_pgt") is not null;

    /// <inheritdoc/>
    internal override int DefaultSectionBits(IKernelKeys keys, int pageShift) => 27;

    /// <inheritdoc/>
    internal override int DefaultPhysicalBits(KernelAddressSpace memory) => memory.Levels == 5 ? 52 : 46;

    /// <inheritdoc/>
    internal override IReadOnlyList<KernelPlace> FindKernel(
        IKernelKeys keys, IReadOnlyList<ElfSegment> loads, IPhysicalMemory memory, out string? problem)
    {
        problem = null;
        if ((keys.Symbol("init_top_pgt") ?? keys.Symbol("swapper_pg_dir") ?? keys.Symbol("init_level4_pgt")) is not { } root)
        {
            problem = "vmcoreinfo has neither SYMBOL(swapper_pg_dir) nor SYMBOL(init_top_pgt): the page tables cannot be found";
            return [];
        }

        if (FindPhysicalBase(keys, loads) is not { } physicalBase)
        {
            problem = "vmcoreinfo has no NUMBER(phys_base) and no PT_LOAD holds the kernel text: the page tables cannot be found";
            return [];
        }

        ulong encryption = unchecked((ulong)(keys.Number("sme_mask") ?? 0)) & EncryptionBits;
        ulong rootAddress = unchecked(root - StartKernelMap + physicalBase);
        int levels = keys.Number(FiveLevels) == 1 ? 5 : 4;
        KernelPlace first = Place(memory, rootAddress, levels, encryption, physicalBase);
        return keys.Number(FiveLevels) is not null ? [first] : [first, Place(memory, rootAddress, 9 - levels, encryption, physicalBase)];
    }

    /// <inheritdoc/>
    internal override bool IsLinked(IKernelKeys keys) =>
        keys.Number("phys_base") is null && keys.Hex("KERNELOFFSET") is null && keys.Symbol("_stext") >= StartKernelMap;

    /// <inheritdoc/>
    internal override IEnumerable<KernelPlace> LinkedSpaces(IKernelKeys keys, IPhysicalMemory memory, ulong delta)
    {
        if ((keys.Symbol("init_top_pgt") ?? keys.Symbol("swapper_pg_dir") ?? keys.Symbol("init_level4_pgt")) is { } root)
            return [Place(memory, unchecked(root + delta), 4, 0, 0), Place(memory, unchecked(root + delta), 5, 0, 0)];
        return [];
    }

    /// <inheritdoc/>
    internal override IEnumerable<string> RelocatedKeys(KernelPlace place, ulong delta, ulong offset) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"NUMBER(phys_base)={unchecked((long)(delta - offset + StartKernelMap))}"),
        string.Create(CultureInfo.InvariantCulture, $"NUMBER({FiveLevels})={place.Memory.Levels - 4}"),
    ];

    private static KernelPlace Place(IPhysicalMemory memory, ulong root, int levels, ulong encryption, ulong physicalBase) =>
        new(new(memory, X86PageTables.Create(levels, encryption), root), physicalBase, new(StartKernelMap, StartKernelMap + ImageSpace));

    private static ulong? FindPhysicalBase(IKernelKeys keys, IReadOnlyList<ElfSegment> loads)
    {
        if (keys.Number("phys_base") is { } value)
            return unchecked((ulong)value);
        foreach (ElfSegment load in loads)
        {
            if (load.VirtualAddress >= StartKernelMap && load.VirtualAddress != ulong.MaxValue)
                return unchecked(load.PhysicalAddress - (load.VirtualAddress - StartKernelMap));
        }

        return null;
    }
}
