using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>The ACPI table of memory affinity (SRAT), which also names memory that is persistent or may be plugged in later.</summary>
internal static class AcpiSrat
{
    private const int HeaderSize = 48;
    private const int MemoryAffinity = 1;
    private const int MemoryAffinitySize = 40;

    /// <summary>End of the highest memory that the table names, in bytes; 0 if there is no table, or it is damaged.</summary>
    public static ulong EndOfMemory(ReadOnlySpan<byte> table)
    {
        if (table.Length < HeaderSize || !table.StartsWith("SRAT"u8))
            return 0;
        ulong end = 0;
        for (int at = HeaderSize; at <= table.Length - 2;)
        {
            int length = table[at + 1];
            if (length < 2 || length > table.Length - at)
                break;
            ReadOnlySpan<byte> entry = table.Slice(at, length);
            at += length;
            // Bit 0 of the flags: in use.
            if (entry[0] != MemoryAffinity || length < MemoryAffinitySize || (entry[28] & 1) == 0)
                continue;
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]), size = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
            if (size <= ulong.MaxValue - start)
                end = Math.Max(end, start + size);
        }

        return end;
    }
}
