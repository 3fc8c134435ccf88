using System.Globalization;
using System.Numerics;
using Vmcore.Formats.Elf;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Architectures.Arm64;

/// <summary>arm64. Source of the map of addresses: Documentation/arch/arm64/memory.rst; of the keys: arch/arm64/kernel/vmcore_info.c.</summary>
internal sealed class Arm64Architecture : Architecture
{
    internal static readonly Arm64Architecture Instance = new();

    // Of the image, from its read-only data to its .bss.
    private static readonly string[] s_imageSymbols =
        ["kallsyms_names", "kallsyms_offsets", "swapper_pg_dir", "init_uts_ns", "node_online_map", "prb", "printk_rb_static", "clear_seq"];

    // Bits that a kernel can be built for, likeliest first, by log2 of the page size.
    private static readonly (int PageShift, int[] Bits)[] s_widths = [(12, [48, 39, 52]), (14, [47, 52, 48, 36]), (16, [48, 52, 42])];

    private Arm64Architecture()
    {
    }

    /// <inheritdoc/>
    public override string Name => "aarch64";

    /// <inheritdoc/>
    public override ElfMachine Machine => ElfMachine.AArch64;

    /// <inheritdoc/>
    public override int InstructionUnit => 4;

    /// <inheritdoc/>
    internal override IInstructionReferences CreateReferences() => new Arm64References();

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [12, 14, 16];

    /// <inheritdoc/>
    internal override ulong LowestKernelAddress => ulong.MaxValue << 52;

    /// <summary>EFI puts an image that KASLR moves at any multiple of 64 KiB (EFI_KIMG_ALIGN).</summary>
    internal override ulong ImageStep => 64 << 10;

    /// <inheritdoc/>
    internal override RegisterSet Registers => Arm64Registers.Set;

    /// <inheritdoc/>
    internal override SleepingState? Sleeping { get; } = new(["thread", "cpu_context", "pc"], ["thread", "cpu_context", "sp"], ["thread", "cpu_context", "fp"]);

    /// <inheritdoc/>
    internal override int StackSize(int pageShift) => Math.Max(16 << 10, 1 << pageShift);

    /// <inheritdoc/>
    internal override IFrameWalker CreateWalker(IKernelKeys keys, StackSurroundings around) =>
        new FrameRecords(around, unchecked((ulong)(keys.Number("KERNELPACMASK") ?? 0)));

    /// <inheritdoc/>
    private protected override bool IsProvenBy(IKernelKeys keys) => keys.Number("kimage_voffset") is not null || keys.Number("TCR_EL1_T1SZ") is not null;

    /// <summary>Kernels before 5.12 had sections of 1 GiB, and most of those since then export the key; what mem_section's length says goes first.</summary>
    internal override int DefaultSectionBits(IKernelKeys keys, int pageShift)
    {
        if (keys.Length("mem_section") is { } roots and > 0 && keys.Size("mem_section") is { } size and > 0 && keys.Number("MAX_PHYSMEM_BITS") is { } bits
            && size <= 1 << pageShift)
        {
            int sections = BitOperations.Log2((ulong)roots * (ulong)((1 << pageShift) / size));
            if (bits - sections is >= 24 and <= 32 and var found)
                return (int)found;
        }

        return 30;
    }

