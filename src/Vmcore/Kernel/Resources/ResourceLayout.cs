using System.Buffers.Binary;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Resources;

/// <summary>The fields of one struct resource as they are in memory; <paramref name="Last"/> is inclusive, pointers are virtual addresses.</summary>
internal readonly record struct RawResource(ulong Start, ulong Last, ulong Name, ulong Flags, uint Descriptor, ulong Parent, ulong Sibling, ulong Child);

/// <summary>Byte offsets of the members of struct resource.</summary>
internal sealed class ResourceLayout
{
    // Far above any real offset (the last is 56).
    private const int FarthestOffset = 1024;

    private static readonly string[] s_members = ["start", "end", "name", "flags", "desc", "parent", "sibling", "child"];

    private readonly int[] _offsets;

    private ResourceLayout(int[] offsets)
    {
        _offsets = offsets;
        Length = offsets.Max() + 8;
    }

    /// <summary>The layout of every 64-bit kernel from 4.6 to today.</summary>
    public static ResourceLayout Default { get; } = new([0, 8, 16, 24, 32, 40, 48, 56]);

    /// <summary>Number of bytes to read for one resource.</summary>
    public int Length { get; }

    /// <summary>The layout by the kernel's types; <see cref="Default"/> if they are not known or do not tell all.</summary>
    public static ResourceLayout From(KernelTypes? types)
    {
        if (types is null)
            return Default;
        int[] offsets = new int[s_members.Length];
        for (int i = 0; i < offsets.Length; i++)
        {
            if (types.MemberOffset("resource", s_members[i]) is not { } offset || offset is < 0 or > FarthestOffset)
                return Default;
            offsets[i] = offset;
        }

        return new(offsets);
    }

    /// <summary>Reads one resource.</summary>
    /// <returns>False if it is not in the dump.</returns>
    public bool TryRead(IVirtualMemory memory, ulong address, out RawResource resource)
    {
        Span<byte> bytes = stackalloc byte[FarthestOffset + 8];
        bytes = bytes[..Length];
        if (memory.Read(address, bytes) != MemoryStatus.Ok)
        {
            resource = default;
            return false;
        }

        resource = new(
            Word(bytes, 0), Word(bytes, 1), Word(bytes, 2), Word(bytes, 3),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[_offsets[4]..]),
            Word(bytes, 5), Word(bytes, 6), Word(bytes, 7));
        return true;
    }

    private ulong Word(ReadOnlySpan<byte> bytes, int member) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[_offsets[member]..]);
}
