using Vmcore.Findings;
using Vmcore.Kernel.Types;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Modules;

/// <summary>A module that was loaded when the kernel crashed.</summary>
public sealed class KernelModule
{
    private readonly Lazy<ModuleSymbols> _symbols;

    internal KernelModule(string name, KernelObject item, IReadOnlyList<VirtualRange> ranges, Func<ModuleSymbols> symbols)
    {
        Name = name;
        Object = item;
        Ranges = ranges;
        _symbols = new(symbols);
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its <c>struct module</c>.</summary>
    public KernelObject Object { get; }

    /// <summary>Where its code and data are; while it loads with what is freed after its start.</summary>
    public IReadOnlyList<VirtualRange> Ranges { get; }

    /// <summary>Those of its code.</summary>
    internal IReadOnlyList<VirtualRange> CodeRanges { get; init; } = [];

    /// <summary>Bytes of code and data, as lsmod shows.</summary>
    public ulong Size => Ranges.Aggregate(0UL, (sum, range) => sum + range.Length);

    /// <summary><c>Live</c>, <c>Loading</c> or <c>Unloading</c>, as in /proc/modules.</summary>
    public string State { get; init; } = "Live";

    /// <summary>Why the module taints the kernel, as letters: <c>OE</c>; empty if it does not.</summary>
    public string Taints { get; init; } = "";

    /// <summary>Number of users, as lsmod shows; null if it is not known.</summary>
    public int? References { get; init; }

    /// <summary>The modules that use it.</summary>
    public IReadOnlyList<string> UsedBy { get; init; } = [];

    /// <summary>Why <see cref="UsedBy"/> may lack some, as one clause; null if it is whole.</summary>
    public Finding? UsersProblem { get; init; }

    /// <summary>False if symbols of it are not in the dump. They are read when this is first asked for.</summary>
    public bool SymbolsAreComplete => Symbols.IsComplete;

    /// <summary>Its symbols. Read when first asked for.</summary>
    internal ModuleSymbols Symbols => _symbols.Value;
}
