using System.Runtime.InteropServices;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>The symbols of a vmlinux (.symtab) where the kernel ran, in the order of their addresses.</summary>
internal sealed class VmlinuxSymbolTable : ISymbolTable
{
    private readonly KernelSymbol[] _symbols;
    private readonly Dictionary<string, int> _index;

    private VmlinuxSymbolTable(KernelSymbol[] symbols, string file)
    {
        File = file;
        _symbols = symbols;
        _index = new(symbols.Length, StringComparer.Ordinal);

        // Of several symbols of one name the global one counts, then the first.
        for (int i = 0; i < symbols.Length; i++)
        {
            ref int first = ref CollectionsMarshal.GetValueRefOrAddDefault(_index, symbols[i].Name, out bool exists);
            if (!exists || (char.IsUpper(symbols[i].Type) && !char.IsUpper(symbols[first].Type)))
                first = i;
        }
    }

    public int Count => _symbols.Length;

    public string? File { get; }

    public KallsymsEncoding Encoding => KallsymsEncoding.Absolute;

    /// <summary>Takes the symbols of a vmlinux.</summary>
    /// <param name="vmlinux">The kernel's image, or the file of its debug information.</param>
    /// <param name="info">Says where the kernel ran (<c>_stext</c>).</param>
    /// <param name="problem">One clause for the operator on why there are no symbols; null if there are.</param>
    /// <returns>The symbols at their run-time addresses; null if it is not known by how much the kernel was moved.</returns>
    internal static KernelSymbols? TryLoad(VmlinuxFile vmlinux, VmcoreInfo info, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(vmlinux);
        ArgumentNullException.ThrowIfNull(info);
        if (info.Symbol("_stext") is not { } running || vmlinux.Find("_stext") is not { } linked)
        {
            problem = "vmcoreinfo lacks SYMBOL(_stext), so that it is not known where the kernel of the vmlinux ran";
            return null;
        }

        problem = null;
        return KernelSymbols.Of(Create(vmlinux, unchecked(running - linked)));
    }

    /// <summary>Reads the symbols.</summary>
    /// <param name="vmlinux">The file.</param>
    /// <param name="offset">What is added to link-time addresses, modulo 2^64.</param>
    internal static VmlinuxSymbolTable Create(VmlinuxFile vmlinux, ulong offset)
    {
        // Below are offsets of per-cpu variables and absolute values, which do not move with the kernel.
        ulong lowest = Architectures.Architecture.Of(vmlinux.Machine, "")?.LowestKernelAddress ?? ulong.MaxValue;
        List<KernelSymbol> symbols = [];
        foreach (ElfSymbol symbol in vmlinux.Symbols.All())
        {
            if (symbols.Count == vmlinux.Limits.VmlinuxSymbols)
                break;
            bool moves = symbol.Value >= lowest;
            char type = moves ? Letter(vmlinux.Sections, symbol) : 'A';
            symbols.Add(new(moves ? unchecked(symbol.Value + offset) : symbol.Value, type, Clean(symbol.Name)));
        }

        // OrderBy keeps the file's order among equals.
        return new([.. symbols.OrderBy(s => s.Address)], vmlinux.Path);
    }

    public ulong AddressOf(int index) => _symbols[index].Address;

    public KernelSymbol At(int index) => _symbols[index];

    public IEnumerable<KernelSymbol> All() => _symbols;

    public void Find(ReadOnlySpan<string> names, Span<int> indexes)
    {
        for (int i = 0; i < names.Length; i++)
            indexes[i] = _index.GetValueOrDefault(names[i], -1);
    }

    // As nm has it: text, read-only data, data, bss; small for local symbols.
    private static char Letter(IReadOnlyList<ElfSection> sections, ElfSymbol symbol)
    {
        const ulong Write = 1, Execute = 4;
        char letter = symbol.Section >= sections.Count ? 'A'
            : sections[symbol.Section] is var section && (section.Flags & Execute) != 0 ? 'T'
            : (section.Flags & Write) == 0 ? 'R'
            : section.Type == ElfSection.TypeNoBits ? 'B' : 'D';
        return symbol.IsGlobal ? letter : char.ToLowerInvariant(letter);
    }

    private static string Clean(string name) =>
        name.All(c => c is > ' ' and < (char)0x7f) ? name : string.Concat(name.Select(c => c is > ' ' and < (char)0x7f ? c : '?'));
}
