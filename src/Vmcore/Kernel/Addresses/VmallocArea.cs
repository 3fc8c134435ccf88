using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Addresses;

/// <summary>A range of addresses that the kernel gave out for memory that need not be in one piece (vmalloc), for devices (ioremap), or for stacks.</summary>
public sealed class VmallocArea
{
    // include/linux/vmalloc.h.
    private static readonly string[] s_flags =
        ["ioremap", "vmalloc", "vmap", "user", "", "uninitialized", "no guard page", "KASAN shadow", "reset permissions", "pages are given", "huge pages"];

    /// <summary>The addresses, with the guard page behind them.</summary>
    public required VirtualRange Range { get; init; }

    /// <summary>Virtual address of its <c>struct vm_struct</c>; 0 of an area that has none (vm_map_ram).</summary>
    public required ulong Structure { get; init; }

    /// <summary>VM_* flags.</summary>
    public ulong Flags { get; init; }

    /// <summary>Address in the code that asked for it; 0 if that is not known.</summary>
    public ulong Caller { get; init; }

    /// <summary>Pages that it has, where the kernel counts them; else 0.</summary>
    public ulong Pages { get; init; }

    /// <summary>Physical address of a device's memory; 0 if it is none.</summary>
    public ulong Device { get; init; }

    /// <summary>The flags in words.</summary>
    public IReadOnlyList<string> Kinds
    {
        get
        {
            List<string> kinds = [];
            for (int i = 0; i < s_flags.Length; i++)
            {
                if ((Flags >> i & 1) != 0 && s_flags[i].Length > 0)
                    kinds.Add(s_flags[i]);
            }

            return kinds;
        }
    }
}

/// <summary>Looks for the area that an address is of.</summary>
/// <remarks>Source: mm/vmalloc.c: one list up to 6.8 (vmap_area_list), since then one of each of some nodes.</remarks>
internal sealed class VmallocAreas(KernelView kernel)
{
    private List<ulong>? _areas;

    /// <summary>Finds it.</summary>
    /// <param name="address">A virtual address of the kernel.</param>
    /// <param name="problem">Why it cannot be told; null if it can.</param>
    /// <returns>Null if it is of none.</returns>
    internal VmallocArea? Find(ulong address, out Finding? problem)
    {
        problem = null;
        try
        {
            KernelTypes types = kernel.RequireTypes();
            KernelType? area = types.FindNamed(KernelTypeKind.Struct, "vmap_area");
            _areas ??= Load(types, area, out problem);
            foreach (ulong at in _areas)
            {
                KernelObject item = KernelObject.At(kernel.RequireMemory(), area!, at);
                ulong start = item.Member("va_start").AsUInt64();
                if (start <= address && item.Member("va_end").AsUInt64() is var end && address < end)
                    return Read(item.Member("vm"), new(start, end));
            }
        }
        catch (KernelObjectException e)
        {
            problem = new(FindingCode.AddressIncomplete, $"areas of vmalloc: {e.Message}");
        }

        return null;
    }

    private const ulong Ioremapped = 1; // VM_IOREMAP, include/linux/vmalloc.h

    private static VmallocArea Read(KernelObject pointer, VirtualRange range)
    {
        ulong structure = pointer.AsUInt64();
        if (structure == 0)
            return new() { Range = range, Structure = 0 };
        return new()
        {
            Range = range,
            Structure = structure,
            Flags = pointer.Member("flags").AsUInt64(),
            Caller = pointer.Member("caller").AsUInt64(),
            Pages = (uint)pointer.Member("nr_pages").AsUInt64(),
            // The kernel's own image has areas with an address, too (arm64): only what was ioremapped is a device.
            Device = (pointer.Member("flags").AsUInt64() & Ioremapped) != 0 ? pointer.Member("phys_addr").AsUInt64() : 0,
        };
    }

    private List<ulong> Load(KernelTypes types, KernelType? area, out Finding? problem)
    {
        List<ulong> found = [];
        string? why = null;
        problem = null;
        ulong?[] symbols = kernel.RequireSymbols().FindInImage("vmap_area_list", "vmap_nodes", "nr_vmap_nodes");
        if (area?.FindMember("list")?.ByteOffset is not { } link)
            why = "the kernel's types have no vmap_area.list";
        else if (symbols[0] is { } head)
            Walk(head);
        else if (symbols[1] is { } nodes && symbols[2] is { } counter && types.FindNamed(KernelTypeKind.Struct, "vmap_node") is { Size: > 0 } node
            && node.FindPath("busy.head")?.ByteOffset is { } busy)
            WalkNodes(nodes, counter, (ulong)node.Size, (ulong)busy);
        else
            why = "the kernel's lists of them cannot be found";
        problem = why is null ? null : new(FindingCode.AddressIncomplete, $"areas of vmalloc: {why}");
        return found;

        void WalkNodes(ulong nodes, ulong counter, ulong size, ulong busy)
        {
            if (!kernel.RequireMemory().TryReadUInt64(nodes, out ulong first) || !kernel.RequireMemory().TryReadUInt32(counter, out uint count)
                || count > kernel.Limits.VmallocNodes)
            {
                why = "the kernel's lists of them cannot be read";
                return;
            }

            for (uint i = 0; i < count; i++)
                Walk(unchecked(first + (i * size) + busy));
        }

        void Walk(ulong start)
        {
            var outcome = new WalkOutcome();
            int left = kernel.Limits.VmallocAreas - found.Count;
            foreach (ulong entry in ListWalk.CircularBothWays(kernel.RequireMemory(), start, left, outcome))
                found.Add(unchecked(entry - (ulong)link));
            why ??= WalkText.OfList(outcome, start, left);
        }
    }
}
