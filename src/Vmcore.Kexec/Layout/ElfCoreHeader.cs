using System.Buffers.Binary;
using System.Globalization;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Describes the crashed kernel's memory to the capture kernel, which shows it as /proc/vmcore.</summary>
public static class ElfCoreHeader
{
    /// <summary>Most program headers that the capture kernel reads: it knows no PN_XNUM, and 0xffff is that.</summary>
    public const int HeaderLimit = 65534;

    /// <summary>Direct map of a kernel without KASLR and with four-level page tables.</summary>
    internal const ulong DefaultPageOffset = 0xffff888000000000;

    private const ushort X86_64 = 62;

    /// <summary>The headers for a machine.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="pmem">Pmem that the dump may hold.</param>
    /// <exception cref="KexecException">There are too many of them, or the machine says too little of itself.</exception>
    public static IReadOnlyList<ProgramHeader> Describe(Machine machine, PmemInDump pmem)
    {
        if (machine.VmcoreInfo is not { } info)
            throw new KexecException("The running kernel has no /sys/kernel/vmcoreinfo: use a kernel with CONFIG_CRASH_DUMP (CONFIG_VMCORE_INFO) and mount /sys.");
        if (machine.CpuNotes.Count == 0)
            throw new KexecException("No CPU has /sys/devices/system/cpu/cpuN/crash_notes: use a kernel with CONFIG_CRASH_DUMP, mount /sys and run as root.");

        ulong pageOffset = machine.PageOffset ?? DefaultPageOffset;
        PfnRangeSet ram = machine.Iomem.SystemRam
            .Except(Iomem.WholePages(machine.Iomem.CrashRegions))
            .Except(Iomem.WholePages(machine.Iomem.Named("GART")))
            // The crashed kernel keeps the first 1 MiB free for the capture kernel.
            .Except(PfnRangeSet.From([new(0, 256)]));
        List<ProgramHeader> memory = [.. Loads(ram, HeaderKind.Ram, pageOffset, "")];
        memory.AddRange(DescribePmem(machine, pmem, ram, pageOffset));
        memory.Sort(static (a, b) => a.Memory.Start.CompareTo(b.Memory.Start));

        List<ProgramHeader> headers = [];
        foreach (PhysicalRange notes in machine.CpuNotes)
            headers.Add(new(HeaderKind.CpuNotes, notes, 0));
        headers.Add(new(HeaderKind.VmcoreInfo, info, 0));
        if (machine.KernelText is { } text)
            headers.Add(new(HeaderKind.KernelText, text.Physical, text.Virtual));
        headers.AddRange(memory);
        if (headers.Count > HeaderLimit)
        {
            throw new KexecException(string.Create(
                CultureInfo.InvariantCulture,
                $"The machine's memory needs {headers.Count} program headers and the capture kernel reads {HeaderLimit}: use --pmem=none or join memory blocks."));
        }

        Check(headers, machine);
        return headers;
    }

    /// <summary>Bytes of a header with so many program headers.</summary>
    public static int SizeOf(int headers) => 64 + (56 * headers);

    /// <summary>The header as the capture kernel reads it: ELF64, little-endian, ET_CORE, x86-64.</summary>
    public static byte[] Build(IReadOnlyList<ProgramHeader> headers)
    {
        byte[] bytes = new byte[SizeOf(headers.Count)];
        Span<byte> elf = bytes;
        "\x7f"u8.CopyTo(elf);
        "ELF"u8.CopyTo(elf[1..]);
        elf[4] = 2;
        elf[5] = 1;
        elf[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(elf[16..], 4);
        BinaryPrimitives.WriteUInt16LittleEndian(elf[18..], X86_64);
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
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], header.Memory.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], header.Virtual);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[24..], header.Memory.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[32..], header.Memory.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[40..], header.Memory.Length);
        }

        return bytes;
    }

    private static IEnumerable<ProgramHeader> DescribePmem(Machine machine, PmemInDump pmem, PfnRangeSet ram, ulong pageOffset)
    {
        if (pmem == PmemInDump.Region)
            return Loads(machine.Pmem.Except(ram), HeaderKind.PmemRegion, pageOffset, "");
        if (pmem == PmemInDump.None)
            return [];
        // Namespaces do not overlap; if a machine says that they do, each page is described once.
        PfnRangeSet taken = ram;
        List<ProgramHeader> headers = [];
        foreach (PmemNamespace space in machine.NamespacesOnMedia)
        {
            PfnRangeSet metadata = Iomem.WholePages(LiveMetadata.Of(space, machine.StructPageSize)).Except(taken);
            headers.AddRange(Loads(metadata, HeaderKind.PmemMetadata, pageOffset, space.Title));
            taken = taken.Union(metadata);
        }

        return headers;
    }

    private static IEnumerable<ProgramHeader> Loads(PfnRangeSet ranges, HeaderKind kind, ulong pageOffset, string title) =>
        ranges.Select(r => new ProgramHeader(kind, r.ToPhysical(12), pageOffset + (r.Start << 12), title));

    // The rules that the capture kernel does not check: a wrong header makes a wrong dump, seen only after the crash.
    private static void Check(List<ProgramHeader> headers, Machine machine)
    {
        ulong end = 0;
        foreach (ProgramHeader header in headers)
        {
            string place = $"{header.Kind} {header.Memory}";
            if (header.Memory.IsEmpty)
                throw new KexecException($"The ELF core header would be wrong ({place} is empty): please report this with /proc/iomem and /sys/bus/nd.");
            if (header.Kind is HeaderKind.CpuNotes or HeaderKind.VmcoreInfo or HeaderKind.KernelText)
                continue;
            if (((header.Memory.Start | header.Memory.End) & 0xfff) != 0 || header.Memory.Start < end)
                throw new KexecException($"The ELF core header would be wrong ({place} overlaps or has partial pages): please report this with /proc/iomem and /sys/bus/nd.");
            if (machine.Iomem.CrashRegions.Any(c => !c.Intersect(header.Memory).IsEmpty))
                throw new KexecException($"The ELF core header would be wrong ({place} holds memory of the crash kernel): please report this with /proc/iomem and /sys/bus/nd.");
            end = header.Memory.End;
        }
    }
}
