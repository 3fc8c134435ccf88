namespace Vmcore.Kdump.Modules;

/// <summary>Modules in an order in which they can be loaded: each behind those that it needs.</summary>
internal sealed class ModuleSet
{
    private readonly ModuleIndex? _index;
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    /// <summary>Creates an empty set.</summary>
    /// <param name="index">The kernel's modules; null if it has none.</param>
    internal ModuleSet(ModuleIndex? index) => _index = index;

    /// <summary>Names, in the order of loading.</summary>
    internal IReadOnlyList<string> Order => _order;

    /// <summary>Adds a module, what it needs and what it wants.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>False if the kernel has no such module, neither as a file nor built in.</returns>
    internal bool Add(string name)
    {
        if (_index is null)
            return false;
        if (_index.PathOf(name) is not { } path)
            return _index.IsBuiltIn(name);
        name = ModuleIndex.NameOf(path);
        if (!_seen.Add(name))
            return true;
        foreach (string need in _index.NeedsOf(name))
            Add(need);
        foreach (string wish in _index.WishesOf(name))
        {
            // An algorithm has several modules; which of them the CPU can use, they know themselves.
            if (!Add(wish))
                AddAlias(wish);
        }

        _order.Add(name);
        return true;
    }

    /// <summary>Adds every module whose alias fits.</summary>
    /// <returns>False if there is none.</returns>
    internal bool AddAlias(string alias)
    {
        bool isFound = false;
        foreach (string name in _index is null ? [] : _index.ByAlias(alias))
            isFound |= Add(name);
        return isFound;
    }
}
