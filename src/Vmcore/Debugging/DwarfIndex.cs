using System.Runtime.InteropServices;
using Vmcore.Formats.Elf;
using Vmcore.IO;

namespace Vmcore.Debugging;

/// <summary>What an entry of the index is.</summary>
internal enum DwarfKind
{
    Composite = 1,
    Typedef = 2,
    Enumeration = 3,
    Variable = 4,
    Declaration = 5,
    Enumerator = 6,
}

/// <summary>
/// Where each name is defined: built in one pass over the outermost entries of every unit. A vmlinux repeats its types in some thousand units; here
/// each is once, so that the index of half a gigabyte takes a few megabytes.
/// </summary>
internal sealed class DwarfIndex
{
    private readonly ReadLimits _limits;
    private readonly Dictionary<ulong, int> _heads = [];
    private readonly List<Item> _items = [];
    private readonly List<long> _units = [];
    private readonly Dictionary<ulong, long> _signatures = [];
    private readonly HashSet<ulong> _anonymous = [];

    private DwarfIndex(ReadLimits limits) => _limits = limits;

    /// <summary>Offsets of the units, ascending.</summary>
    internal IReadOnlyList<long> Units => _units;

    /// <summary>Number of names.</summary>
    internal int Count => _items.Count;

    /// <summary>What was wrong with the first unit that could not be read; null if all could.</summary>
    internal string? Problem { get; private set; }

    /// <summary>True if a part is in another file: dwz, or split DWARF.</summary>
    internal bool NeedsOtherFile { get; private set; }

    /// <summary>Builds the index.</summary>
    internal static DwarfIndex Build(DwarfSections sections)
    {
        var index = new DwarfIndex(sections.Limits);
        byte[] buffer = [];
        for (long at = 0; at < sections.Info.Length;)
        {
            long length = 0;
            try
            {
                if (index._units.Count == index._limits.DwarfUnits)
                    throw new DwarfException($"there are more than {index._limits.DwarfUnits} units");
                DwarfUnitHeader header = sections.ReadHeader(at, out length);
                index._units.Add(at);
                index.NeedsOtherFile |= header.IsSkeleton;
                if (length > DebugSection.ArrayBytes)
                    throw new DwarfException($"a unit of {length} bytes is larger than can be held in memory");
                if (buffer.Length < length)
                    buffer = GC.AllocateUninitializedArray<byte>((int)Math.Max(length, Math.Min(1 << 20, sections.Info.Length)));
                sections.Info.Read(at, buffer.AsSpan(0, (int)length));
                index.Add(sections, header, buffer);
            }
            catch (DwarfException e)
            {
                index.Problem ??= $".debug_info: unit at 0x{at:x}: {e.Message}";
                if (length == 0 || index._items.Count >= index._limits.DwarfItems || index._units.Count >= index._limits.DwarfUnits)
                    break;
            }

            at += length;
        }

        return index;
    }

    /// <summary>Offsets in .debug_info of the entries that may be of a name, in the order of the file; the caller compares the name.</summary>
    internal IEnumerable<(long Offset, ulong? Address)> Find(DwarfKind kind, byte[] name)
    {
        int at = _heads.GetValueOrDefault(Key(kind, name), -1);
        for (; at >= 0; at = _items[at].Next)
            yield return (_items[at].Offset, _items[at].HasAddress ? _items[at].Value : null);
    }

    /// <summary>Offset of the type with a signature, from a type unit.</summary>
    internal long? FindSignature(ulong signature) => _signatures.TryGetValue(signature, out long offset) ? offset : null;

    /// <summary>Offset of the unit that an offset lies in.</summary>
    internal long? UnitOf(long offset)
    {
        int at = _units.BinarySearch(offset);
        return at >= 0 ? _units[at] : ~at > 0 ? _units[~at - 1] : null;
    }

    private static ulong Key(DwarfKind kind, ReadOnlySpan<byte> name) => NameHash.Of(name) + ((ulong)kind * 0x9E3779B97F4A7C15);

    private void Add(DwarfSections sections, DwarfUnitHeader header, byte[] buffer)
    {
        var entry = new DwarfEntry();
        var unit = new DwarfUnit(sections, header, buffer, sections.AbbreviationsOf(header), entry);
        if (header.Signature != 0 && header.TypeOffset < (ulong)header.Length)
            _signatures.TryAdd(header.Signature, header.Start + (long)header.TypeOffset);
        if (!entry.HasChildren)
            return;
        int at = entry.End;
        while (at < header.Length)
        {
            var cursor = new DwarfCursor(unit.Bytes, at);
            ulong code = cursor.Uleb();
            if (code == 0)
                return;
            DwarfAbbreviation abbreviation = unit.Abbreviations[code] ?? throw new DwarfException($"abbreviation {code} is not defined");
            bool isWanted = IsIndexed(abbreviation.Tag);
            if (!isWanted && !abbreviation.HasChildren)
            {
                unit.SkipAttributes(ref cursor, abbreviation);
                at = cursor.At;
                continue;
            }

            entry.Read(unit, at);
            int next = abbreviation.Tag == DwarfTag.EnumerationType ? AddEnumeration(unit, entry) : isWanted ? AddEntry(unit, entry) : 0;
            at = next > 0 ? next : unit.SkipChildren(entry);
        }
    }

