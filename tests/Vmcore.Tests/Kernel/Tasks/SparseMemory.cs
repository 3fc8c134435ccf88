using System.Buffers.Binary;
using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Tests.Kernel.Tasks;

/// <summary>Virtual memory of which the pages are there that something was written to.</summary>
internal sealed class SparseMemory : IVirtualMemory
{
    private const ulong PageSize = 4096;

    private readonly Dictionary<ulong, byte[]> _pages = [];

    public ReadLimits Limits { get; set; } = ReadLimits.Default;

    public ByteOrder ByteOrder => ByteOrder.LittleEndian;

    public bool IsKernelAddress(ulong address) => address >= 0xff00_0000_0000_0000;

    internal SparseMemory Put(ulong address, ulong value, int size = 8)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        for (int i = 0; i < size; i++)
            Page(address + (ulong)i)[(int)((address + (ulong)i) % PageSize)] = bytes[i];
        return this;
    }

    /// <summary>Makes a list of nodes behind a head.</summary>
    internal SparseMemory Link(ulong head, params ReadOnlySpan<ulong> nodes)
    {
        ulong last = head;
        foreach (ulong node in nodes)
        {
            Put(last, node).Put(node + 8, last);
            last = node;
        }

        return Put(last, head).Put(head + 8, last);
    }

    internal void Remove(ulong address) => _pages.Remove(address / PageSize);

    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        for (int i = 0; i < buffer.Length; i++)
        {
            ulong at = unchecked(address + (ulong)i);
            if (!_pages.TryGetValue(at / PageSize, out byte[]? page))
                return MemoryStatus.NotMapped;
            buffer[i] = page[(int)(at % PageSize)];
        }

        return MemoryStatus.Ok;
    }

    private byte[] Page(ulong address)
    {
        if (!_pages.TryGetValue(address / PageSize, out byte[]? page))
            _pages[address / PageSize] = page = new byte[PageSize];
        return page;
    }
}
