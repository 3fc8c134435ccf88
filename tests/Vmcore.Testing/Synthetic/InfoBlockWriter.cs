using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Testing;

/// <summary>Writes the info block of an fsdax or devdax namespace.</summary>
public static class InfoBlockWriter
{
    /// <summary>The 4096 bytes at namespace + 4096.</summary>
    public static byte[] Create(SyntheticNamespace space, int structPageSize)
    {
        PmemNamespaceOptions o = space.Options;
        byte[] block = new byte[4096];
        Span<byte> b = block;
        Encoding.ASCII.GetBytes(o.Mode == SyntheticPmemMode.DevDax ? "NVDIMM_DAX_INFO" : "NVDIMM_PFN_INFO").CopyTo(b);
        Uuid(space.Start, 1).CopyTo(b[16..]);
        Uuid(space.Start, 2).CopyTo(b[32..]);
        BinaryPrimitives.WriteUInt16LittleEndian(b[52..], 1);
        BinaryPrimitives.WriteUInt16LittleEndian(b[54..], o.MinorVersion);
        BinaryPrimitives.WriteUInt64LittleEndian(b[56..], space.DataOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(b[64..], space.DataPages);
        BinaryPrimitives.WriteUInt32LittleEndian(b[72..], o.Map == SyntheticPmemMap.Dev ? 2u : 1u);
        if (o.MinorVersion >= 1)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(b[76..], o.StartPad);
            BinaryPrimitives.WriteUInt32LittleEndian(b[80..], o.EndTrunc);
        }

        if (o.MinorVersion >= 2)
            BinaryPrimitives.WriteUInt32LittleEndian(b[84..], o.Align);
        if (o.MinorVersion >= 4)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(b[88..], 4096);
            BinaryPrimitives.WriteUInt16LittleEndian(b[92..], (ushort)Math.Max(64, structPageSize));
        }

        BinaryPrimitives.WriteUInt64LittleEndian(b[4088..], Fletcher64(b));
        return block;
    }

    /// <summary>The checksum of a block whose checksum field is zero.</summary>
    public static ulong Fletcher64(ReadOnlySpan<byte> block)
    {
        uint low = 0;
        ulong high = 0;
        for (int i = 0; i < block.Length; i += 4)
        {
            low += BinaryPrimitives.ReadUInt32LittleEndian(block[i..]);
            high += low;
        }

        return (high << 32) | low;
    }

    private static byte[] Uuid(ulong start, byte which)
    {
        byte[] uuid = new byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(uuid, start * 0x9e3779b97f4a7c15);
        uuid[15] = which;
        return uuid;
    }
}
