using System.Buffers.Binary;

namespace Vmcore.Formats.Elf;

/// <summary>A 64-bit hash of a name, for indexes over hundreds of thousands of names
/// that are not kept as strings. Whoever looks up compares the name too.</summary>
internal static class NameHash
{
    internal static ulong Of(ReadOnlySpan<byte> name)
    {
        const ulong Prime = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)name.Length * Prime;
        while (name.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(name));
            name = name[8..];
        }

        ulong tail = 0;
        foreach (byte b in name)
            tail = (tail << 8) | b;
        return Mix(hash ^ tail);
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 32)) * 0xD6E8FEB86659FD93;
        return value ^ (value >> 29);
    }
}
