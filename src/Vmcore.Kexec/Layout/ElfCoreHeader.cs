using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Describes the crashed kernel's memory to the capture kernel, which shows it as /proc/vmcore.</summary>
public static class ElfCoreHeader
{
    /// <summary>Most program headers that the capture kernel reads: it knows no PN_XNUM, and 0xffff is that.</summary>
    public const int HeaderLimit = 65534;

    private const string HeadersAdvice = "use --pmem=none or join memory blocks.";

    /// <summary>The headers for a system.</summary>
    /// <param name="system">The system.</param>
    /// <param name="pmem">Pmem that the dump may hold.</param>
    /// <exception cref="KexecException">There are too many of them, or the machine says too little of itself.</exception>
    public static IReadOnlyList<ProgramHeader> Describe(RunningSystem system, PmemInDump pmem) => Describe(system, pmem, []);

    /// <summary>The headers for a system, some of whose memory is copied away before the capture kernel starts.</summary>
    /// <param name="system">The system.</param>
    /// <param name="pmem">Pmem that the dump may hold.</param>
    /// <param name="copies">What is copied, and the physical address to which.</param>
    /// <exception cref="KexecException">There are too many of them, or the machine says too little of itself.</exception>
    internal static IReadOnlyList<ProgramHeader> Describe(RunningSystem system, PmemInDump pmem, IReadOnlyList<(PhysicalRange From, ulong To)> copies)
    {
        if (system.VmcoreInfo is not { } info)
        {
            throw new KexecException(
                "The running kernel has no /sys/kernel/vmcoreinfo: use a kernel with CONFIG_CRASH_DUMP (CONFIG_VMCORE_INFO) and mount /sys.");
        }

        if (system.CpuNotes.Count == 0)
        {
            throw new KexecException(
                "No CPU has /sys/devices/system/cpu/cpuN/crash_notes: use a kernel with CONFIG_CRASH_DUMP, mount /sys and run as root.");
        }

        Platform platform = Platform.Of(system);
        ulong pageOffset = system.PageOffset ?? platform.DefaultPageOffset;
        PfnRangeSet ram = system.Iomem.SystemRam(system.PageShift)
            .Except(Iomem.WholePages(system.CaptureRam, system.PageShift))
            .Except(Iomem.WholePages(platform.LeftOut(system.Iomem), system.PageShift));
        List<ProgramHeader> memory = [.. Loads(ram, HeaderKind.Ram, pageOffset, "", system.PageShift)];
        foreach ((PhysicalRange from, ulong to) in copies)
            memory.Add(new(HeaderKind.Ram, from, pageOffset + from.Start, $"copied to {LoadPlanner.Hex(to)}") { Offset = to });
        memory.AddRange(DescribePmem(system, pmem, ram, pageOffset));
        memory.Sort(static (a, b) => a.Memory.Start.CompareTo(b.Memory.Start));

        List<ProgramHeader> headers = [];
        foreach (PhysicalRange notes in system.CpuNotes)
            headers.Add(new(HeaderKind.CpuNotes, notes, 0));
        headers.Add(new(HeaderKind.VmcoreInfo, info, 0));
        if (system.KernelText is { } text)
            headers.Add(new(HeaderKind.KernelText, text.Physical, text.Virtual));
        headers.AddRange(memory);
        if (headers.Count > HeaderLimit)
        {
            throw new KexecException(string.Create(
                CultureInfo.InvariantCulture,
                $"The machine's memory needs {headers.Count} program headers and the capture kernel reads {HeaderLimit}: {HeadersAdvice}"));
        }

        Check(headers, system);
        return headers;
    }

    /// <summary>Bytes of a header with so many program headers.</summary>
    public static int SizeOf(int headers) => 64 + (56 * headers);

    /// <summary>The header as the capture kernel reads it: ELF64, little-endian, ET_CORE.</summary>
    /// <param name="headers">The program headers.</param>
    /// <param name="machine">e_machine.</param>
    public static byte[] Build(IReadOnlyList<ProgramHeader> headers, ushort machine)
    {
        byte[] bytes = new byte[SizeOf(headers.Count)];
        Span<byte> elf = bytes;
        "\x7f"u8.CopyTo(elf);
        "ELF"u8.CopyTo(elf[1..]);
        elf[4] = 2;
        elf[5] = 1;
        elf[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(elf[16..], 4);
        BinaryPrimitives.WriteUInt16LittleEndian(elf[18..], machine);
        BinaryPrimitives.WriteUInt32LittleEndian(elf[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(elf[32..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(elf[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(elf[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(elf[56..], checked((ushort)headers.Count));
        for (int i = 0; i < headers.Count; i++)
        {
            ProgramHeader header = headers[i];
            Span<byte> entry = elf.Slice(64 + (i * 56), 56);
            BinaryPrimitives.WriteUInt32LittleEndian(entry, header.Type);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], header.Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], header.Offset);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], header.Virtual);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], header.Memory.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], header.Memory.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], header.Memory.Length);
        }

        return bytes;
    }

    private static IEnumerable<ProgramHeader> DescribePmem(RunningSystem system, PmemInDump pmem, PfnRangeSet ram, ulong pageOffset)
    {
        if (pmem == PmemInDump.Region)
            return Loads(system.Pmem.Except(ram).Except(system.BadPmem), HeaderKind.PmemRegion, pageOffset, "", system.PageShift);
        if (pmem == PmemInDump.None)
            return [];
        // Namespaces do not overlap; if a machine says that they do, each page is described once.
        PfnRangeSet taken = ram.Union(system.BadPmem);
        List<ProgramHeader> headers = [];
        foreach (NdNamespace space in system.NamespacesOnMedia)
        {
            PfnRangeSet metadata = Iomem.WholePages(LiveMetadata.Of(space, system), system.PageShift).Except(taken);
            headers.AddRange(Loads(metadata, HeaderKind.PmemMetadata, pageOffset, space.Title, system.PageShift));
            taken = taken.Union(metadata);
        }

        return headers;
    }

    private static IEnumerable<ProgramHeader> Loads(PfnRangeSet ranges, HeaderKind kind, ulong pageOffset, string title, int pageShift) =>
        ranges.Select(r => new ProgramHeader(kind, r.ToPhysical(pageShift), pageOffset + (r.Start << pageShift), title));

    // The rules that the capture kernel does not check: a wrong header makes a wrong dump, seen only after the crash.
    private static void Check(List<ProgramHeader> headers, RunningSystem system)
    {
        ulong end = 0;
        foreach (ProgramHeader header in headers)
        {
            bool isMemory = header.Kind is not (HeaderKind.CpuNotes or HeaderKind.VmcoreInfo or HeaderKind.KernelText);
            string? fault = header.Memory.IsEmpty ? "is empty"
                : !isMemory ? null
                : ((header.Memory.Start | header.Memory.End) & (system.PageSize - 1)) != 0 || header.Memory.Start < end ? "overlaps or has partial pages"
                : system.CaptureRam.Any(c => !c.Intersect(header.Memory).IsEmpty) ? "holds memory of the crash kernel"
                : null;
            if (fault is not null)
            {
                throw new KexecException(
                    $"The ELF core header would be wrong ({header.Kind} {header.Memory} {fault}): please report this with /proc/iomem and /sys/bus/nd.");
            }

            if (isMemory)
                end = header.Memory.End;
        }
    }
}
