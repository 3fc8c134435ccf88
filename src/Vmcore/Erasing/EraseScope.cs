using Vmcore.Kernel;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memory;

namespace Vmcore.Erasing;

/// <summary>Where the names of one section's rules are looked up: symbols out of the dump, types out of debug information or out of the dump.</summary>
internal sealed class EraseScope : IDisposable
{
    private readonly Func<string, ulong?> _symbol;
    private readonly Func<string, ulong, IReadOnlyList<ulong>> _places;
    private readonly Func<ulong, ulong?> _linkAddress;

    /// <summary>Makes a scope.</summary>
    /// <param name="types">The types; they are disposed with the scope.</param>
    /// <param name="symbol">A symbol's value; null if there is none.</param>
    /// <param name="places">Run-time addresses of a symbol with a value: several for a variable that each CPU has.</param>
    /// <param name="linkAddress">Link-time address of a symbol with a value; null if it is not known.</param>
    internal EraseScope(EraseTypes types, Func<string, ulong?> symbol, Func<string, ulong, IReadOnlyList<ulong>> places, Func<ulong, ulong?> linkAddress)
    {
        Types = types;
        _symbol = symbol;
        _places = places;
        _linkAddress = linkAddress;
    }

    /// <summary>The types.</summary>
    internal EraseTypes Types { get; }

    /// <summary>The scope of the kernel itself.</summary>
    internal static EraseScope OfKernel(KernelView kernel, VmlinuxFile? vmlinux)
    {
        ulong? moved = kernel.VmcoreInfo?.Hex("KERNELOFFSET");
        return new(
            EraseTypes.OfKernel(kernel, vmlinux),
            name => kernel.Symbols?.TryFindInImage(name) ?? (vmlinux?.Find(name) is { } linked ? RunTime(kernel, linked) : null),
            (name, value) => Places(kernel, name, value),
            value => moved is not { } offset ? null : IsAddress(kernel.Memory, value) ? unchecked(value - offset) : value);
    }

    /// <summary>The scope of a module.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="vmlinux">The kernel's debug information; null for none.</param>
    /// <param name="module">The module.</param>
    /// <param name="file">Its debug information; null if it was not found.</param>
    internal static EraseScope OfModule(KernelView kernel, VmlinuxFile? vmlinux, KernelModule module, string? file) =>
        new(
            EraseTypes.OfModule(kernel, vmlinux, file),
            name => module.Symbols.All.Where(s => s.Name == name).Select(s => (ulong?)s.Address).FirstOrDefault(),
            (name, value) => Places(kernel, name, value),
            static _ => null);

    /// <summary>Run-time addresses of a symbol: one, or one for each CPU of a per-cpu variable.</summary>
    /// <returns>Empty if there is no such symbol.</returns>
    /// <exception cref="EraseException">The area of a CPU cannot be found, so that its variable would stay in the dump.</exception>
    internal IReadOnlyList<ulong> Find(string symbol) => _symbol(symbol) is { } value ? _places(symbol, value) : [];

    /// <summary>The type of a symbol; null if nothing says it.</summary>
    internal KernelType? TypeOf(string symbol) => Types.FindVariable(symbol, _symbol(symbol) is { } value ? _linkAddress(value) : null);

    /// <inheritdoc/>
    public void Dispose() => Types.Dispose();

    /// <summary>Where the variable of a symbol is.</summary>
    /// <param name="memory">The kernel's memory, which knows what an address of the kernel is.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="areas">Gives the areas of the CPUs.</param>
    /// <param name="name">The symbol, for messages.</param>
    /// <param name="value">Its value.</param>
    /// <returns>One address, or one for each CPU; none if the areas of the CPUs are not known.</returns>
    /// <exception cref="EraseException">The area of one CPU is not known.</exception>
    internal static IReadOnlyList<ulong> Places(IVirtualMemory? memory, KernelSymbols? symbols, Func<PerCpuAreas?> areas, string name, ulong value)
    {
        // Where the section of per-cpu variables is linked at 0 (x86_64 before 6.15), no symbol but theirs is below the kernel's half. Elsewhere what is
        // at the symbol itself is only what each CPU's variable was copied from when the machine booted (mm/percpu.c).
        bool isPerCpu = !IsAddress(memory, value)
            || (symbols?.TryFindInImage("__per_cpu_start") is { } start && symbols.TryFindInImage("__per_cpu_end") is { } end && value >= start && value < end);
        if (!isPerCpu)
            return [value];
        if (areas() is not { } found)
            return [];
        List<ulong> all = [];
        foreach (int cpu in found.Possible)
        {
            ulong offset = found.OffsetOf(cpu) ?? throw new EraseException($"the area of CPU {cpu} cannot be found, so its '{name}' is not erased");
            all.Add(unchecked(offset + value));
        }

        return all;
    }

    private static IReadOnlyList<ulong> Places(KernelView kernel, string name, ulong value) =>
        Places(kernel.Memory, kernel.Symbols, () => kernel.PerCpu, name, value);

    private static bool IsAddress(IVirtualMemory? memory, ulong value) => memory?.IsKernelAddress(value) ?? false;

    private static ulong RunTime(KernelView kernel, ulong linked) =>
        IsAddress(kernel.Memory, linked) ? unchecked(linked + (kernel.VmcoreInfo?.Hex("KERNELOFFSET") ?? 0)) : linked;
}
