using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>
/// Finds in a dump the kernel that a vmlinux, or a vmcoreinfo made of one, describes: where it lies in physical memory, and by how much KASLR moved it.
/// Kernels lie at multiples of some size (<see cref="Architecture.ImageStep"/>), so the kernel's names can only be at one place in each of these steps;
/// its own page tables give the rest.
/// </summary>
internal static class LinkedKernel
{
    /// <summary>Makes run-time vmcoreinfo out of one with link-time addresses.</summary>
    /// <param name="linked">The text.</param>
    /// <param name="architecture">The architecture of the dump.</param>
    /// <param name="memory">The dump.</param>
    /// <param name="problem">Why that cannot be done, as a clause for the operator.</param>
    /// <returns>The text with run-time addresses, phys_base and KERNELOFFSET; null if the kernel is not found.</returns>
    internal static byte[]? TryRelocate(VmcoreInfo linked, Architecture architecture, CrashMemory memory, out string? problem)
    {
        if ((linked.Symbol("init_top_pgt") ?? linked.Symbol("swapper_pg_dir") ?? linked.Symbol("init_level4_pgt")) is null
            || linked.Symbol("init_uts_ns") is not { } names
            || linked.Offset("uts_namespace.name") is not { } nameOffset || linked.Symbol("_stext") is not { } text
            || linked.OsRelease is not { } release)
        {
            problem = "vmcoreinfo lacks OSRELEASE, SYMBOL(init_top_pgt), SYMBOL(_stext), or SYMBOL(init_uts_ns) with its offset: "
                + "the kernel cannot be looked for";
            return null;
        }

        int candidates = 0;
        foreach (ulong at in Candidates(memory, unchecked(names + (ulong)nameOffset), release, architecture.ImageStep))
        {
            if (++candidates > memory.Limits.KernelCandidates)
                break;
            // What the linker's addresses become as physical ones.
            ulong delta = unchecked(at - (names + (ulong)nameOffset));
            foreach (KernelPlace place in architecture.LinkedSpaces(linked, memory, delta))
            {
                if (FindOffset(place, text, unchecked(text + delta), architecture.ImageStep) is not { } offset)
                    continue;
                Translation check = place.Memory.Translate(unchecked(names + (ulong)nameOffset + offset));
                if (check.Status != MemoryStatus.Ok || check.PhysicalAddress != at)
                    continue;
                problem = null;
                return Relocate(linked, architecture, place, delta, offset);
            }
        }

        problem = candidates == 0
            ? $"no kernel {release} is in the dump's memory: the description is of another kernel"
            : $"a kernel {release} is in the dump's memory, but not with the page tables that the description names: it is of another build";
        return null;
    }

    private static IEnumerable<ulong> Candidates(CrashMemory memory, ulong address, string release, ulong step)
    {
        byte[] names = new byte[Utsname.FieldSize * 3];
        foreach (PfnRange range in memory.Extents)
        {
            PhysicalRange bytes = range.ToPhysical(memory.PageShift);
            ulong first = (bytes.Start & ~(step - 1)) + (address & (step - 1));
            if (first < bytes.Start)
                first += step;
            for (ulong at = first; at < bytes.End && at >= first; at += step)
            {
                ulong pfn = at >> memory.PageShift, absent = memory.AbsentUntil(new(pfn, range.End));
                if (absent > pfn)
                {
                    // On to the step before the first page that is there; the loop adds one.
                    at += ((absent << memory.PageShift) - at - 1) / step * step;
                    continue;
                }

                if (memory.Read(at, names) != MemoryStatus.Ok || !names.AsSpan().StartsWith("Linux\0"u8))
                    continue;
                ReadOnlySpan<byte> found = names.AsSpan(2 * Utsname.FieldSize);
                int nul = found.IndexOf((byte)0);
                if (nul > 0 && Encoding.Latin1.GetString(found[..nul]) == release)
                    yield return at;
            }
        }
    }

    private static ulong? FindOffset(KernelPlace place, ulong text, ulong physical, ulong step)
    {
        foreach (MappedRun run in place.Memory.FindMapped(place.Image.Start, place.Image.End, place.Memory.Limits.ImageRuns, out _))
        {
            if (physical < run.PhysicalAddress || physical - run.PhysicalAddress >= run.Length)
                continue;
            ulong offset = unchecked(run.VirtualAddress + (physical - run.PhysicalAddress) - text);
            if ((offset & (step - 1)) == 0)
                return offset;
        }

        return null;
    }

    private static byte[] Relocate(VmcoreInfo linked, Architecture architecture, KernelPlace place, ulong delta, ulong offset)
    {
        KernelAddressSpace space = place.Memory;
        // Where mem_section is a pointer, running kernels export what it points to; an array has a length.
        bool isPointer = linked.Length("mem_section") is null;
        List<string> added = [.. architecture.RelocatedKeys(place, delta, offset)];
        var text = new StringBuilder();
        foreach (string line in Encoding.Latin1.GetString(linked.Text.Span).Split('\n'))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0 || added.Exists(a => line.AsSpan(0, equals + 1).SequenceEqual(a.AsSpan(0, a.IndexOf('=', StringComparison.Ordinal) + 1))))
                continue;
            // Offsets of per-cpu variables are no addresses, and stay.
            if (line.StartsWith("SYMBOL(", StringComparison.Ordinal)
                && ulong.TryParse(line.AsSpan(equals + 1).TrimEnd('\r'), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
                && place.Image.Contains(address))
            {
                ulong running = unchecked(address + offset);
                if (isPointer && line.StartsWith("SYMBOL(mem_section)=", StringComparison.Ordinal) && space.TryReadUInt64(running, out ulong pointed))
                    running = pointed;
                text.Append(line.AsSpan(0, equals + 1)).Append(CultureInfo.InvariantCulture, $"{running:x}\n");
            }
            else
            {
                text.Append(line).Append('\n');
            }
        }

        // makedumpfile -g leaves out what is a macro in the kernel, and so not in its debug information.
        Version version = VmcoreInfoWriter.VersionOf(linked.OsRelease ?? "");
        if (linked.Number("PAGE_BUDDY_MAPCOUNT_VALUE") is null && version >= new Version(4, 18) && version < new Version(6, 10))
            text.Append(CultureInfo.InvariantCulture, $"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)={~0x80}\n");
        if (linked.Number("PAGE_OFFLINE_MAPCOUNT_VALUE") is null && version >= new Version(5, 1) && version < new Version(6, 10))
            text.Append(CultureInfo.InvariantCulture, $"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)={~0x100}\n");

        // Readers look for the page tables by the old name, which is no symbol everywhere.
        if (linked.Symbol("swapper_pg_dir") is null && (linked.Symbol("init_top_pgt") ?? linked.Symbol("init_level4_pgt")) is { } root)
            text.Append(CultureInfo.InvariantCulture, $"SYMBOL(swapper_pg_dir)={unchecked(root + offset):x}\n");
        foreach (string line in added)
            text.Append(line).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"KERNELOFFSET={offset:x}\n");
        return Encoding.Latin1.GetBytes(text.ToString());
    }
}