    /// <inheritdoc/>
    internal override int DefaultPhysicalBits(KernelAddressSpace memory) => 48;

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
            problem = "vmcoreinfo has no NUMBER(kimage_voffset) and no PT_LOAD holds the kernel's image: the page tables cannot be found";
            return [];
        }

        int pageShift = PageShiftOf(keys);
        List<KernelPlace> places = [];
        foreach (int bits in AddressBits(keys, pageShift))
        {
            var space = new KernelAddressSpace(memory, Arm64PageTables.Create(pageShift, bits), unchecked(root - offset));
            places.Add(new(space, unchecked((ulong)(keys.Number("PHYS_OFFSET") ?? 0)), FindImage(space, keys.Symbol("_stext") ?? root, offset)));
        }

        return places;
    }

    /// <summary>From the first symbol of the image to the last that vmcoreinfo knows, or to where the page tables say that it ends.</summary>
    internal override LinearRange? LinearImage(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place)
    {
        if (keys.Symbol("_stext") is not { } text || FindImageOffset(keys, loads, text) is not { } offset)
            return null;
        ulong end = Math.Max(text, place.Image.End);
        foreach (string name in s_imageSymbols)
        {
            if (keys.Symbol(name) is { } symbol && symbol > text && symbol - text < place.Memory.Limits.ImageBytes)
                end = Math.Max(end, symbol + (ulong)PageSizeOf(keys));
        }

        return end > text ? new(text, end, offset) : null;
    }

    /// <summary>Source: arch/arm64/include/asm/memory.h, and kernel/vmcore_info.c there for the keys. Before 5.4 vmalloc's part came first.</summary>
    internal override LinearRange? DirectMap(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, KernelPlace place, ReadOnlySpan<ulong?> variables)
    {
        if (keys.Number("VA_BITS") is not { } bits || bits is < 36 or > 52 || keys.Number("PHYS_OFFSET") is not { } physical)
            return null;
        ulong start = ulong.MaxValue << (int)bits, end = 0;
        foreach (string key in (ReadOnlySpan<string>)["MODULES_VADDR", "VMALLOC_START"])
        {
            if (keys.Number(key) is { } above)
                end = end == 0 ? unchecked((ulong)above) : Math.Min(end, unchecked((ulong)above));
        }

        return end > start ? new(start, end, unchecked(start - (ulong)physical)) : null;
    }

    /// <summary>Source: arch/arm64/kernel/irq.c, traps.c and sdei.c.</summary>
    internal override CpuStackVariable[] CpuStacks { get; } =
    [
        new("irq_stack_ptr", CpuStackKind.Start),
        new("overflow_stack", CpuStackKind.Itself) { Size = 4 << 10 },
        new("sdei_stack_normal_ptr", CpuStackKind.Start),
        new("sdei_stack_critical_ptr", CpuStackKind.Start),
    ];

    /// <inheritdoc/>
    internal override bool IsLinked(IKernelKeys keys) =>
        keys.Number("kimage_voffset") is null && keys.Hex("KERNELOFFSET") is null && keys.Symbol("_stext") >= LowestKernelAddress;

    /// <inheritdoc/>
    internal override IEnumerable<KernelPlace> LinkedSpaces(IKernelKeys keys, IPhysicalMemory memory, ulong delta)
    {
        if (keys.Symbol("swapper_pg_dir") is not { } root)
            yield break;
        foreach ((int pageShift, int[] widths) in s_widths)
        {
            foreach (int bits in widths)
            {
                if (keys.PageSize is { } size && size != 1 << pageShift)
                    continue;

                // The linear map fills the lower half; the image is somewhere above.
                var space = new KernelAddressSpace(memory, Arm64PageTables.Create(pageShift, bits), unchecked(root + delta));
                yield return new(space, 0, new(ulong.MaxValue << (Math.Min(bits, 48) - 1), ulong.MaxValue));
            }
        }
    }

    /// <inheritdoc/>
    internal override IEnumerable<string> RelocatedKeys(KernelPlace place, ulong delta, ulong offset)
    {
        int bits = BitOperations.PopCount(~place.Memory.KernelStart);
        return
        [
            string.Create(CultureInfo.InvariantCulture, $"NUMBER(VA_BITS)={bits}"),
            string.Create(CultureInfo.InvariantCulture, $"NUMBER(TCR_EL1_T1SZ)=0x{64 - bits:x}"),
            string.Create(CultureInfo.InvariantCulture, $"NUMBER(kimage_voffset)=0x{unchecked(offset - delta):x}"),
        ];
    }

    // A symbol and what it names lie within a page.
    private static int PageSizeOf(IKernelKeys keys) => 1 << PageShiftOf(keys);

    private static int PageShiftOf(IKernelKeys keys) => keys.PageSize is { } size ? BitOperations.Log2((uint)size) : 12;

    // What the tables resolve: said, or what is possible, since only the right one reads the kernel's names.
    private static IEnumerable<int> AddressBits(IKernelKeys keys, int pageShift)
    {
        int[] possible = s_widths.FirstOrDefault(w => w.PageShift == pageShift).Bits ?? [];
        int? built = keys.Number("VA_BITS") is { } value && value > pageShift + 4 && value <= 52 ? (int)value : null;
        int? actual = keys.Number("TCR_EL1_T1SZ") is { } unused && unused is >= 12 and <= 48 && 64 - unused > pageShift + 4 ? (int)(64 - unused) : null;
        if ((pageShift == 16 ? built ?? actual : actual) is { } known)
            return [known];
        int folded = pageShift == 14 ? 47 : 48;
        return built is not { } width ? possible : width == 52 && pageShift != 16 ? [width, folded] : [width];
    }

    // kimage_voffset: virtual minus physical address of the image.
    private static ulong? FindImageOffset(IKernelKeys keys, IReadOnlyList<ElfSegment> loads, ulong symbol)
    {
        if (keys.Number("kimage_voffset") is { } value)
            return unchecked((ulong)value);
        foreach (ElfSegment load in loads)
        {
            if (symbol >= load.VirtualAddress && symbol - load.VirtualAddress < load.MemorySize)
                return unchecked(load.VirtualAddress - load.PhysicalAddress);
        }

        return null;
    }

    // Its init sections are unmapped once the kernel is up, so the image has holes; all of it has one distance to physical memory.
    private static VirtualRange FindImage(KernelAddressSpace space, ulong text, ulong offset)
    {
        const ulong Before = 64 << 10; // _text, the header of the image, lies that far before _stext.
        ulong from = text - Math.Min(text, Before), to = text + Math.Min(space.Limits.ImageBytes, ulong.MaxValue - text), start = text, end = text;
        foreach (MappedRun run in space.FindMapped(from, to, space.Limits.LinearRuns, out _))
        {
            if (unchecked(run.VirtualAddress - run.PhysicalAddress) != offset)
                continue;
            start = Math.Min(start, run.VirtualAddress);
            end = Math.Max(end, run.VirtualAddress + run.Length);
        }

        return new(start, end);
    }
}
