using System.Globalization;
using System.Numerics;
using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Architectures.Riscv64;

/// <summary>riscv64. Source of the map of addresses: Documentation/arch/riscv/vm-layout.rst; of the keys: arch/riscv/kernel/vmcore_info.c.</summary>
internal sealed class Riscv64Architecture : Architecture
{
    internal static readonly Riscv64Architecture Instance = new();

    // KERNEL_LINK_ADDR: the last 2 GiB, as on every machine since the kernel left the linear map (5.13).
    private const ulong LinkAddress = 0xffff_ffff_8000_0000;

    private static readonly int[] s_widths = [39, 48, 57];

    private Riscv64Architecture()
    {
    }

    /// <inheritdoc/>
    public override string Name => "riscv64";

    /// <inheritdoc/>
    public override ElfMachine Machine => ElfMachine.RiscV;

    /// <inheritdoc/>
    public override int InstructionUnit => 2;

    /// <inheritdoc/>
    public override int LongestInstruction => 4;

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [Riscv64PageTables.PageShift];

    /// <inheritdoc/>
    internal override ulong LowestKernelAddress => ulong.MaxValue << 56;

    /// <inheritdoc/>
    internal override ulong ImageStep => 2 << 20;

    /// <inheritdoc/>
    internal override RegisterSet Registers => Riscv64Registers.Set;

    /// <inheritdoc/>
    internal override SleepingState? Sleeping { get; } = new(["thread", "ra"], ["thread", "sp"], ["thread", "s", "0"]);

    /// <inheritdoc/>
    internal override int StackSize(int pageShift) => 16 << 10;

    /// <inheritdoc/>
    internal override IFrameWalker CreateWalker(IKernelKeys keys, StackSurroundings around) => new RiscvFrames(around);

    /// <inheritdoc/>
    private protected override bool IsProvenBy(IKernelKeys keys) =>
        keys.Number("va_kernel_pa_offset") is not null || keys.Number("phys_ram_base") is not null || keys.Number("KERNEL_LINK_ADDR") is not null;

    /// <inheritdoc/>
    internal override int DefaultSectionBits(IKernelKeys keys, int pageShift) => 27;

    /// <inheritdoc/>
    internal override int DefaultPhysicalBits(KernelAddressSpace memory) => 56;

    /// <inheritdoc/>
    internal override IReadOnlyList<KernelPlace> FindKernel(
        IKernelKeys keys, IReadOnlyList<ElfSegment> loads, IPhysicalMemory memory, out string? problem)
    {
        problem = null;
        if (keys.Symbol("swapper_pg_dir") is not { } root)
        {
            problem = "vmcoreinfo has no SYMBOL(swapper_pg_dir): the page tables cannot be found";
            return [];
        }

        if (FindImageOffset(keys, loads, root) is not { } offset)
        {
            problem = "vmcoreinfo has no NUMBER(va_kernel_pa_offset) and no PT_LOAD holds the kernel's image: the page tables cannot be found";
            return [];
        }

        ulong link = unchecked((ulong)(keys.Number("KERNEL_LINK_ADDR") ?? (long)LinkAddress));
        ulong ramBase = unchecked((ulong)(keys.Number("phys_ram_base") ?? 0));
        int[] widths = keys.Number("VA_BITS") is { } bits && s_widths.Contains((int)bits) ? [(int)bits] : s_widths;
        return [.. widths.Select(w => new KernelPlace(new(memory, Riscv64PageTables.Create(w), unchecked(root - offset)), ramBase, new(link, ulong.MaxValue)))];
    }

    /// <summary>The image has the last part of the address space for itself. What lies where in the linear map is not told by vmcoreinfo.</summary>
    internal override LinearRange? LinearImage(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place) =>
        keys.Symbol("_stext") is { } text && text >= place.Image.Start && FindImageOffset(keys, loads, text) is { } offset
            ? new(text, place.Image.End, offset) : null;

    /// <summary>Source: arch/riscv/kernel/irq.c and traps.c.</summary>
    internal override CpuStackVariable[] CpuStacks { get; } =
        [new("irq_stack_ptr", CpuStackKind.Start), new("overflow_stack", CpuStackKind.Itself) { Size = 4 << 10 }];

    /// <inheritdoc/>
    internal override bool IsLinked(IKernelKeys keys) =>
        keys.Number("va_kernel_pa_offset") is null && keys.Hex("KERNELOFFSET") is null && keys.Symbol("_stext") >= LinkAddress;

    /// <inheritdoc/>
    internal override IEnumerable<KernelPlace> LinkedSpaces(IKernelKeys keys, IPhysicalMemory memory, ulong delta)
    {
        if (keys.Symbol("swapper_pg_dir") is not { } root)
            return [];
        return s_widths.Select(w => new KernelPlace(
            new(memory, Riscv64PageTables.Create(w), unchecked(root + delta)), 0, new(LinkAddress, ulong.MaxValue)));
    }

    /// <inheritdoc/>
    internal override IEnumerable<string> RelocatedKeys(KernelPlace place, ulong delta, ulong offset) =>
    [
        string.Create(CultureInfo.InvariantCulture, $"NUMBER(VA_BITS)={BitOperations.PopCount(~place.Memory.KernelStart) + 1}"),
        string.Create(CultureInfo.InvariantCulture, $"NUMBER(va_kernel_pa_offset)=0x{unchecked(offset - delta):x}"),
    ];

    // va_kernel_pa_offset: virtual minus physical address of the image.
    private static ulong? FindImageOffset(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, ulong symbol)
    {
        if (keys.Number("va_kernel_pa_offset") is { } value)
            return unchecked((ulong)value);
        foreach (ElfSegment load in loads)
        {
            if (symbol >= load.VirtualAddress && symbol - load.VirtualAddress < load.MemorySize)
                return unchecked(load.VirtualAddress - load.PhysicalAddress);
        }

        return null;
    }
}
