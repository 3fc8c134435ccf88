using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>arm64: Image, a device tree, and a stub that turns the caches on while it hashes.</summary>
internal sealed class Arm64Platform : Platform
{
    /// <summary>Its name in utsname.</summary>
    public const string Name = "aarch64";

    /// <summary>Bytes of the largest page: what suits it suits the smaller ones, of this kernel and of the next.</summary>
    public const ulong Alignment = 64UL << 10;

    // The image lies its offset behind a multiple of this (Documentation/arch/arm64/booting.rst).
    private const ulong ImageBase = 2UL << 20;

    // The gap in front of the kernel: control pages and page tables of the crashed kernel.
    private const ulong Gap = 2UL << 20;

    /// <inheritdoc/>
    public override string Machine => Name;

    /// <inheritdoc/>
    public override string Title => "arm64";

    /// <inheritdoc/>
    public override Architecture ProcessArchitecture => Architecture.Arm64;

    /// <inheritdoc/>
    public override ushort ElfMachine => 183;

    /// <inheritdoc/>
    /// <remarks>Those of asm-generic/unistd.h.</remarks>
    public override SystemCallNumbers SystemCalls => new(104, 294, 273);

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [12, 14, 16];

    /// <inheritdoc/>
    public override ulong SegmentAlignment => Alignment;

    /// <inheritdoc/>
    public override string KernelFormats => "an Image";

