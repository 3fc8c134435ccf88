using System.Numerics;
using Vmcore.Memory;

namespace Vmcore.Formats.Kdump;

/// <summary>The physical memory in a kdump-compressed dump. Keeps some pages decompressed for the small reads of an analysis.</summary>
internal sealed class KdumpMemory : IPhysicalMemory
{
    private const ulong NoPage = ulong.MaxValue;
    private const int CacheBytes = 2 * 1024 * 1024;

    private readonly KdumpFile _file;
    private readonly int _pageShift;
    private readonly Slot[] _slots;

    /// <summary>Creates the view.</summary>
    /// <param name="file">The dump; it must live as long as the view is used.</param>
    public KdumpMemory(KdumpFile file)
    {
        _file = file;
        _pageShift = BitOperations.Log2((uint)file.BlockSize);
        _slots = new Slot[CacheBytes >> _pageShift];
        for (int i = 0; i < _slots.Length; i++)
            _slots[i] = new Slot();
    }

    /// <inheritdoc/>
    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        int blockSize = _file.BlockSize;
        while (!buffer.IsEmpty)
        {
            ulong pfn = address >> _pageShift;
            int inPage = (int)(address & (uint)(blockSize - 1));
            int step = Math.Min(buffer.Length, blockSize - inPage);
            MemoryStatus status = step == blockSize
                ? _file.ReadPage(pfn, buffer[..step])
                : ReadPart(pfn, inPage, buffer[..step]);
            if (status != MemoryStatus.Ok)
                return status;
            buffer = buffer[step..];
            address += (uint)step;
            // The page after the last of the address space is not page 0.
            if (address == 0 && !buffer.IsEmpty)
                return MemoryStatus.Hole;
        }

        return MemoryStatus.Ok;
    }

    private MemoryStatus ReadPart(ulong pfn, int inPage, Span<byte> target)
    {
        Slot slot = _slots[pfn & (uint)(_slots.Length - 1)];
        lock (slot)
        {
            slot.Page ??= new byte[_file.BlockSize];
            if (slot.Pfn != pfn)
            {
                // While it is filled, and if that fails, it is nobody's page.
                slot.Pfn = NoPage;
                MemoryStatus status = _file.ReadPage(pfn, slot.Page);
                if (status != MemoryStatus.Ok)
                    return status;
                slot.Pfn = pfn;
            }

            slot.Page.AsSpan(inPage, target.Length).CopyTo(target);
        }

        return MemoryStatus.Ok;
    }

    private sealed class Slot
    {
        public byte[]? Page;
        public ulong Pfn = NoPage;
    }
}
