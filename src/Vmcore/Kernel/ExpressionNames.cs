using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel;

/// <summary>What names stand for in expressions, and what is known of the places that they name.</summary>
/// <param name="kernel">The kernel.</param>
/// <remarks>Source of the borders: include/asm-generic/vmlinux.lds.h; of when init memory is freed: init/main.c, kernel_init().</remarks>
internal sealed class ExpressionNames(KernelView kernel)
{
    private const int Shown = 6;

    private readonly Dictionary<string, ulong?> _known = new(StringComparer.Ordinal);
    private VirtualRange? _perCpu;
    private VirtualRange? _freed;
    private bool _areBordersKnown;

    /// <summary>Memory that the kernel gave back when it had started; null if it has none, or had not started.</summary>
    internal VirtualRange? FreedMemory
    {
        get
        {
            FindBorders();
            return _freed;
        }
    }

    /// <summary>The address of a symbol.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>Null if there is none.</returns>
    /// <exception cref="KernelObjectException">There are several, and only the asker knows which is meant.</exception>
    internal ulong? AddressOf(string name)
    {
        if (kernel.Symbols is not { } symbols)
            return null;
        lock (_known)
        {
            if (_known.TryGetValue(name, out ulong? known))
                return known;
        }

        ulong? address = symbols.TryFind(name, out ulong first) ? first : null;
        if (address is not null)
        {
            // Two names of one place are one.
            List<KernelSymbol> all = [.. symbols.FindAll(name).DistinctBy(static s => s.Address).Take(Shown + 1)];
            if (all.Count > 1)
            {
                throw new KernelObjectException($"several symbols are called '{name}': "
                    + string.Join(", ", all.Take(Shown).Select(static s => $"0x{s.Address:x}{(s.Module is { } module ? $" [{module}]" : "")}"))
                    + $"{(all.Count > Shown ? ", ..." : "")}; say which by its address: *(TYPE *)0x{all[0].Address:x}");
            }
        }

        lock (_known)
        {
            if (_known.Count < kernel.Limits.Symbols)
                _known[name] = address;
        }

        return address;
    }

    /// <summary>Tells whether a symbol is of what each CPU has for itself.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="address">Its address.</param>
    /// <returns>Null if that is not known.</returns>
    internal bool? IsPerCpu(string name, ulong address)
    {
        FindBorders();
        if (_perCpu is not { } range)
            return null;
        if (kernel.Symbols!.TryFindInImage(name) == address)
            return range.Contains(address);
        foreach (KernelModule module in kernel.Modules?.Modules ?? [])
        {
            try
            {
                if (module.Object.Type.FindMember("percpu") is null)
                    return null;
                ulong start = module.Object.Member("percpu").AsUInt64();
                if (start != 0 && address >= start && address - start < module.Object.Member("percpu_size").AsUInt64())
                    return true;
            }
            catch (KernelObjectException)
            {
                return null;
            }
        }

        return kernel.Modules?.Find(address) is null ? null : false;
    }

    private void FindBorders()
    {
        if (_areBordersKnown || kernel.Symbols is not { } symbols)
            return;
        _areBordersKnown = true;
        ulong?[] found = symbols.FindInImage("__per_cpu_start", "__per_cpu_end", "__init_begin", "__init_end", "system_state");
        if (found is [{ } first, { } last, ..] && last > first)
            _perCpu = new(first, last);

        // Freed before the state becomes "running", which it or a later one then is for good.
        if (found is [_, _, { } start, { } end, { } state] && end > start && kernel.RequireMemory().TryReadUInt32(state, out uint now)
            && kernel.Types?.EnumValue("system_states", "SYSTEM_RUNNING") is { } running && now >= (ulong)running)
            _freed = new(start, end);
    }
}
