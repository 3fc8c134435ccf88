using System.Buffers.Binary;

namespace Vmcore.Testing;

/// <summary>The fields of one <c>struct page</c>.</summary>
internal struct PageImage
{
    public ulong Flags, Word8, Word16, Mapping, Index, Private;
    public uint MapCount;
    public int RefCount;

    /// <summary>A page in use by the kernel that carries no mark.</summary>
    public static PageImage InUse(ulong flags) => new() { Flags = flags, MapCount = uint.MaxValue, RefCount = 1 };
}

/// <summary>Encodes struct pages as an era does and puts them where the memory model says.</summary>
internal sealed class StructPageWriter(PhysicalStore memory, MachineOptions options, Func<ulong, ulong> addressOf, Func<ulong, ulong?> translate)
{
    private const ulong TailMapping = 0xdead000000000400;

    private readonly EraProfile _era = EraProfile.Of(options.Era);
    private readonly byte[] _buffer = new byte[options.StructPageSize];

    public int Size => options.StructPageSize;

    /// <summary>Zone and node (and section, without vmemmap) in the top bits of the flags.</summary>
    public ulong ZoneFlags(ulong pfn, bool device)
    {
        ulong zone = device ? 4ul : pfn < 0x1000 ? 0 : pfn < 0x100000 ? 1ul : 2;
        int sections = options.MemoryModel is SyntheticMemoryModel.SparseExtremeNoVmemmap or SyntheticMemoryModel.SparseStatic ? options.PhysmemBits() - 27 : 0;
        ulong flags = zone << (64 - sections - options.NodesShift - 3);
        return sections == 0 ? flags : flags | ((pfn >> 15) << (64 - sections));
    }

    /// <summary>Writes one record; a part without backing memory is lost silently, as a partly mapped memmap wants.</summary>
    public void Write(ulong pfn, PageImage page)
    {
        Span<byte> b = _buffer;
        b.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(b, page.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(b[8..], page.Word8);
        BinaryPrimitives.WriteUInt64LittleEndian(b[16..], page.Word16);
        BinaryPrimitives.WriteUInt64LittleEndian(b[24..], page.Mapping);
        BinaryPrimitives.WriteUInt64LittleEndian(b[32..], page.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(b[40..], page.Private);
        BinaryPrimitives.WriteUInt32LittleEndian(b[48..], page.MapCount);
        BinaryPrimitives.WriteInt32LittleEndian(b[52..], page.RefCount);
        WriteRaw(pfn, b);
    }

    /// <summary>Writes any bytes as a record.</summary>
    public void WriteRaw(ulong pfn, ReadOnlySpan<byte> record)
    {
        ulong va = addressOf(pfn);
        while (!record.IsEmpty)
        {
            int step = Math.Min(record.Length, 4096 - (int)(va & 4095));
            if (translate(va) is { } pa)
                memory.Write(pa, record[..step]);
            record = record[step..];
            va += (ulong)step;
        }
    }

    /// <summary>Writes head and tails of a compound page.</summary>
    public void WriteCompound(ulong head, int order, PageImage headImage, bool hugetlb, bool device = false)
    {
        PageImage first = headImage;
        if (order > 0)
            first.Flags |= 1ul << _era.Head;
        Write(head, first);
        for (ulong i = 1; i < 1ul << order; i++)
        {
            var tail = new PageImage
            {
                Flags = ZoneFlags(head + i, device),
                Word8 = TailLink(head, order),
                Mapping = TailMapping,
                MapCount = uint.MaxValue,
            };
            if (device)
                tail.Flags |= 1ul << _era.Reserved;
            if (i == 1)
                DescribeOrder(ref tail, order, hugetlb);
            Write(head + i, tail);
        }
    }

    private ulong TailLink(ulong head, int order) =>
        options.CompoundInfoMask
            ? ~(((ulong)Size << order) - 1) | 1
            : addressOf(head) | 1;

    private void DescribeOrder(ref PageImage tail, int order, bool hugetlb)
    {
        tail.Mapping = 0;
        if (_era.OrderInBytes)
        {
            // Destructors: 1 compound, 2 hugetlb.
            tail.Word16 = (hugetlb ? 2ul : 1ul) | ((ulong)order << 8);
            return;
        }

        tail.Flags |= (uint)order;
        if (hugetlb && _era.HugetlbBit >= 0)
            tail.Flags |= 1ul << _era.HugetlbBit;
    }
}
