using Vmcore.Kernel.Identity;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>
/// The symbols of the crashed kernel's image, read out of the dump itself (kallsyms, kernels from 6.0 on), or out of its vmlinux.
/// Those of modules are found by name and by address too if the symbols come from a <see cref="CrashDump"/>.
/// </summary>
/// <remarks>Holds about 18 bytes a symbol. Immutable: safe for several threads at once.</remarks>
public sealed class KernelSymbols
{
    private const int MinCount = 1_000;

    // Symbols whose addresses vmcoreinfo gives too, on every machine. Source: kernel/vmcore_info.c.
    private static readonly string[] s_anchors = ["_stext", "init_uts_ns", "node_online_map"];

    private readonly ISymbolTable _table;
    private readonly bool _ascending;

    // The numbers of the symbols whose addresses are in the dump; null if all are, and all names.
    private readonly int[]? _placed;
    private readonly Lazy<IModuleSymbols?> _modules = new(() => null);

    private KernelSymbols(ISymbolTable table, bool isWhole)
    {
        _table = table;
        _placed = isWhole ? null : [.. Enumerable.Range(0, table.Count).Where(table.HasAddress)];
        _ascending = true;
        for (int i = 1, count = _placed?.Length ?? table.Count; i < count && _ascending; i++)
            _ascending = table.AddressOf(_placed?[i - 1] ?? (i - 1)) <= table.AddressOf(_placed?[i] ?? i);
    }

    private KernelSymbols(KernelSymbols image, Func<IModuleSymbols?> modules)
    {
        _table = image._table;
        _ascending = image._ascending;
        _placed = image._placed;
        _modules = new(modules);
    }

    /// <summary>Number of symbols of the image, those included whose names or addresses are not in the dump.</summary>
    public int Count => _table.Count;

    /// <summary>How this kernel stores the addresses; symbols of a vmlinux are absolute.</summary>
    public KallsymsEncoding Encoding => _table.Encoding;

    /// <summary>The symbols of a table that was made elsewhere, at their run-time addresses.</summary>
    internal static KernelSymbols Of(ISymbolTable table) => new(table, isWhole: true);

    /// <summary>Decodes the symbols. They are accepted only if <c>_stext</c>, or where that is lost another one, comes out where vmcoreinfo has it.</summary>
    /// <param name="info">Says where the tables are.</param>
    /// <param name="memory">The kernel's memory; its text and read-only data are enough.</param>
    /// <param name="problem">One clause for the operator on why there are no symbols, or not all; null if there are.</param>
    /// <returns>The symbols, or those that the dump has; null if the kernel is older than 6.0, or its tables are absent or damaged beyond that.</returns>
    internal static KernelSymbols? TryLoad(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        if (Locate(info, memory, out problem) is not { } place)
            return null;
        if (KallsymsNames.TryRead(memory, place.Names, place.Limit, place.Count, place.Tokens, out string? namesProblem) is not { } decoded)
        {
            problem = namesProblem;
            return null;
        }

        if (FindAnchor(info, place, decoded, namesProblem is not null) is not (var anchor, var anchorName, var anchorAddress))
        {
            problem = namesProblem is null ? $"_stext is not among the {place.Count} symbols of kallsyms"
                : $"{namesProblem}, and none of {string.Join(", ", s_anchors)} is known";
            return null;
        }

        if (KallsymsAddresses.TryRead(info, memory, place.Count, anchor, anchorName, anchorAddress, out string? addressesProblem)
            is not { } addresses)
        {
            problem = addressesProblem;
            return null;
        }

        if (namesProblem is null && addressesProblem is null)
            return new(new KallsymsTable(decoded, addresses), isWhole: true);
        int lost = Enumerable.Range(0, place.Count).Count(i => !decoded.Knows(i) || !addresses.Knows(i));
        problem = $"{lost} of {place.Count} symbols are not known: {namesProblem ?? addressesProblem}";
        return new(new KallsymsTable(decoded, addresses), isWhole: false);
    }

    /// <summary>Finds the first symbol of a name without reading the others: a tenth of what loading them costs, and no memory.</summary>
    /// <param name="info">Says where the tables are.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="name">Name as in /proc/kallsyms.</param>
    /// <returns>Its address; null if there is none, or the tables are absent or damaged there.</returns>
    internal static ulong? TryFindOne(VmcoreInfo info, IVirtualMemory memory, string name)
    {
        return TryFindSome(info, memory, [name]) is [{ } found] ? found : null;
    }

    /// <summary>Finds the first symbol of each of some names in one pass, without reading the others.</summary>
    /// <param name="info">Says where the tables are.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="names">Names as in /proc/kallsyms.</param>
    /// <returns>The address of each, null where there is none; null if the tables are absent or damaged.</returns>
    internal static ulong?[]? TryFindSome(VmcoreInfo info, IVirtualMemory memory, ReadOnlySpan<string> names)
    {
        if (Locate(info, memory, out _) is not { } place)
            return null;
        var query = new KallsymsQuery(place.Tokens, ["_stext", .. names]);
        if (!KallsymsNames.Search(memory, place.Names, place.Limit, place.Count, query))
            return TryLoad(info, memory, out _)?.FindInImage(names);
        if (query.Indexes[0] is not (>= 0 and var stext))
            return null;
        var found = new ulong?[names.Length];
        for (int i = 0; i < found.Length; i++)
            found[i] = query.Indexes[i + 1] is >= 0 and var index ? KallsymsAddresses.TryReadOne(info, memory, index, stext, place.Stext) : null;
        return found;
    }

