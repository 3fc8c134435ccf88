using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Kernel.Identity;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>x86-64: bzImage, boot_params with an e820 map, and a stub that is entered in long mode.</summary>
internal sealed class X86_64Platform : Platform
{
    /// <summary>Its name in utsname.</summary>
    public const string Name = "x86_64";

    /// <summary>Bytes of a page.</summary>
    public const int PageSize = 4096;

    /// <summary>Lowest virtual address of the kernel's own mapping (Documentation/arch/x86/x86_64/mm.rst).</summary>
    private const ulong KernelMap = 0xffffffff80000000;

    // The gap in front of the kernel: control pages and identity page tables of the crashed kernel.
    private const ulong Gap = 2UL << 20;

    /// <inheritdoc/>
    public override string Machine => Name;

    /// <inheritdoc/>
    public override string Title => "x86-64";

    /// <inheritdoc/>
    public override Architecture ProcessArchitecture => Architecture.X64;

    /// <inheritdoc/>
    public override ushort ElfMachine => 62;

    /// <inheritdoc/>
    public override SystemCallNumbers SystemCalls => new(246, 320, 313);

    /// <inheritdoc/>
    public override IReadOnlyList<int> PageShifts { get; } = [12];

    /// <inheritdoc/>
    public override ulong SegmentAlignment => PageSize;

    /// <inheritdoc/>
    public override string KernelFormats => "a bzImage";

