using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Modules;

/// <summary>The symbols of one module, from the ELF symbol table that the kernel keeps for kallsyms.</summary>
internal sealed class ModuleSymbols
{
    private const int SymbolSize = 24;
    private const int NameBytes = 511;

    private readonly string _module;
    private readonly ulong[] _addresses;
    private readonly KernelSymbol[] _symbols;

    private ModuleSymbols(string module, KernelSymbol[] symbols, bool isComplete)
    {
        IsComplete = isComplete;
        _module = module;
        _symbols = symbols;
        _addresses = Array.ConvertAll(symbols, s => s.Address);
    }

    /// <summary>False if symbols are missing: their table or their names are not in the dump.</summary>
    internal bool IsComplete { get; }

    /// <summary>All symbols by address.</summary>
    internal IReadOnlyList<KernelSymbol> All => _symbols;

    /// <summary>Reads the symbols; none if they are not in the dump.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="module">The <c>struct module</c>.</param>
    /// <param name="name">The module's name.</param>
    /// <param name="ranges">Where the module is: symbols elsewhere do not count.</param>
    internal static ModuleSymbols Load(IVirtualMemory memory, KernelObject module, string name, IReadOnlyList<VirtualRange> ranges)
    {
        try
        {
            KernelObject table = module.Member("kallsyms").Dereference();
            int count = (int)Math.Min(table.Member("num_symtab").AsUInt64(), (ulong)memory.Limits.ModuleSymbols);
            ulong strings = table.Member("strtab").AsUInt64();
            byte[] bytes = new byte[count * SymbolSize];
            int have = memory.ReadPrefix(table.Member("symtab").AsUInt64(), bytes) / SymbolSize;
            byte[] types = new byte[have];
            if (table.Type.FindMember("typetab") is null || memory.Read(table.Member("typetab").AsUInt64(), types) != MemoryStatus.Ok)
                types.AsSpan().Fill((byte)'?');
            List<KernelSymbol> found = [], empty = [];
            bool isComplete = have == count;
            for (int i = 0; i < have; i++)
            {
                ReadOnlySpan<byte> symbol = bytes.AsSpan(i * SymbolSize, SymbolSize);
                ulong address = BinaryPrimitives.ReadUInt64LittleEndian(symbol[8..]);
                bool defined = BinaryPrimitives.ReadUInt16LittleEndian(symbol[6..]) != 0;
                if (!defined || !ranges.Any(r => r.Contains(address)))
                    continue;
                ulong at = strings + BinaryPrimitives.ReadUInt32LittleEndian(symbol);
                if (ReadName(memory, at) is { Length: > 0 } text)
                    (IsEmpty(symbol) ? empty : found).Add(new(address, types[i] is > 0x20 and < 0x7f ? (char)types[i] : '?', text, name));
                else
                    isComplete &= memory.TryReadByte(at, out _);
            }

            // Of several at one address the first counts.
            found.AddRange(empty);
            return new(name, [.. found.OrderBy(s => s.Address)], isComplete);
        }
        catch (KernelObjectException)
        {
            return new(name, [], isComplete: false);
        }
    }

    /// <summary>The nearest symbol at or below an address.</summary>
    internal KernelSymbol? Nearest(ulong address, out ulong? next)
    {
        int index = Array.BinarySearch(_addresses, address);
        index = index >= 0 ? index : ~index - 1;
        int above = index + 1;
        while (above > 0 && above < _addresses.Length && _addresses[above] <= address)
            above++;
        next = above < _addresses.Length ? _addresses[above] : null;
        if (index < 0)
            return null;
        while (index > 0 && _addresses[index - 1] == _addresses[index])
            index--;
        return _symbols[index];
    }

    /// <inheritdoc/>
    public override string ToString() => $"{_module}: {_symbols.Length} symbols";

    // Without lockdep its keys (__key.12) take no room: they lie where another variable does, and an address there is that variable's. st_size says so.
    private static bool IsEmpty(ReadOnlySpan<byte> symbol) => BinaryPrimitives.ReadUInt64LittleEndian(symbol[16..]) == 0;

    private static string? ReadName(IVirtualMemory memory, ulong address)
    {
        Span<byte> buffer = stackalloc byte[NameBytes + 1];
        ReadOnlySpan<byte> text = buffer[..memory.ReadPrefix(address, buffer)];
        int nul = text.IndexOf((byte)0);
        if (nul <= 0)
            return null;
        foreach (byte b in text[..nul])
        {
            if (b is <= 0x20 or >= 0x7f)
                return null;
        }

        return Encoding.ASCII.GetString(text[..nul]);
    }
}
