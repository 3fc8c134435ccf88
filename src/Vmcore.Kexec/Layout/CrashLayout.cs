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
    private const ulong SmallestHeader = 16384;

    /// <summary>Builds all segments.</summary>
    /// <exception cref="KexecException">They do not fit, or the machine says too little of itself.</exception>
    public static LoadLayout Build(RunningSystem system, KernelImage kernel, ReadOnlyMemory<byte> initrd, LoadOptions options, List<string> warnings)
    {
        Platform platform = Platform.Of(system);
        PhysicalRange region = Window(platform, system, options);
        var space = new Space(region, platform.SegmentAlignment, kernel, initrd);
        IReadOnlyList<(PhysicalRange From, ulong To)> copies = PlaceCopies(platform.CopiedAway(system), space, out PhysicalRange copied);
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(system, options.Pmem ?? PmemInDump.Metadata, copies);
        WarnOfGaps(system, warnings);
        bool hotplug = AllowHotplug(system, options, headers, warnings);

        PhysicalRange kernelMemory = platform.PlaceKernel(region, kernel);
        PhysicalRange initrdMemory = initrd.IsEmpty ? default : space.Take((ulong)initrd.Length);
        byte[] header = ElfCoreHeader.Build(headers, platform.ElfMachine);
        ulong headerSize = Math.Max(SmallestHeader, (ulong)header.Length);
        if (hotplug)
            headerSize = Math.Max(headerSize, system.CrashElfcorehdrSize ?? 0);
        PhysicalRange headerMemory = space.Take(headerSize);

        PhysicalRange unpadded = initrd.IsEmpty ? default : new(initrdMemory.Start, initrdMemory.Start + (ulong)initrd.Length);
        BootData boot = platform.PrepareBoot(new(system, kernel, options, kernelMemory, unpadded, headerMemory) { Backup = copied });
        warnings.AddRange(boot.Notes);
        CaptureCommandLine line = CaptureCommandLine.Build(system, options, boot.Words, kernel.CommandLineLimit);
        byte[] lineBytes = line.ToBytes();
        PhysicalRange bootMemory = space.Take((ulong)boot.SizeOf(lineBytes.Length));

        // A header that the kernel may change cannot be verified.
        List<Segment> segments = [new("kernel", kernel.Loaded, kernelMemory, VerifiedLength(kernel.Loaded, system, options))];
        if (!initrd.IsEmpty)
            segments.Add(new("initrd", initrd, initrdMemory, VerifiedLength(initrd, system, options)));
        segments.Add(new("elfcorehdr", header, headerMemory, hotplug ? 0 : VerifiedLength(header, system, options)));
        byte[] bootBytes = boot.Build(bootMemory.Start, lineBytes);
        segments.Add(new(boot.Name, bootBytes, bootMemory, VerifiedLength(bootBytes, system, options)));

        uint[] digest = Hash(segments);
        PhysicalRange[] hashed = [.. segments.Where(static s => s.IsVerified).Select(static s => s.Verified)];
        var request = new StubRequest(
            system, region.Start, kernelMemory.Start, bootMemory.Start, hashed, digest, region, platform.FindConsole(options.Serial, system.Firmware))
        {
            Copies = copies,
        };
        // Its size is the same wherever it lies.
        PhysicalRange stubMemory = space.Take((ulong)platform.BuildStub(request).MemorySize);
        if (stubMemory.Start < kernelMemory.End)
            throw space.TooSmall();
        CrashStub stub = platform.BuildStub(request with { Address = stubMemory.Start });
        segments.Add(new("stub", stub.Code, stubMemory, 0));
        if (!copied.IsEmpty)
            segments.Add(new("backup", default, copied, 0));
        if (stub.Note is not null)
            warnings.Add(stub.Note);
        var layout = new LoadLayout
        {
            Region = region,
            PageSize = system.PageSize,
            Segments = segments,
            Entry = stubMemory.Start,
            Headers = headers,
            Memory = boot.Memory,
            CommandLine = line,
            Digest = options.SkipChecks ? "" : string.Concat(digest.Select(static w => w.ToString("x8", CultureInfo.InvariantCulture))),
            HandsEfiOver = boot.HandsEfiOver,
            AllowsHotplug = hotplug,
        };
        layout.Validate();
        return layout;
    }

    // One segment for all, empty until the crash.
    private static List<(PhysicalRange From, ulong To)> PlaceCopies(IReadOnlyList<PhysicalRange> ranges, Space space, out PhysicalRange copied)
    {
        ulong length = 0;
        foreach (PhysicalRange range in ranges)
            length += range.Length;
        copied = length == 0 ? default : space.Take(length);
        List<(PhysicalRange From, ulong To)> copies = [];
        ulong at = copied.Start;
        foreach (PhysicalRange range in ranges)
        {
            copies.Add((range, at));
            at += range.Length;
        }

        return copies;
    }

    private static PhysicalRange Window(Platform platform, RunningSystem system, LoadOptions options)
    {
        PhysicalRange region = platform.ChooseRegion(system.Iomem.CrashRegions);
        ulong end = options.MemoryMax == ulong.MaxValue ? ulong.MaxValue : options.MemoryMax + 1;
        PhysicalRange window = region.Intersect(new(options.MemoryMin, end));
        ulong alignment = platform.SegmentAlignment;
        return window.IsEmpty
            ? throw new KexecException($"The crash kernel's region {region} lies outside --mem-min and --mem-max: give others, or leave them out.", 1)
            : new(Numbers.AlignUp(window.Start, alignment), Numbers.AlignDown(window.End, alignment));
    }

    // Whole pages: with the zeros that fill the last one.
    private static ulong VerifiedLength(ReadOnlyMemory<byte> data, RunningSystem system, LoadOptions options) =>
        options.SkipChecks ? 0 : Numbers.AlignUp((ulong)data.Length, system.PageSize);

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

    private static bool AllowHotplug(RunningSystem system, LoadOptions options, IReadOnlyList<ProgramHeader> headers, List<string> warnings)
    {
        if (!options.Hotplug)
            return false;
        if (headers.Any(static h => h.IsPmem))
        {
            warnings.Add(
                "--hotplug is left out: on the next hotplug the kernel would write the ELF core header anew, without the pmem in it; "
                + "reload on hotplug with the udev rules instead.");
            return false;
        }

        if (system.CrashElfcorehdrSize is not (> 0 and <= 64 << 20))
        {
            warnings.Add("--hotplug is left out: the running kernel does not update the ELF core header by itself (CONFIG_CRASH_HOTPLUG, Linux 6.6).");
            return false;
        }

        return true;
    }

    private static void WarnOfGaps(RunningSystem system, List<string> warnings)
    {
        if (system.PageOffset is null)
        {
            warnings.Add(
                "/proc/kcore does not tell where the direct map is: the dump's virtual addresses will be right only without KASLR "
                + "(the dumper does not need them).");
        }

        if (system.KernelText is null)
        {
            warnings.Add(
                "/proc/kallsyms and /proc/kcore do not tell where the kernel's text is: the dump will not map it "
                + "(run as root with kernel.kptr_restrict below 2).");
        }
    }

    /// <summary>What is left of the region, taken from its end.</summary>
    private sealed class Space(PhysicalRange region, ulong alignment, KernelImage kernel, ReadOnlyMemory<byte> initrd)
    {
        private ulong _top = region.End;

        public PhysicalRange Take(ulong size)
        {
            ulong length = Numbers.AlignUp(size, alignment);
            if (length > _top || _top - length < region.Start)
                throw TooSmall();
            _top -= length;
            return new(_top, _top + length);
        }

        public KexecException TooSmall() => new(
            $"The crash kernel's region {region} has {Numbers.MiB(region.Length)}, too little for the kernel ({Numbers.MiB(kernel.InitSize)}) "
            + $"and its initramfs ({Numbers.MiB((ulong)initrd.Length)}): boot with a larger crashkernel=, or make the initramfs smaller.", 1);
    }
}