    /// <inheritdoc/>
    public override IReadOnlyList<string> KernelTypes { get; } = ["bzImage", "bzImage64", "uki", "UKI", "linux"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> PmemFinders { get; } = ["nfit_init", "e820_pmem_driver_init", "virtio_pmem_driver_init", "cxl_pmem_init"];

    /// <inheritdoc/>
    /// <remarks>"elfcorehdr=0x" and 16 digits and a blank.</remarks>
    public override int FileLoadPrefix => 30;

    /// <summary>Direct map of a kernel without KASLR and with four-level page tables.</summary>
    internal override ulong DefaultPageOffset => 0xffff888000000000;

    /// <inheritdoc/>
    public override KernelImage? TryParseKernel(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd) =>
        BzImage.TryParse(file, content, wrapping, initrd);

    /// <inheritdoc/>
    internal override bool BeginsLikeKernel(ReadOnlySpan<byte> head) => BzImage.IsBzImage(head);

    /// <inheritdoc/>
    internal override FirmwareState ReadFirmware(SystemRoot root, string commandLine) => X86Firmware.Read(root, commandLine);

    /// <inheritdoc/>
    internal override bool IsTextTold(Iomem iomem, KcoreLayout kcore) => iomem.KernelImage is { } image && TextAt(kcore, image.Start).Length > 0;

    /// <inheritdoc/>
    internal override KernelTextRange? FindText(Iomem iomem, IReadOnlyDictionary<string, ulong> symbols, KcoreLayout kcore, ulong pageSize)
    {
        if (iomem.KernelImage is not { } image)
            return null;
        // The segment of kcore is exactly what is wanted: from _text to _end.
        KcoreSegment segment = TextAt(kcore, image.Start);
        ulong text = segment.Virtual, end = segment.Virtual + segment.Length;
        if (text < KernelMap)
        {
            if (!symbols.TryGetValue("_text", out text))
                symbols.TryGetValue("_stext", out text);
            symbols.TryGetValue("_end", out end);
        }

        if (text < KernelMap)
            return null;
        // The brk area lies between bss, where iomem stops, and _end.
        bool isPlausible = end > text && end - text >= image.Length && end - text <= 1UL << 30;
        ulong last = isPlausible ? image.Start + Numbers.AlignUp(end - text, pageSize) : Numbers.AlignUp(image.End, pageSize);
        return new(new(image.Start, last), text);
    }

    /// <inheritdoc/>
    /// <remarks>KASLR places the direct map at a multiple of 1 GiB.</remarks>
    internal override ulong? FindPageOffset(KcoreLayout kcore)
    {
        ulong lowest = ulong.MaxValue;
        foreach (KcoreSegment segment in kcore.Segments)
        {
            // Kernel half, below the vmemmap and the text; what is no memory has no physical address.
            if (segment.IsMemory && segment.Virtual >= 0xff00000000000000 && segment.Virtual < KernelMap)
                lowest = Math.Min(lowest, segment.Virtual - segment.Physical);
        }

        return lowest == ulong.MaxValue ? null : lowest & ~((1UL << 30) - 1);
    }

    /// <inheritdoc/>
    internal override AltmapRules? Altmap(RunningSystem system) => new(128UL << 20, 2UL << 20, HasPartialSections: false);

    /// <inheritdoc/>
    /// <remarks>Since Linux 5.5 the crashed kernel keeps the first 1 MiB free for the capture kernel; for older ones see <see cref="CopiedAway"/>.</remarks>
    internal override IEnumerable<PhysicalRange> LeftOut(Iomem iomem) => [.. iomem.Named("GART"), new(0, 1 << 20)];

    /// <inheritdoc/>
    /// <remarks>
    /// The RAM below 640 KiB, which any capture kernel needs for the start of other CPUs, of a kernel that may have put something there: one of before
    /// Linux 5.5 (arch/x86/kernel/crash.c: crash_reserve_low_1M), some of distributions excepted, whose empty pages are copied for nothing.
    /// </remarks>
    internal override IReadOnlyList<PhysicalRange> CopiedAway(RunningSystem system) => !KernelRelease.IsBefore(system.KernelRelease, 5, 5) ? [] :
    [
        .. system.Iomem.SystemRam(system.PageShift).Intersect(Iomem.WholePages([new(0, E820Map.LowMemoryEnd)], system.PageShift))
            .Select(r => r.ToPhysical(system.PageShift)),
    ];

    /// <inheritdoc/>
    /// <remarks>The kernel loads into the highest region only; the low one, if there is another, is for devices that reach no further.</remarks>
    internal override PhysicalRange ChooseRegion(IReadOnlyList<PhysicalRange> regions) => regions[^1];

    /// <inheritdoc/>
    internal override PhysicalRange PlaceKernel(PhysicalRange region, KernelImage kernel)
    {
        var image = (BzImage)kernel;
        ulong size = Numbers.AlignUp(Math.Max(image.InitSize, (ulong)image.Loaded.Length), PageSize);
        ulong start = Numbers.AlignUp(Math.Max(region.Start + Gap, image.PreferredAddress), image.Alignment);
        if (!image.IsRelocatable)
        {
            start = image.PreferredAddress;
            if (start < region.Start || start + size > region.End)
            {
                throw new KexecException(
                    $"{image.File} runs only at 0x{start.ToString("x", CultureInfo.InvariantCulture)}, "
                    + $"which is outside the crash kernel's region {region}: use a relocatable kernel (CONFIG_RELOCATABLE).");
            }
        }

        return new(start, start + size);
    }

    /// <inheritdoc/>
    internal override BootData PrepareBoot(BootRequest request) => new X86BootData(request);

    /// <inheritdoc/>
    internal override CrashStub BuildStub(StubRequest request) => X86Stub.Build(request);

    /// <inheritdoc/>
    /// <remarks>An I/O port of a UART of the 8250 kind.</remarks>
    internal override StubConsole FindConsole(string? value, FirmwareState firmware) => new(StubConsoleKind.IoPort, value switch
    {
        null or "ttyS0" => 0x3f8,
        "ttyS1" => 0x2f8,
        "ttyS2" => 0x3e8,
        "ttyS3" => 0x2e8,
        _ => value.StartsWith("0x", StringComparison.Ordinal)
            && ushort.TryParse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort port)
            ? port
            : throw new KexecException($"Bad option value in --serial={value}: give ttyS0 to ttyS3, or an I/O port such as 0x3f8.", 1),
    });

    /// <inheritdoc/>
    internal override IEnumerable<string> CaptureWords(IReadOnlyList<string> words) => [];

    /// <inheritdoc/>
    internal override ulong BounceBuffers(IReadOnlyList<string> words, IReadOnlyList<PhysicalRange> regions, ulong possibleEnd) =>
        X86BounceBuffers.Of(words, regions.Count == 0 ? 0 : regions.Max(static r => r.End), possibleEnd);

    // The segment of the kernel's text, which begins at this physical address; all zero if there is none.
    private static KcoreSegment TextAt(KcoreLayout kcore, ulong physical) =>
        kcore.Segments.FirstOrDefault(s => s.Virtual >= KernelMap && s.Physical == physical);
}
