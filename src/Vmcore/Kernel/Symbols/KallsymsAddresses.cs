using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>The addresses of the symbols, as the kernel stores them: 4 (or 8) bytes each.</summary>
internal sealed class KallsymsAddresses
{
    private readonly int[] _offsets;
    private readonly ulong[] _absolute;
    private readonly ulong _origin;

    // For each entry whether it is in the dump; null if all are.
    private readonly bool[]? _known;

    private KallsymsAddresses(KallsymsEncoding encoding, int[] offsets, ulong[] absolute, ulong origin, bool[]? known)
    {
        _known = known;
        Encoding = encoding;
        _offsets = offsets;
        _absolute = absolute;
        _origin = origin;
    }

    /// <summary>The formula in use.</summary>
    public KallsymsEncoding Encoding { get; }

    /// <summary>Number of addresses.</summary>
    public int Count => Encoding == KallsymsEncoding.Absolute ? _absolute.Length : _offsets.Length;

    /// <summary>True if the address of symbol <paramref name="index"/> is in the dump.</summary>
    internal bool Knows(int index) => _known is null || _known[index];

    /// <summary>The address of symbol <paramref name="index"/>, which must be known.</summary>
    public ulong this[int index] => Encoding == KallsymsEncoding.Absolute ? _absolute[index] : Resolve(Encoding, _origin, index, _offsets[index]);

    /// <summary>
    /// Reads the table and chooses the formula that gives a known symbol its known address: kernels changed it
    /// without a word in vmcoreinfo.
    /// </summary>
    /// <param name="info">Says where the table is.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="count">Number of symbols.</param>
    /// <param name="knownIndex">Index of the known symbol.</param>
    /// <param name="knownName">Its name.</param>
    /// <param name="knownAddress">Its address.</param>
    /// <param name="problem">Why there is no answer, or why some addresses are not known.</param>
    public static KallsymsAddresses? TryRead(
        VmcoreInfo info, IVirtualMemory memory, int count, int knownIndex, string knownName, ulong knownAddress, out string? problem)
    {
        if (info.Symbol("kallsyms_offsets") is { } offsetsAt)
        {
            int[] offsets = new int[count];
            bool[]? known = ReadTable(memory, offsetsAt, MemoryMarshal.AsBytes(offsets.AsSpan()), sizeof(int), "kallsyms_offsets", out problem);
            if (known?[knownIndex] == false)
                return null;
            if (!BitConverter.IsLittleEndian)
                BinaryPrimitives.ReverseEndianness(offsets, offsets);

            if (Choose(info, memory, offsetsAt, knownIndex, offsets[knownIndex], knownAddress, out ulong origin) is { } encoding)
                return new(encoding, offsets, [], origin, known);

            problem = $"no known formula turns kallsyms_offsets[{knownIndex}] = {offsets[knownIndex]} into 0x{knownAddress:x}, the address of {knownName}";
            return null;
        }

        if (info.Symbol("kallsyms_addresses") is { } addressesAt)
        {
            ulong[] absolute = new ulong[count];
            bool[]? known = ReadTable(memory, addressesAt, MemoryMarshal.AsBytes(absolute.AsSpan()), sizeof(ulong), "kallsyms_addresses", out problem);
            if (known?[knownIndex] == false)
                return null;
            if (!BitConverter.IsLittleEndian)
                BinaryPrimitives.ReverseEndianness(absolute, absolute);
            if (absolute[knownIndex] == knownAddress)
                return new(KallsymsEncoding.Absolute, [], absolute, 0, known);

            problem = $"kallsyms_addresses gives {knownName} the address 0x{absolute[knownIndex]:x}, vmcoreinfo 0x{knownAddress:x}";
            return null;
        }

        problem = "vmcoreinfo has neither SYMBOL(kallsyms_offsets) nor SYMBOL(kallsyms_addresses)";
        return null;
    }