    private static bool IsIndexed(ushort tag) => tag is DwarfTag.StructureType or DwarfTag.UnionType or DwarfTag.ClassType
        or DwarfTag.Typedef or DwarfTag.EnumerationType or DwarfTag.Variable;

    // Returns 0: the caller skips the children.
    private int AddEntry(DwarfUnit unit, DwarfEntry entry)
    {
        NeedsOtherFile |= entry.NeedsOtherFile;
        long offset = unit.Header.Start + entry.Offset;
        ReadOnlySpan<byte> name = unit.TextOf(entry.Name);
        if (entry.Tag == DwarfTag.Variable)
        {
            if (name.IsEmpty && entry.Specification is { } declaration)
                name = NameOfDeclaration(unit, declaration);
            if (!name.IsEmpty)
                Add(entry.IsDeclaration ? DwarfKind.Declaration : DwarfKind.Variable, name, offset, entry.Address ?? 0, entry.Address is not null);
            return 0;
        }

        if (!name.IsEmpty && !entry.IsDeclaration)
            Add(entry.Tag == DwarfTag.Typedef ? DwarfKind.Typedef : DwarfKind.Composite, name, offset, (ulong)(entry.ByteSize ?? 0), false);
        return 0;
    }

    private static ReadOnlySpan<byte> NameOfDeclaration(DwarfUnit unit, long declaration)
    {
        long at = declaration - unit.Header.Start;
        if (at < unit.Header.HeaderSize || at >= unit.Header.Length)
            return default;
        var other = new DwarfEntry();
        other.Read(unit, (int)at);
        return unit.TextOf(other.Name);
    }

    private int AddEnumeration(DwarfUnit unit, DwarfEntry entry)
    {
        long offset = unit.Header.Start + entry.Offset;
        ReadOnlySpan<byte> name = unit.TextOf(entry.Name);
        if (entry.IsDeclaration || !entry.HasChildren || (!name.IsEmpty && !Add(DwarfKind.Enumeration, name, offset, (ulong)(entry.ByteSize ?? 0), false)))
            return 0;
        bool isAnonymous = name.IsEmpty;
        int sibling = entry.Sibling, size = sibling - entry.Offset;
        var child = new DwarfEntry();
        for (int at = entry.End; at < unit.Header.Length;)
        {
            child.Read(unit, at);
            if (child.Tag == 0)
                return child.End;
            ReadOnlySpan<byte> value = unit.TextOf(child.Name);
            if (isAnonymous && at == entry.End && sibling > 0 && !_anonymous.Add(NameHash.Of(value) ^ (ulong)size))
                return 0; // The same one again, from the same header file.
            if (child.Tag == DwarfTag.Enumerator && !value.IsEmpty)
                Add(DwarfKind.Enumerator, value, offset, (ulong)(child.Constant ?? 0), false);
            at = unit.SkipChildren(child);
        }

        return (int)unit.Header.Length;
    }

    // False if the same is there already.
    private bool Add(DwarfKind kind, ReadOnlySpan<byte> name, long offset, ulong value, bool hasAddress)
    {
        ref int head = ref CollectionsMarshal.GetValueRefOrAddDefault(_heads, Key(kind, name), out bool exists);
        if (!exists)
            head = -1;
        int last = -1, count = 0;
        for (int at = head; at >= 0; at = _items[at].Next, count++)
        {
            // Of variables with no address one is enough: it gives the type.
            if (_items[at].Value == value && _items[at].HasAddress == hasAddress)
                return false;
            last = at;
        }

        if (count >= _limits.DwarfNamesakes)
            return false;
        if (_items.Count >= _limits.DwarfItems)
            throw new DwarfException($"there are more than {_limits.DwarfItems} names");
        _items.Add(new(offset, value, hasAddress, -1));
        if (last < 0)
            head = _items.Count - 1;
        else
            CollectionsMarshal.AsSpan(_items)[last].Next = _items.Count - 1;
        return true;
    }

    [StructLayout(LayoutKind.Auto)]
    private record struct Item(long Offset, ulong Value, bool HasAddress, int Next);
}
