using System.Globalization;
using System.Text;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>What the debug level shows of the input, in the layout that people know.</summary>
internal static class DebugText
{
    internal static string Input(CrashDump dump)
    {
        var text = new StringBuilder();
        if (dump.Loads.Count > 0)
            text.Append("               phys_start         phys_end       virt_start         virt_end  is_pmem\n");
        for (int i = 0; i < dump.Loads.Count; i++)
        {
            ElfSegment load = dump.Loads[i];
            ulong virtualEnd = load.VirtualAddress is 0 or ulong.MaxValue ? load.VirtualAddress : load.VirtualAddress + load.MemorySize;
            text.Append(CultureInfo.InvariantCulture, $"LOAD[{i,2}] {load.PhysicalAddress,16:x} {load.PhysicalEnd,16:x} "
                + $"{load.VirtualAddress,16:x} {virtualEnd,16:x} {(IsPmem(dump, load) ? "true" : "false")}\n");
        }

        text.Append('\n').Append(Notes(dump));
        text.Append(CultureInfo.InvariantCulture, $"input        : {(dump.IsMapped ? "mapped" : "read")}\npage_size    : {dump.Memory.PageSize}\n");
        if (dump.Kernel is { } kernel)
            text.Append(CultureInfo.InvariantCulture, $"phys_base    : {kernel.PhysicalBase:x}\npage tables  : {kernel.Memory.Levels} levels\n");
        text.Append(CultureInfo.InvariantCulture, $"max_mapnr    : {dump.Memory.MaxPfn:x}\n");
        if (dump.Memmap is { } memmap)
            text.Append("Memory type  : ").Append(memmap.Model.Name).Append('\n');
        return text.Append('\n').ToString();
    }

    /// <summary>vmcoreinfo, a line each: SUSE's kdump-save takes OSRELEASE and CRASHTIME from there for its README.txt.</summary>
    internal static string Notes(CrashDump dump)
    {
        if (dump.VmcoreInfo is not { } info)
            return "";
        var text = new StringBuilder("VMCOREINFO   :\n");
        foreach (string line in Encoding.Latin1.GetString(info.Text.Span).TrimEnd('\n').Split('\n'))
            text.Append("  ").Append(line).Append('\n');
        return text.ToString();
    }

    internal static string Pmem(CrashDump dump)
    {
        var text = new StringBuilder();
        PmemLayout pmem = dump.Pmem;
        foreach (PmemNamespace n in pmem.Namespaces)
        {
            text.Append(CultureInfo.InvariantCulture, $"pmem {n.Name ?? "namespace"} {n.Range} {n.Mode.ToString().ToLowerInvariant()} "
                + $"map={(n.Map == PmemMap.Device ? "dev" : n.Map == PmemMap.Memory ? "mem" : "none")}");
            text.Append(CultureInfo.InvariantCulture,
                $" metadata {n.MetadataPresent}/{n.Metadata.PageCount} pages memmap {n.State.ToString().ToLowerInvariant()}\n");
        }

        foreach (PfnRange range in pmem.Metadata)
            text.Append(CultureInfo.InvariantCulture,
                $"pfn: [0x{range.Start:x} - 0x{range.End:x}) sha256: {MetadataHash.Compute(dump.Memory, range) ?? "not in the dump"}\n");
        foreach (Finding finding in pmem.Findings)
            text.Append(finding).Append('\n');
        return text.ToString();
    }

    private static bool IsPmem(CrashDump dump, ElfSegment load)
    {
        PfnRange pages = new PhysicalRange(load.PhysicalAddress, load.PhysicalEnd).ToPfns(dump.Memory.PageShift);
        return load.IsDevice || !dump.Pmem.Pages.Intersect(pages).IsEmpty;
    }
}
