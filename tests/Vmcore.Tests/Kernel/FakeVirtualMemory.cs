using Vmcore.Memory;

namespace Vmcore.Tests.Kernel;

/// <summary>Virtual memory made of a few pieces; a read that leaves its piece fails.</summary>
internal sealed class FakeVirtualMemory : IVirtualMemory
{
    private readonly List<(ulong Start, byte[] Bytes)> _pieces = [];

    public ByteOrder ByteOrder => ByteOrder.LittleEndian;

    public bool IsKernelAddress(ulong address) => address >= 0xff00_0000_0000_0000;

    public FakeVirtualMemory Add(ulong address, byte[] bytes)
    {
        _pieces.Add((address, bytes));
        return this;
    }

    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        foreach ((ulong start, byte[] bytes) in _pieces)
        {
            if (address < start || address - start >= (ulong)bytes.Length)
                continue;
            int at = (int)(address - start);
            if (bytes.Length - at < buffer.Length)
                return MemoryStatus.Hole;
            bytes.AsSpan(at, buffer.Length).CopyTo(buffer);
            return MemoryStatus.Ok;
        }

        return MemoryStatus.NotMapped;
    }
}