    /// <inheritdoc/>
    public override IReadOnlyList<string> KernelTypes { get; } = ["Image", "Image.gz", "image", "vmlinuz", "zImage", "uki", "UKI", "linux"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PmemFinders { get; } =
        ["nfit_init", "of_pmem_region_driver_init", "virtio_pmem_driver_init", "cxl_pmem_init"];

    /// <inheritdoc/>
    public override int FileLoadPrefix => 0;

    /// <summary>Direct map of a kernel with 48 bits of virtual address whose RAM begins at 0, without KASLR.</summary>
    internal override ulong DefaultPageOffset => 0xffff000000000000;

    /// <inheritdoc/>
    public override KernelImage? TryParseKernel(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd) =>
        Arm64Image.TryParse(file, content, wrapping, initrd);

    /// <inheritdoc/>
    internal override bool BeginsLikeKernel(ReadOnlySpan<byte> head) => Arm64Image.IsImage(head);

    /// <inheritdoc/>
    internal override FirmwareState ReadFirmware(SystemRoot root, string commandLine) => Arm64Firmware.Read(root);

    /// <inheritdoc/>
    internal override bool IsTextTold(Iomem iomem, KcoreLayout kcore) => TextSegment(iomem, kcore) is not null;

    /// <inheritdoc/>
    /// <remarks>
    /// /proc/kcore has the image, from <c>_text</c> to <c>_end</c>, as it has the direct map: symbols are not needed, and kernels without
    /// KALLSYMS_ALL do not have them. In /proc/iomem "Kernel code" begins at <c>_stext</c> on older kernels, which is 64 KiB behind <c>_text</c>.
    /// </remarks>
    internal override KernelTextRange? FindText(Iomem iomem, IReadOnlyDictionary<string, ulong> symbols, KcoreLayout kcore, ulong pageSize)
    {
        if (TextSegment(iomem, kcore) is { } segment)
            return new(new(segment.Physical, segment.Physical + Numbers.AlignUp(segment.Length, pageSize)), segment.Virtual);
        PhysicalRange code = iomem.Named("Kernel code").FirstOrDefault(), data = iomem.Named("Kernel data").FirstOrDefault();
        if (code.Length <= 1 || !symbols.TryGetValue("_stext", out ulong stext))
            return null;
        // What is in front of _stext is the header, which says nothing of the kernel. Where it is, only iomem of newer kernels tells.
        ulong start = symbols.TryGetValue("_text", out ulong text) && text <= stext && stext - text <= Alignment && code.Start % ImageBase == 0
            ? text : stext;
        ulong end = data.Start >= code.End ? data.End : code.End;
        return new(new(code.Start, Numbers.AlignUp(end, pageSize)), start);
    }

    /// <inheritdoc/>
    /// <remarks>The direct map is the lowest of what has a physical address; with KASLR physical address 0 may lie outside of it.</remarks>
    internal override ulong? FindPageOffset(KcoreLayout kcore) => LinearSegment(kcore) is { } linear ? linear.Virtual - linear.Physical : null;

    /// <inheritdoc/>
    /// <remarks>
    /// arch/arm64/mm/mmu.c, vmemmap_populate: with pages of 4 KiB whole sections take blocks of 2 MiB, everything else base pages; both from the
    /// pmem. The size of a section is 128 MiB, 512 MiB with pages of 64 KiB, and was 1 GiB before Linux 5.12, so the kernel has to tell it.
    /// </remarks>
    internal override AltmapRules? Altmap(RunningSystem system) => system.SectionSizeBits is >= 24 and <= 34
        ? new(1UL << system.SectionSizeBits, system.PageShift == 12 ? 2UL << 20 : 0, HasPartialSections: true)
        : null;

    /// <inheritdoc/>
    internal override IEnumerable<PhysicalRange> LeftOut(Iomem iomem) => [];

    /// <inheritdoc/>
    /// <remarks>As the kernel: the highest. The low one, if there is another, is for devices that reach no further.</remarks>
    internal override PhysicalRange ChooseRegion(IReadOnlyList<PhysicalRange> regions) => regions[^1];

    /// <inheritdoc/>
    internal override PhysicalRange PlaceKernel(PhysicalRange region, KernelImage kernel)
    {
        var image = (Arm64Image)kernel;
        ulong start = Numbers.AlignUp(region.Start + Gap, ImageBase) + image.TextOffset;
        return new(start, start + Numbers.AlignUp(Math.Max(image.InitSize, (ulong)image.Loaded.Length), Alignment));
    }

    /// <inheritdoc/>
    internal override BootData PrepareBoot(BootRequest request) => new Arm64BootData(request);

    /// <inheritdoc/>
    internal override CrashStub BuildStub(StubRequest request) => Arm64Stub.Build(request);

    /// <inheritdoc/>
    /// <remarks>--serial is as earlycon= names it: <c>pl011,0x9000000</c>, <c>uart8250,mmio32,0x…</c>, <c>uart8250,mmio,0x…</c>, or an address of a
    /// PL011.</remarks>
    internal override StubConsole FindConsole(string? value, FirmwareState firmware)
    {
        if (value is null)
            return ((Arm64Firmware)firmware).Console;
        string[] parts = value.Split(',');
        StubConsoleKind? kind = parts switch
        {
            ["pl011", _] or ["pl011", "mmio32", _] or [_] => StubConsoleKind.Pl011,
            ["uart8250", "mmio32", _] => StubConsoleKind.Uart32,
            ["uart8250", "mmio", _] => StubConsoleKind.Uart8,
            _ => null,
        };
        return kind is { } known && parts[^1].StartsWith("0x", StringComparison.Ordinal)
            && ulong.TryParse(parts[^1].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
            ? new(known, address)
            : throw new KexecException($"Bad option value in --serial={value}: give pl011,ADDRESS or uart8250,mmio32,ADDRESS, as for earlycon=.", 1);
    }

    /// <inheritdoc/>
    /// <remarks>Distributions reserve 64 MiB and more for CMA by default, of a region of 200; a capture kernel has no use for it.</remarks>
    internal override IEnumerable<string> CaptureWords(IReadOnlyList<string> words) =>
        words.TakeWhile(static w => w != "--").Any(static w => CommandLineWords.Is(w, "cma")) ? [] : ["cma=0"];

    /// <inheritdoc/>
    internal override ulong BounceBuffers(IReadOnlyList<string> words, IReadOnlyList<PhysicalRange> regions, ulong possibleEnd) =>
        Arm64BounceBuffers.Of(words, regions);

    // Above everything else that has a physical address, and holding the code.
    private static KcoreSegment? TextSegment(Iomem iomem, KcoreLayout kcore)
    {
        PhysicalRange code = iomem.Named("Kernel code").FirstOrDefault();
        if (code.Length <= 1 || LinearSegment(kcore) is not { } linear)
            return null;
        foreach (KcoreSegment segment in kcore.Segments)
        {
            bool isImage = segment.IsMemory && segment.Virtual > linear.Virtual && segment.Virtual - segment.Physical != linear.Virtual - linear.Physical;
            if (isImage && segment.Length is > 0 and <= 1UL << 30 && segment.Physical <= code.Start && code.End <= segment.Physical + segment.Length)
                return segment;
        }

        return null;
    }

    private static KcoreSegment? LinearSegment(KcoreLayout kcore)
    {
        KcoreSegment? lowest = null;
        foreach (KcoreSegment segment in kcore.Segments)
        {
            if (segment.IsMemory && segment.Virtual >> 55 == 0x1ff && (lowest is not { } other || segment.Virtual < other.Virtual))
                lowest = segment;
        }

        return lowest;
    }
}
