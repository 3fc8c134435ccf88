namespace Vmcore.Kernel.Symbols;

/// <summary>The symbols of the modules that were loaded, behind those of the kernel's image.</summary>
internal interface IModuleSymbols
{
    /// <summary>All symbols, in the order of the modules.</summary>
    IEnumerable<KernelSymbol> All();

    /// <summary>All symbols of a name, in the order of the modules.</summary>
    /// <param name="name">Name as in /proc/kallsyms, without the module's.</param>
    IEnumerable<KernelSymbol> Named(string name);

    /// <summary>Finds the symbol that an address in a module belongs to: the nearest one at or below it in the same part of the module.</summary>
    /// <param name="address">Virtual address.</param>
    /// <param name="symbol">The symbol.</param>
    /// <param name="size">Bytes from it to the next symbol, or to the end of that part.</param>
    /// <returns>False if the address is in no module, or before its first symbol.</returns>
    bool TryResolve(ulong address, out KernelSymbol symbol, out ulong? size);
}
