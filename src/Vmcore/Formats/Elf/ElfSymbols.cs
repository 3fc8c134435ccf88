using System.Buffers.Binary;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>A symbol of an ELF file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value: in a linked file an address.</param>
/// <param name="Section">Number of its section; 0xfff1 for an absolute value.</param>
/// <param name="IsGlobal">True for global and weak symbols, false for local ones.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct ElfSymbol(string Name, ulong Value, ushort Section, bool IsGlobal);

/// <summary>The symbols of an ELF file (.symtab). Immutable: safe for several threads at once.</summary>
/// <remarks>Holds the section's bytes and its strings: about 8 MB for a distribution's vmlinux.</remarks>
internal sealed class ElfSymbols
{
    private const int EntrySize = 24;
    private const int SectionType = 3;
    private const int FileType = 4;

    private readonly byte[] _entries;
    private readonly byte[] _strings;
    private readonly Lazy<Dictionary<ulong, int>> _index;

    private ElfSymbols(byte[] entries, byte[] strings)
    {
        _entries = entries;
        _strings = strings;
        _index = new(BuildIndex);
    }

    /// <summary>Number of symbols, the empty first one included.</summary>
    public int Count => _entries.Length / EntrySize;

    /// <summary>Reads the symbols of a file.</summary>
    /// <param name="file">The file.</param>
    /// <returns>The symbols; none if the file has no .symtab.</returns>
    /// <exception cref="DumpFormatException">The table is damaged.</exception>
    public static ElfSymbols Read(ElfObjectFile file)
    {
        ElfSection? table = file.Sections.FirstOrDefault(s => s.Type == ElfSection.TypeSymbols && s.HasBytes);
        if (table is null)
            return new([], []);
        if (table.Link >= (uint)file.Sections.Count)
            throw new DumpFormatException(file.Source.Name, table.Offset, "ELF symbol table sh_link",
                $"{table.Link}", $"a section below {file.Sections.Count}");
        ElfSection names = file.Sections[(int)table.Link];
        if (table.Size > file.Limits.SymbolTableBytes || names.Size > file.Limits.SymbolTableBytes || !names.HasBytes)
            throw new DumpFormatException(file.Source.Name, table.Offset, "ELF symbol table",
                $"{table.Size} bytes with {names.Size} bytes of names", $"at most {file.Limits.SymbolTableBytes} bytes");
        byte[] entries = new byte[table.Size - (table.Size % EntrySize)], strings = new byte[names.Size];
        file.Source.ReadExactly(table.Offset, entries, "ELF symbol table");
        file.Source.ReadExactly(names.Offset, strings, "ELF symbol names");
        return new(entries, strings);
    }

    /// <summary>The value of a symbol by number: what relocations are made of; 0 if there is none.</summary>
    public ulong ValueAt(uint number) => number < (uint)Count ? Value((int)number) : 0;

    /// <summary>Finds a symbol; of several a global one before local ones, then the first.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="address">Its value: a link-time address.</param>
    /// <returns>True if there is one.</returns>
    public bool TryFind(string name, out ulong address)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(name);
        bool found = _index.Value.TryGetValue(NameHash.Of(wanted), out int number) && NameOf(number).SequenceEqual(wanted);
        address = found ? Value(number) : 0;
        return found;
    }

    /// <summary>All symbols that are defined and have a name, those of sections and source files left out, in the order of the file.</summary>
    public IEnumerable<ElfSymbol> All()
    {
        for (int i = 0; i < Count; i++)
        {
            byte info = _entries[(i * EntrySize) + 4];
            ushort section = BinaryPrimitives.ReadUInt16LittleEndian(_entries.AsSpan((i * EntrySize) + 6));
            if (section == 0 || (info & 15) is SectionType or FileType || NameOf(i).IsEmpty)
                continue;
            yield return new(Encoding.UTF8.GetString(NameOf(i)), Value(i), section, info >> 4 != 0);
        }
    }

    private Dictionary<ulong, int> BuildIndex()
    {
        var index = new Dictionary<ulong, int>(Count);
        for (int i = 0; i < Count; i++)
        {
            byte info = _entries[(i * EntrySize) + 4];
            bool isDefined = BinaryPrimitives.ReadUInt16LittleEndian(_entries.AsSpan((i * EntrySize) + 6)) != 0;
            ReadOnlySpan<byte> name = NameOf(i);
            if (name.IsEmpty || !isDefined || (info & 15) is SectionType or FileType)
                continue;
            ulong hash = NameHash.Of(name);
            if (!index.TryAdd(hash, i) && info >> 4 != 0 && _entries[(index[hash] * EntrySize) + 4] >> 4 == 0)
                index[hash] = i;
        }

        return index;
    }

    private ulong Value(int number) => BinaryPrimitives.ReadUInt64LittleEndian(_entries.AsSpan((number * EntrySize) + 8));

    private ReadOnlySpan<byte> NameOf(int number)
    {
        uint at = BinaryPrimitives.ReadUInt32LittleEndian(_entries.AsSpan(number * EntrySize));
        if (at >= (uint)_strings.Length)
            return default;
        ReadOnlySpan<byte> rest = _strings.AsSpan((int)at);
        rest = rest[..Math.Min(rest.Length, 1024)];
        int nul = rest.IndexOf((byte)0);
        return nul >= 0 ? rest[..nul] : default;
    }
}
