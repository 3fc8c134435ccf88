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
    public override int InstructionUnit => 1;

    /// <inheritdoc/>
    public override int LongestInstruction => 15;

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [X86PageTables.PageShift];

    /// <inheritdoc/>
    internal override bool IsCharSigned => true;

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
        around.FindOrc is { } find ? new OrcWalker(around, find) : around.HasFramePointers ? new FramePointers(around) : null;

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

    /// <summary>Source: arch/x86/include/asm/page_64_types.h. Modules begin behind KERNEL_IMAGE_SIZE, so nothing else is in what is given.</summary>
    internal override LinearRange? LinearImage(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place)
    {
        const ulong Smallest = 512UL << 20;
        ulong text = keys.Symbol("_stext") is { } stext && stext >= StartKernelMap ? stext : StartKernelMap;
        ulong size = keys.Number("KERNEL_IMAGE_SIZE") is { } known && known > 0 && (ulong)known <= ImageSpace ? (ulong)known : Smallest;
        return text < StartKernelMap + size ? new(text, StartKernelMap + size, unchecked(StartKernelMap - place.PhysicalBase)) : null;
    }

    /// <inheritdoc/>
    internal override string[] DirectMapVariables => ["page_offset_base", "vmalloc_base"];

    /// <inheritdoc/>
    internal override LinearRange? DirectMap(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place, ReadOnlySpan<ulong?> variables)
    {
        // Without KASLR's variables (CONFIG_DYNAMIC_MEMORY_LAYOUT) only the PT_LOADs of RAM tell.
        ulong? start = variables[0];
        foreach (ElfSegment load in loads)
        {
            if (load.VirtualAddress >= place.Memory.KernelStart && load.VirtualAddress < StartKernelMap && load.PhysicalAddress <= load.VirtualAddress)
                start ??= load.VirtualAddress - load.PhysicalAddress;
        }

        // 64 TiB with four levels, 32 PiB with five; KASLR lets vmalloc begin where memory ends.
        const ulong Alignment = 1UL << 30;
        if (start is not { } from || from < place.Memory.KernelStart || from % Alignment != 0)
            return null;
        ulong end = from + (1UL << (place.Memory.Levels == 5 ? 55 : 46));
        return new(from, variables[1] is { } vmalloc && vmalloc > from && vmalloc < end ? vmalloc : end, from);
    }

    /// <summary>Source: arch/x86/include/asm/processor.h, arch/x86/kernel/irq_64.c, arch/x86/include/asm/cpu_entry_area.h.</summary>
    internal override CpuStackVariable[] CpuStacks { get; } =
    [
        new("hardirq_stack_ptr", CpuStackKind.End),
        new("irq_stack_ptr", CpuStackKind.End), // Up to 5.1.
        new("pcpu_hot", CpuStackKind.End) { Within = ("pcpu_hot", "hardirq_stack_ptr") },
        new("cea_exception_stacks", CpuStackKind.Members)
        {
            Type = "cea_exception_stacks",
            Outer = ("cpu_entry_area", "estacks", "entry_stack_page"),
        },
    ];

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