    // Where records are damaged, that of _stext may be among them; the others are as good a proof.
    private static (int Index, string Name, ulong Address)? FindAnchor(VmcoreInfo info, KallsymsPlace place, KallsymsNames names, bool isDamaged)
    {
        Span<int> found = [-1, -1, -1];
        names.Find(s_anchors, found);
        if (found[0] >= 0)
            return (found[0], s_anchors[0], place.Stext);
        for (int i = 1; i < found.Length && isDamaged; i++)
        {
            if (found[i] >= 0 && info.Symbol(s_anchors[i]) is { } address)
                return (found[i], s_anchors[i], address);
        }

        return null;
    }

    private static KallsymsPlace? Locate(VmcoreInfo info, IVirtualMemory memory, out string? problem)
    {
        if (info.Symbol("_stext") is not { } stext)
        {
            problem = "vmcoreinfo lacks SYMBOL(_stext)";
            return null;
        }

        if (info.Symbol("kallsyms_names") is not { } names
            || info.Symbol("kallsyms_num_syms") is not { } numSyms
            || info.Symbol("kallsyms_token_table") is not { } tokenTable
            || info.Symbol("kallsyms_token_index") is not { } tokenIndex)
        {
            problem = "vmcoreinfo does not say where kallsyms is (kernel before 6.0, or built without it)";
            return null;
        }

        if (!memory.TryReadUInt32(numSyms, out uint count))
        {
            problem = $"kallsyms_num_syms at 0x{numSyms:x} cannot be read";
            return null;
        }

        if (count < MinCount || count > memory.Limits.Symbols)
        {
            problem = $"kallsyms_num_syms is {count}, expected {MinCount} to {memory.Limits.Symbols}";
            return null;
        }

        if (KallsymsTokens.TryRead(memory, tokenTable, tokenIndex, out problem) is not { } tokens)
            return null;

        // The linker puts the tokens behind the names in every kernel known; should that change, the walk has its own bound.
        return new(stext, names, tokenTable > names ? tokenTable - names : ulong.MaxValue, (int)count, tokens);
    }

    /// <summary>Finds a symbol by name; the first one if there are several. Costs a pass over all names: use <see cref="Find"/> for more than one.</summary>
    /// <param name="name">Name as in /proc/kallsyms.</param>
    /// <param name="address">Its address; 0 if there is none.</param>
    /// <returns>True if there is such a symbol.</returns>
    public bool TryFind(string name, out ulong address)
    {
        ulong? found = TryFindInImage(name) ?? ModuleSymbolsNamed(name).Select(s => (ulong?)s.Address).FirstOrDefault();
        address = found ?? 0;
        return found is not null;
    }

    /// <summary>All symbols of a name: those of the image, then those of modules.</summary>
    /// <param name="name">Name as in /proc/kallsyms.</param>
    public IEnumerable<KernelSymbol> FindAll(string name) => All().Where(s => s.Name == name).Concat(ModuleSymbolsNamed(name));

    /// <summary>The same symbols, with those of modules behind them.</summary>
    internal KernelSymbols With(Func<IModuleSymbols?> modules) => new(this, modules);

    /// <summary>Finds a symbol of the image by name.</summary>
    internal ulong? TryFindInImage(string name)
    {
        Span<int> index = [-1];
        _table.Find([name], index);
        return index[0] >= 0 ? _table.AddressOf(index[0]) : null;
    }

    /// <summary>Says why a symbol of the image is not found: one clause that blames the kernel only if nothing else can be the reason.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="option">What kernels without it were built without.</param>
    internal string Lacks(string name, string option = "CONFIG_KALLSYMS_ALL") =>
        _table.File is { } file ? $"{file} has no symbol {name}"
        : _placed is not null ? $"the symbol {name} is not among those that the dump has"
        : $"the kernel has no symbol {name} (built without {option})";

    /// <summary>Finds several symbols in one pass over all names.</summary>
    /// <param name="names">Names as in /proc/kallsyms.</param>
    /// <returns>For each name the address of the first symbol of that name; null if there is none.</returns>
    public ulong?[] Find(params ReadOnlySpan<string> names)
    {
        ulong?[] found = FindInImage(names);
        for (int i = 0; i < found.Length; i++)
            found[i] ??= ModuleSymbolsNamed(names[i]).Select(s => (ulong?)s.Address).FirstOrDefault();
        return found;
    }

    /// <summary>The same, of the image alone: for what is asked while the modules are read.</summary>
    internal ulong?[] FindInImage(params ReadOnlySpan<string> names)
    {
        int[] indexes = new int[names.Length];
        _table.Find(names, indexes);
        return Array.ConvertAll(indexes, i => i >= 0 ? _table.AddressOf(i) : (ulong?)null);
    }

