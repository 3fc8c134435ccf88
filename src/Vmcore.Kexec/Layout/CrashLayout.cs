using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Hashing;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// Places the segments: the kernel at the start of the region, everything else from its end downwards. The gap in front
/// of the kernel is for the control pages of the crashed kernel, which it takes from the first hole.
/// </summary>
internal static class CrashLayout
{
    private const ulong Gap = 2UL << 20;
    private const ulong Page = 4096;
    private const ulong SmallestHeader = 16384;

    /// <summary>Builds all segments.</summary>
    /// <exception cref="KexecException">They do not fit, or the machine says too little of itself.</exception>
    public static LoadLayout Build(Machine machine, KernelImage kernel, ReadOnlyMemory<byte> initrd, LoadOptions options, List<string> warnings)
    {
        PhysicalRange region = Window(machine, options);
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(machine, options.Pmem);
        WarnOfGaps(machine, warnings);
        bool hotplug = AllowHotplug(machine, options, headers, warnings);

        EfiHandOff? efi = options.NoEfi || !kernel.TakesEfi ? null : machine.Efi;

        PhysicalRange kernelMemory = PlaceKernel(region, kernel);
        ulong top = Numbers.AlignDown(region.End, Page);
        PhysicalRange initrdMemory = initrd.IsEmpty ? default : Take(ref top, (ulong)initrd.Length, region, kernel, initrd);
        byte[] header = ElfCoreHeader.Build(headers);
        ulong headerSize = Math.Max(SmallestHeader, (ulong)header.Length);
        if (hotplug)
            headerSize = Math.Max(headerSize, machine.CrashElfcorehdrSize ?? 0);
        PhysicalRange headerMemory = Take(ref top, headerSize, region, kernel, initrd);

        IReadOnlyList<E820Entry> memory = E820Map.Build(machine.Iomem, headerMemory);
        CaptureCommandLine line = CaptureCommandLine.Build(machine, options, Extra(machine, options, memory, headerMemory, efi is not null), kernel.CommandLineLimit);
        byte[] lineBytes = line.ToBytes();
        PhysicalRange paramsMemory = Take(
            ref top, (ulong)BootParams.SizeOf(lineBytes.Length, memory.Count, options.RandomSeed.Length, efi), region, kernel, initrd);
        PhysicalRange stubMemory = Take(ref top, CrashStub.MemorySize, region, kernel, initrd);
        if (stubMemory.Start < kernelMemory.End)
            throw TooSmall(region, kernel, initrd);

        byte[] bootParams = BootParams.Build(new()
        {
            Address = paramsMemory.Start,
            SetupHeader = kernel.SetupHeader,
            CommandLine = lineBytes,
            Initrd = initrd.IsEmpty ? default : new(initrdMemory.Start, initrdMemory.Start + (ulong)initrd.Length),
            Memory = memory,
            Running = machine.BootParams,
            AcpiRsdp = machine.AcpiRsdp,
            Efi = efi,
            RandomSeed = options.RandomSeed,
        });

        List<Segment> segments = [new("kernel", kernel.ProtectedMode, kernelMemory, !options.SkipChecks)];
        if (!initrd.IsEmpty)
            segments.Add(new("initrd", initrd, initrdMemory, !options.SkipChecks));
        // A header that the kernel may change cannot be verified.
        segments.Add(new("elfcorehdr", header, headerMemory, !options.SkipChecks && !hotplug));
        segments.Add(new("boot_params", bootParams, paramsMemory, !options.SkipChecks));

        uint[] digest = Hash(segments);
        CrashStub stub = CrashStub.Build(new(
            stubMemory.Start,
            kernelMemory.Start + 0x200,
            paramsMemory.Start,
            [.. segments.Where(static s => s.IsVerified).Select(static s => s.Verified)],
            digest,
            options.SerialPort));
        segments.Add(new("stub", stub.Code, stubMemory, false));
        var layout = new LoadLayout
        {
            Region = region,
            Segments = segments,
            Entry = stubMemory.Start,
            Headers = headers,
            Memory = memory,
            CommandLine = line,
            Digest = options.SkipChecks ? "" : string.Concat(digest.Select(static w => w.ToString("x8", CultureInfo.InvariantCulture))),
            HandsEfiOver = efi is not null,
            AllowsHotplug = hotplug,
        };
        layout.Validate();
        return layout;
    }

    // The kernel loads into the highest region only; the low one, if there is another, is for devices that reach no further.
    private static PhysicalRange Window(Machine machine, LoadOptions options)
    {
        PhysicalRange region = machine.Iomem.CrashRegions[^1];
        ulong end = options.MemoryMax == ulong.MaxValue ? ulong.MaxValue : options.MemoryMax + 1;
        PhysicalRange window = region.Intersect(new(options.MemoryMin, end));
        return window.IsEmpty
            ? throw new KexecException($"The crash kernel's region {region} lies outside --mem-min and --mem-max: give others, or leave them out.", 1)
            : new(Numbers.AlignUp(window.Start, Page), Numbers.AlignDown(window.End, Page));
    }

