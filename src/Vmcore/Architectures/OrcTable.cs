using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>How a kernel writes an entry of its unwind tables.</summary>
internal interface IOrcFormat
{
    /// <summary>Bytes of an entry.</summary>
    int Size { get; }

    /// <summary>Decodes an entry.</summary>
    /// <param name="bytes">At least as many bytes as an entry has.</param>
    /// <returns><see cref="OrcEntry.Unreadable"/> if it is not known how this kernel writes them.</returns>
    OrcEntry Decode(ReadOnlySpan<byte> bytes);
}

/// <summary>One sorted table of ORC, of the kernel's image or of a module: addresses (relative to their own place), and an entry for each.</summary>
internal sealed class OrcTable
{
    private readonly IVirtualMemory _memory;
    private readonly IOrcFormat _format;
    private readonly ulong _addresses;
    private readonly ulong _entries;
    private readonly int _count;

    /// <summary>A table.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="format">How an entry is written.</param>
    /// <param name="addresses">Virtual address of the first address, of four bytes each.</param>
    /// <param name="entries">Virtual address of the first entry.</param>
    /// <param name="count">Number of both.</param>
    internal OrcTable(IVirtualMemory memory, IOrcFormat format, ulong addresses, ulong entries, int count)
    {
        _memory = memory;
        _format = format;
        _addresses = addresses;
        _entries = entries;
        _count = Math.Clamp(count, 0, memory.Limits.OrcEntries);
    }

    /// <summary>The entry for an address: that of the last place at or below it.</summary>
    /// <param name="address">A virtual address.</param>
    /// <returns><see cref="OrcEntry.Missing"/> if the table begins above it; <see cref="OrcEntry.Unreadable"/> if a word on the way, or the entry, is not
    /// in the dump: what stands there may say anything.</returns>
    internal OrcEntry Find(ulong address)
    {
        int low = 0, high = _count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            ulong slot = _addresses + (4 * (ulong)middle);
            if (!_memory.TryReadUInt32(slot, out uint offset))
                return OrcEntry.Unreadable;
            if (unchecked(slot + (ulong)(int)offset) <= address)
                low = middle + 1;
            else
                high = middle;
        }

        if (low == 0)
            return OrcEntry.Missing;
        Span<byte> bytes = stackalloc byte[_format.Size];
        ulong at = _entries + ((ulong)(low - 1) * (ulong)_format.Size);
        return _memory.Read(at, bytes) == MemoryStatus.Ok ? _format.Decode(bytes) : OrcEntry.Unreadable;
    }
}