    /// <summary>All symbols in the order of the table, which is that of /proc/kallsyms. Decoded one at a time.</summary>
    public IEnumerable<KernelSymbol> All() => _table.All();

    /// <summary>The same, and behind them those of modules.</summary>
    public IEnumerable<KernelSymbol> AllWithModules() => All().Concat(_modules.Value?.All() ?? []);

    /// <summary>Finds the symbol that an address belongs to: the nearest one at or below it. Per-cpu offsets and absolute values are no such symbols.</summary>
    /// <param name="address">Virtual address in the kernel's image.</param>
    /// <param name="symbol">The symbol; of several at the same address the first.</param>
    /// <param name="offset">Distance of <paramref name="address"/> from it in bytes.</param>
    /// <returns>False if the address lies before the first or behind the last symbol, or its symbol may be one that the dump does not have.</returns>
    public bool TryResolve(ulong address, out KernelSymbol symbol, out ulong offset) => TryResolve(address, out symbol, out offset, out _);

    /// <summary>Finds the symbol that an address belongs to, and how far it goes.</summary>
    /// <param name="address">Virtual address in the kernel's image or in a module.</param>
    /// <param name="symbol">The symbol; of several at the same address the first.</param>
    /// <param name="offset">Distance of <paramref name="address"/> from it in bytes.</param>
    /// <param name="size">Distance to the next symbol in bytes: kallsyms has no sizes; null behind the last one.</param>
    /// <returns>False if no symbol has the address.</returns>
    public bool TryResolve(ulong address, out KernelSymbol symbol, out ulong offset, out ulong? size)
    {
        symbol = default;
        offset = 0;
        size = null;
        if (_placed is not null)
            return TryResolveInPart(address, out symbol, out size, out offset) || TryResolveInModules(address, out symbol, ref offset, out size);
        int index = _ascending ? NearestAscending(address) : Nearest(address);
        if (index < 0)
            return TryResolveInModules(address, out symbol, ref offset, out size);

        KernelSymbol found = _table.At(index);
        if (found.Type is 'A' or 'a')
            return false;
        symbol = found;
        offset = address - found.Address;
        if (_ascending && LowerBound(address, orEqual: false) is var above && above < Count)
            size = _table.AddressOf(above) - found.Address;
        return true;
    }

    private IEnumerable<KernelSymbol> ModuleSymbolsNamed(string name) => _modules.Value?.Named(name) ?? [];

    // Where symbols are missing, the nearest one that is known may not be the nearest: then the address has no name, and never that of a neighbour.
    private bool TryResolveInPart(ulong address, out KernelSymbol symbol, out ulong? size, out ulong offset)
    {
        symbol = default;
        size = null;
        offset = 0;
        int[] placed = _placed!;
        int above = 0;
        for (int high = placed.Length; above < high;)
        {
            int middle = (above + high) >>> 1;
            if (_table.AddressOf(placed[middle]) <= address)
                above = middle + 1;
            else
                high = middle;
        }

        if (!_ascending || above == 0 || above == placed.Length)
            return false;
        ulong start = _table.AddressOf(placed[above - 1]);
        bool isNext = placed[above] == placed[above - 1] + 1;
        if (!isNext && address != start)
            return false;
        int first = above - 1;
        while (first > 0 && _table.AddressOf(placed[first - 1]) == start)
            first--;
        while (first < above && !_table.HasName(placed[first]))
            first++;
        if (first == above || _table.At(placed[first]) is not { Type: not ('A' or 'a') } found)
            return false;
        symbol = found;
        offset = address - start;
        size = isNext ? _table.AddressOf(placed[above]) - start : null;
        return true;
    }

    private bool TryResolveInModules(ulong address, out KernelSymbol symbol, ref ulong offset, out ulong? size)
    {
        symbol = default;
        size = null;
        if (_modules.Value is not { } modules || !modules.TryResolve(address, out symbol, out size))
            return false;
        offset = address - symbol.Address;
        return true;
    }

    private int NearestAscending(ulong address)
    {
        // Behind the last symbol there is no image: nothing there belongs to a symbol.
        if (address > _table.AddressOf(Count - 1))
            return -1;
        int above = LowerBound(address, orEqual: false);
        return above == 0 ? -1 : LowerBound(_table.AddressOf(above - 1), orEqual: true);
    }

    // Index of the first symbol above an address or, with orEqual, at or above it.
    private int LowerBound(ulong address, bool orEqual)
    {
        int low = 0, high = Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            ulong value = _table.AddressOf(middle);
            if (value < address || (value == address && !orEqual))
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private int Nearest(ulong address)
    {
        int best = -1;
        bool isInside = false;
        for (int i = 0; i < Count; i++)
        {
            ulong value = _table.AddressOf(i);
            isInside |= value >= address;
            if (value <= address && (best < 0 || value > _table.AddressOf(best)))
                best = i;
        }

        return isInside ? best : -1;
    }

    // Where the names are, and what decodes them.
    private sealed record KallsymsPlace(ulong Stext, ulong Names, ulong Limit, int Count, KallsymsTokens Tokens);
}