    private static PhysicalRange PlaceKernel(PhysicalRange region, KernelImage kernel)
    {
        ulong size = Numbers.AlignUp(Math.Max(kernel.InitSize, (ulong)kernel.ProtectedMode.Length), Page);
        ulong start = Numbers.AlignUp(Math.Max(region.Start + Gap, kernel.PreferredAddress), kernel.Alignment);
        if (!kernel.IsRelocatable)
        {
            start = kernel.PreferredAddress;
            if (start < region.Start || start + size > region.End)
            {
                throw new KexecException(
                    $"{kernel.File} runs only at {LoadPlanner.Hex(start)}, which is outside the crash kernel's region {region}: use a relocatable kernel (CONFIG_RELOCATABLE).");
            }
        }

        return new(start, start + size);
    }

    private static PhysicalRange Take(ref ulong top, ulong size, PhysicalRange region, KernelImage kernel, ReadOnlyMemory<byte> initrd)
    {
        ulong length = Numbers.AlignUp(size, Page);
        if (length > top || top - length < region.Start)
            throw TooSmall(region, kernel, initrd);
        top -= length;
        return new(top, top + length);
    }

    private static KexecException TooSmall(PhysicalRange region, KernelImage kernel, ReadOnlyMemory<byte> initrd) => new(
        $"The crash kernel's region {region} has {Numbers.MiB(region.Length)}, too little for the kernel ({Numbers.MiB(kernel.InitSize)}) and its initramfs ({Numbers.MiB((ulong)initrd.Length)}): "
        + "boot with a larger crashkernel=, or make the initramfs smaller.", 1);

    private static uint[] Hash(List<Segment> segments)
    {
        var hash = new Sha256();
        foreach (Segment segment in segments.Where(static s => s.IsVerified))
        {
            hash.Append(segment.Data.Span);
            hash.AppendZeros(segment.Verified.Length - (ulong)segment.Data.Length);
        }

        // As words, the way the stub compares them.
        byte[] digest = hash.Finish();
        return [.. Enumerable.Range(0, digest.Length / 4).Select(i => BinaryPrimitives.ReadUInt32BigEndian(digest.AsSpan(i * 4)))];
    }

    private static List<string> Extra(Machine machine, LoadOptions options, IReadOnlyList<E820Entry> memory, PhysicalRange header, bool handsEfiOver)
    {
        List<string> words = [];
        if (options.PassMemmap)
        {
            words.Add("memmap=exactmap");
            words.AddRange(memory.Select(static e => (Range: e.Range, Sign: e.Type switch { E820Type.Ram => '@', E820Type.Acpi or E820Type.Nvs => '#', _ => '$' }))
                .Select(static e => string.Create(CultureInfo.InvariantCulture, $"memmap={(e.Range.Length + 1023) >> 10}K{e.Sign}{e.Range.Start >> 10}K")));
        }

        // Without EFI there is no other way to the ACPI tables for kernels that do not look into boot_params.
        if (!handsEfiOver && machine is { IsEfi: true, AcpiRsdp: > 0 })
            words.Add($"acpi_rsdp={LoadPlanner.Hex(machine.AcpiRsdp)}");
        words.Add(string.Create(CultureInfo.InvariantCulture, $"elfcorehdr={header.Start >> 10}K"));
        return words;
    }

    private static bool AllowHotplug(Machine machine, LoadOptions options, IReadOnlyList<ProgramHeader> headers, List<string> warnings)
    {
        if (!options.Hotplug)
            return false;
        if (headers.Any(static h => h.IsPmem))
        {
            warnings.Add("--hotplug is left out: on the next hotplug the kernel would write the ELF core header anew, without the pmem in it; reload on hotplug with the udev rules instead.");
            return false;
        }

        if (machine.CrashElfcorehdrSize is not (> 0 and <= 64 << 20))
        {
            warnings.Add("--hotplug is left out: the running kernel does not update the ELF core header by itself (CONFIG_CRASH_HOTPLUG, Linux 6.6).");
            return false;
        }

        return true;
    }

    private static void WarnOfGaps(Machine machine, List<string> warnings)
    {
        if (machine.PageOffset is null)
            warnings.Add("/proc/kcore does not tell where the direct map is: the dump's virtual addresses will be right only without KASLR (the dumper does not need them).");
        if (machine.KernelText is null)
            warnings.Add("/proc/kallsyms and /proc/kcore do not tell where the kernel's text is: the dump will not map it (run as root with kernel.kptr_restrict below 2).");
    }
}