    /// <summary>Reads the address of one symbol only.</summary>
    /// <param name="info">Says where the table is.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="index">Index of the symbol.</param>
    /// <param name="knownIndex">Index of a symbol whose address is known.</param>
    /// <param name="knownAddress">Its address.</param>
    /// <returns>Null if it cannot be read, or no formula gives the known symbol its address.</returns>
    internal static ulong? TryReadOne(VmcoreInfo info, IVirtualMemory memory, int index, int knownIndex, ulong knownAddress)
    {
        if (info.Symbol("kallsyms_offsets") is { } offsets)
        {
            return memory.TryReadUInt32(offsets + (sizeof(int) * (ulong)knownIndex), out uint known)
                && memory.TryReadUInt32(offsets + (sizeof(int) * (ulong)index), out uint offset)
                && Choose(info, memory, offsets, knownIndex, (int)known, knownAddress, out ulong origin) is { } encoding
                ? Resolve(encoding, origin, index, (int)offset) : null;
        }

        return info.Symbol("kallsyms_addresses") is { } addresses
            && memory.TryReadUInt64(addresses + (sizeof(ulong) * (ulong)knownIndex), out ulong same)
            && same == knownAddress
            && memory.TryReadUInt64(addresses + (sizeof(ulong) * (ulong)index), out ulong address)
            ? address : null;
    }

    private static ulong Resolve(KallsymsEncoding encoding, ulong origin, int index, int offset) => encoding switch
    {
        KallsymsEncoding.AbsolutePerCpu => offset >= 0 ? (ulong)offset : origin - 1 - unchecked((ulong)(long)offset),
        KallsymsEncoding.BaseRelative => origin + (uint)offset,
        _ => origin + (4 * (ulong)index) + unchecked((ulong)(long)offset),
    };

    // The formula that gives a known symbol its known address, and what it starts from.
    private static KallsymsEncoding? Choose(VmcoreInfo info, IVirtualMemory memory,
        ulong offsetsAt, int knownIndex, int knownOffset, ulong knownAddress, out ulong origin)
    {
        origin = 0;
        if (info.Symbol("kallsyms_relative_base") is { } baseAt && memory.TryReadUInt64(baseAt, out origin))
        {
            if (Resolve(KallsymsEncoding.AbsolutePerCpu, origin, knownIndex, knownOffset) == knownAddress)
                return KallsymsEncoding.AbsolutePerCpu;
            if (Resolve(KallsymsEncoding.BaseRelative, origin, knownIndex, knownOffset) == knownAddress)
                return KallsymsEncoding.BaseRelative;
        }

        origin = offsetsAt;
        return Resolve(KallsymsEncoding.SlotRelative, origin, knownIndex, knownOffset) == knownAddress ? KallsymsEncoding.SlotRelative : null;
    }

    // Which entries can be read; null, and no problem, if all can.
    private static bool[]? ReadTable(IVirtualMemory memory, ulong address, Span<byte> table, int entryBytes, string name, out string? problem)
    {
        const int Block = 4096;
        MemoryStatus status = memory.Read(address, table);
        problem = status == MemoryStatus.Ok ? null : $"{name} at 0x{address:x}, {table.Length} bytes, cannot be read: {MemoryStatusText.Of(status)}";
        if (status == MemoryStatus.Ok)
            return null;

        // Entries lie at multiples of their size, so that none is in two blocks.
        bool[] known = new bool[table.Length / entryBytes];
        if (address % (ulong)entryBytes != 0)
            return known;
        for (int start = 0; start < table.Length;)
        {
            int length = Math.Min(table.Length - start, Block - (int)((address + (ulong)start) & (Block - 1)));
            known.AsSpan(start / entryBytes, length / entryBytes).Fill(memory.Read(address + (ulong)start, table.Slice(start, length)) == MemoryStatus.Ok);
            start += length;
        }

        return known;
    }
}
