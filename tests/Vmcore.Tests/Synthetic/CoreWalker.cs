using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>A small reader of vmcores for the tests of the generator: it knows nothing of the machine but the file.</summary>
internal sealed class CoreWalker
{
    private readonly CoreImage _core;
    private readonly List<(ulong Physical, ulong Size, ulong Offset)> _loads = [];

    public CoreWalker(CoreImage core)
    {
        _core = core;
        ulong at = Word(32);
        ulong count = Half(56);
        if (count == 0xffff)
            count = (uint)Word(Word(40) + 44);
        for (ulong i = 0; i < count; i++, at += 56)
        {
            if ((uint)Word(at) == 1)
                _loads.Add((Word(at + 24), Word(at + 32), Word(at + 8)));
            else
                ReadNotes(Word(at + 8), Word(at + 32));
        }

        ProgramHeaders = count;
    }

    public ulong ProgramHeaders { get; }

    public int Cpus { get; private set; }

    public Dictionary<string, string> Info { get; } = [];

    public ulong Hex(string key) => ulong.Parse(Info[key], NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public long Number(string key) => long.Parse(Info[key], CultureInfo.InvariantCulture);

    public ulong Half(ulong offset) => Word(offset) & 0xffff;

    public byte[]? ReadPhysical(ulong address, int count)
    {
        foreach ((ulong physical, ulong size, ulong offset) in _loads)
        {
            if (address < physical || address + (ulong)count > physical + size)
                continue;
            byte[] bytes = new byte[count];
            Assert.Equal(count, _core.Read((long)(offset + address - physical), bytes));
            return bytes;
        }

        return null;
    }

    public ulong PhysicalWord(ulong address) =>
        BinaryPrimitives.ReadUInt64LittleEndian(ReadPhysical(address, 8) ?? throw new InvalidDataException($"0x{address:x} is not in the core."));

    /// <summary>Walks the page tables.</summary>
    public ulong? Walk(ulong va) => Walk(va, out _);

    /// <summary>Physical address of the entry that maps an address.</summary>
    public ulong LeafEntry(ulong va)
    {
        Assert.NotNull(Walk(va, out ulong entry));
        return entry;
    }

    private ulong? Walk(ulong va, out ulong slot)
    {
        slot = 0;
        ulong sme = Info.ContainsKey("NUMBER(sme_mask)") ? (ulong)Number("NUMBER(sme_mask)") : 0;
        ulong mask = 0x000ffffffffff000 & ~sme;
        ulong table = Hex("SYMBOL(init_top_pgt)") - 0xffffffff80000000 + (ulong)Number("NUMBER(phys_base)");
        for (int level = Number("NUMBER(pgtable_l5_enabled)") == 1 ? 4 : 3; level >= 0; level--)
        {
            int shift = 12 + (9 * level);
            slot = table + ((va >> shift & 511) * 8);
            ulong entry = PhysicalWord(slot);
            if ((entry & 1) == 0)
                return null;
            Assert.Equal(sme, entry & sme);
            ulong inLeaf = (1ul << shift) - 1;
            if (level == 0 || (level < 3 && (entry & 0x80) != 0))
                return (entry & mask & ~inLeaf) | (va & inLeaf);
            table = entry & mask;
        }

        return null;
    }

    public ulong VirtualWord(ulong va) => PhysicalWord(Walk(va) ?? throw new InvalidDataException($"0x{va:x} is not mapped."));

    /// <summary>The word of section_mem_map of a pfn, 0 if there is none.</summary>
    public ulong SectionWord(ulong pfn)
    {
        ulong size = (ulong)Number("SIZE(mem_section)");
        ulong perRoot = 4096 / size;
        ulong root = VirtualWord(Hex("SYMBOL(mem_section)") + ((pfn >> 15) / perRoot * 8));
        return root == 0 ? 0 : VirtualWord(root + ((pfn >> 15) % perRoot * size));
    }

    /// <summary>Address of the struct page.</summary>
    public ulong PageAddress(ulong pfn) => (SectionWord(pfn) & ~0x3ful) + (pfn * (ulong)Number("SIZE(page)"));

    /// <summary>A word of the struct page.</summary>
    public ulong PageWord(ulong pfn, ulong offset) => VirtualWord(PageAddress(pfn) + offset);

    public int MapCount(ulong pfn) => (int)(uint)PageWord(pfn, 48);

    private ulong Word(ulong offset)
    {
        byte[] bytes = new byte[8];
        _core.Read((long)offset, bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private void ReadNotes(ulong offset, ulong size)
    {
        for (ulong at = offset; at < offset + size;)
        {
            ulong name = (uint)Word(at), description = (uint)Word(at + 4), type = (uint)Word(at + 8);
            ulong nameAt = at + 12, descriptionAt = nameAt + ((name + 3) & ~3ul);
            byte[] text = new byte[name];
            _core.Read((long)nameAt, text);
            switch (Encoding.ASCII.GetString(text))
            {
                case "CORE\0" when type == 1 && description == 336:
                    Cpus++;
                    break;
                case "VMCOREINFO\0":
                    byte[] info = new byte[description];
                    _core.Read((long)descriptionAt, info);
                    foreach (string line in Encoding.ASCII.GetString(info).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                        Info.TryAdd(line[..line.IndexOf('=', StringComparison.Ordinal)], line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..]);
                    break;
            }

            at = descriptionAt + ((description + 3) & ~3ul);
        }
    }
}
