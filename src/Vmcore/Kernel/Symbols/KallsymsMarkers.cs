using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>
/// kallsyms_markers: behind the names the kernel keeps the offset of every 256th record, where reading can start anew. vmcoreinfo does not say where they
/// are, but they prove themselves: from one offset 256 records lead to the next.
/// </summary>
internal sealed class KallsymsMarkers
{
    private const int Block = 4096, BlockShift = 12, LongestPadding = 16;

    private readonly byte[] _area;
    private readonly bool[] _present;
    private readonly int _skew;
    private readonly int _count;
    private readonly KallsymsTokens _tokens;

    // What only looks like markers costs a walk each time: all of them together no more than a few of the real ones.
    private long _budget;

    private KallsymsMarkers(IVirtualMemory memory, ulong address, int length, int count, KallsymsTokens tokens)
    {
        _count = count;
        _tokens = tokens;
        _budget = 8L * length;
        _area = new byte[length];
        _skew = (int)(address & (Block - 1));
        _present = new bool[((_skew + length - 1) >> BlockShift) + 1];
        for (int block = 0; block < _present.Length; block++)
        {
            int start = Math.Max(0, (block << BlockShift) - _skew), end = Math.Min(length, ((block + 1) << BlockShift) - _skew);
            _present[block] = memory.Read(address + (ulong)start, _area.AsSpan(start..end)) == MemoryStatus.Ok;
        }
    }

    /// <summary>Reads the markers where kernels have them: right before the tokens, or before the symbols' order by name, of three bytes each, which
    /// some have in between.</summary>
    /// <returns>The offsets; null if there are none at either place.</returns>
    internal static int[]? TryLocate(IVirtualMemory memory, ulong address, ulong limit, int count)
    {
        if (limit > (ulong)memory.Limits.SymbolNamesBytes)
            return null;
        byte[] bytes = new byte[Groups(count) * sizeof(int)];
        foreach (ulong behind in (ReadOnlySpan<ulong>)[0, 3 * (ulong)count])
        {
            // Each table starts at a multiple of 8.
            ulong end = (address + limit - behind) & ~7UL, at = (end - (ulong)bytes.Length) & ~7UL;
            if (at > address && at < end && memory.Read(at, bytes) == MemoryStatus.Ok && MarkersIn(bytes, at - address) is { } offsets)
                return offsets;
        }

        return null;
    }

    /// <summary>Looks for the markers anywhere behind the names, and for the records that can be read from each.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of the first record.</param>
    /// <param name="limit">Bytes from there to the tokens, which lie behind the markers.</param>
    /// <param name="count">Number of records.</param>
    /// <param name="tokens">The tokens.</param>
    /// <param name="offsets">Offset of the first record of each group in bytes.</param>
    /// <param name="known">How many records of each group are known, from its first on.</param>
    /// <returns>The names; what is not in the dump of them is anything. Null if there are no markers that prove themselves.</returns>
    internal static byte[]? TryRead(
        IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsTokens tokens, out int[] offsets, out ushort[] known)
    {
        offsets = [];
        known = [];
        if (limit > (ulong)memory.Limits.SymbolNamesBytes || limit < 2 * (ulong)count)
            return null;
        var area = new KallsymsMarkers(memory, address, (int)limit, count, tokens);
        return area.TryFind(out offsets, out known);
    }

    private static int Groups(int count) => ((count - 1) >> KallsymsNames.GroupShift) + 1;

    private byte[]? TryFind(out int[] offsets, out ushort[] known)
    {
        offsets = [];
        known = [];
        int length = Groups(_count) * sizeof(int);
        for (int at = 2 * _count; at <= _area.Length - length && _budget > 0; at++)
        {
            if (((at + _skew) & (sizeof(int) - 1)) == 0 && IsPresent(at, at + length)
                && MarkersIn(_area.AsSpan(at, length), (ulong)at) is { } markers && TryWalk(markers, at, out known))
            {
                offsets = markers;
                return _area[..at];
            }
        }

        return null;
    }

    private static int[]? MarkersIn(ReadOnlySpan<byte> bytes, ulong end)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(bytes) != 0 || BinaryPrimitives.ReadUInt32LittleEndian(bytes[^sizeof(int)..]) >= end)
            return null;
        int[] offsets = new int[bytes.Length / sizeof(int)];
        for (int i = 1; i < offsets.Length; i++)
        {
            // A record has a length and a token at least.
            offsets[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
            if (offsets[i] < offsets[i - 1] + (2 << KallsymsNames.GroupShift))
                return null;
        }

        return offsets;
    }

    // Most groups of which nothing is missing must lead to the next marker. One that does not has a damaged record,
    // nobody knows which: all of it is left out.
    private bool TryWalk(int[] offsets, int markers, out ushort[] known)
    {
        known = new ushort[offsets.Length];
        int proven = 0, whole = 0;
        for (int i = 0; i < known.Length; i++)
        {
            int records = Math.Min(1 << KallsymsNames.GroupShift, _count - (i << KallsymsNames.GroupShift));
            bool isLast = i + 1 == offsets.Length;
            int at = offsets[i], end = isLast ? markers : offsets[i + 1];
            bool isWhole = IsPresent(at, end);
            int read = Walk(ref at, end, records);
            _budget -= end - offsets[i];
            if (isWhole && (read != records || (isLast ? end - at >= LongestPadding : at != end)))
                read = 0;
            known[i] = (ushort)read;
            whole += isWhole ? 1 : 0;
            proven += isWhole && read > 0 ? 1 : 0;
        }

        return proven > whole / 2;
    }

    // The records from an offset on, up to one that is not in the dump or is none.
    private int Walk(ref int at, int end, int records)
    {
        int read = 0, next = at;
        while (read < records && KallsymsRecords.TryTake(_area.AsSpan(0, end), ref next, out ReadOnlySpan<byte> record)
            && IsPresent(at, next) && KallsymsNames.IsSane(record, _tokens))
        {
            at = next;
            read++;
        }

        return read;
    }

    private bool IsPresent(int start, int end)
    {
        for (int block = (start + _skew) >> BlockShift; block <= (end - 1 + _skew) >> BlockShift; block++)
        {
            if (!_present[block])
                return false;
        }

        return true;
    }
}
