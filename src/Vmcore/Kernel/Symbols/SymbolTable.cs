namespace Vmcore.Kernel.Symbols;

/// <summary>The symbols of a kernel's image by number, whatever they were read from.</summary>
internal interface ISymbolTable
{
    /// <summary>Number of symbols.</summary>
    int Count { get; }

    /// <summary>How the addresses are stored.</summary>
    KallsymsEncoding Encoding { get; }

    /// <summary>The vmlinux that the symbols were read from; null for those of the dump.</summary>
    string? File => null;

    /// <summary>True if the dump has a symbol's name. Without it or the address the symbol is not among <see cref="All"/>, and not found.</summary>
    bool HasName(int index) => true;

    /// <summary>True if the dump has a symbol's address.</summary>
    bool HasAddress(int index) => true;

    /// <summary>Run-time address of a symbol, which must have one.</summary>
    ulong AddressOf(int index);

    /// <summary>One symbol, which must have a name and an address.</summary>
    KernelSymbol At(int index);

    /// <summary>All symbols in their order.</summary>
    IEnumerable<KernelSymbol> All();

    /// <summary>Finds the first symbol of each name.</summary>
    /// <param name="names">The names.</param>
    /// <param name="indexes">Receives for each name the number of the symbol, or -1.</param>
    void Find(ReadOnlySpan<string> names, Span<int> indexes);
}

/// <summary>The kernel's own table (kallsyms).</summary>
internal sealed class KallsymsTable(KallsymsNames names, KallsymsAddresses addresses) : ISymbolTable
{
    public int Count => names.Count;

    public KallsymsEncoding Encoding => addresses.Encoding;

    public bool HasName(int index) => names.Knows(index);

    public bool HasAddress(int index) => addresses.Knows(index);

    public ulong AddressOf(int index) => addresses[index];

    public KernelSymbol At(int index)
    {
        int position = names.PositionOf(index);
        return Symbol(index, ref position, stackalloc byte[KallsymsNames.LongestRecord]);
    }

    public IEnumerable<KernelSymbol> All()
    {
        byte[] buffer = new byte[KallsymsNames.LongestRecord];
        int position = 0;
        for (int i = 0; names.Seek(ref i, ref position); i++)
        {
            KernelSymbol symbol = Symbol(i, ref position, buffer);
            if (addresses.Knows(i))
                yield return symbol;
        }
    }

    public void Find(ReadOnlySpan<string> wanted, Span<int> indexes)
    {
        names.Find(wanted, indexes);
        foreach (ref int index in indexes)
        {
            if (index >= 0 && !addresses.Knows(index))
                index = -1;
        }
    }

    private KernelSymbol Symbol(int index, ref int position, Span<byte> buffer)
    {
        Span<byte> text = buffer[..names.Decode(ref position, buffer)];
        foreach (ref byte b in text)
        {
            if (b is <= 0x20 or >= 0x7f)
                b = (byte)'?';
        }

        return new(addresses[index], (char)text[0], System.Text.Encoding.ASCII.GetString(text[1..]));
    }
}
