using Vmcore.Kernel.Symbols;

namespace Vmcore.Tests.Kernel;

/// <summary>A kernel that has these symbols and no others.</summary>
internal sealed class NamedSymbols(Dictionary<string, ulong> names) : ISymbolTable
{
    private readonly string[] _all = [.. names.Keys];

    public int Count => _all.Length;

    public KallsymsEncoding Encoding => default;

    public ulong AddressOf(int index) => names[_all[index]];

    public KernelSymbol At(int index) => new(AddressOf(index), 'D', _all[index]);

    public IEnumerable<KernelSymbol> All() => Enumerable.Range(0, Count).Select(At);

    public void Find(ReadOnlySpan<string> wanted, Span<int> indexes)
    {
        for (int i = 0; i < wanted.Length; i++)
            indexes[i] = Array.IndexOf(_all, wanted[i]);
    }
}
