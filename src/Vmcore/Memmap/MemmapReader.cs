using Vmcore.Architectures;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Memmap;

/// <summary>Reads <c>struct page</c>s in blocks, whatever parts of the memmap are there.</summary>
/// <remarks>May be used from several threads at once.</remarks>
public sealed class MemmapReader
{
    private readonly KernelAddressSpace _space;
    private readonly int _pageSize;

    /// <summary>Creates a reader.</summary>
    /// <param name="model">Where the structures are.</param>
    /// <param name="space">The kernel's address space.</param>
    /// <param name="pageShift">log2 of the page size.</param>
    internal MemmapReader(MemoryModel model, KernelAddressSpace space, int pageShift)
    {
        Model = model;
        _space = space;
        _pageSize = 1 << pageShift;
    }

    /// <summary>Finds the memmap of a kernel.</summary>
    /// <param name="kernel">The kernel; structures are read through its memory.</param>
    /// <param name="pageShift">log2 of the page size in bytes.</param>
    /// <param name="problem">Receives why there is none, as one clause; null if there is one.</param>
    /// <returns>Null if it cannot be found.</returns>
    internal static MemmapReader? TryOpen(CrashedKernel kernel, int pageShift, out string? problem)
    {
        try
        {
            problem = null;
            return new(MemoryModel.Detect(kernel, pageShift), kernel.Memory, pageShift);
        }
        catch (MissingInformationException e)
        {
            problem = e.Message;
            return null;
        }
    }

    /// <summary>The memory model.</summary>
    public MemoryModel Model { get; }

    /// <summary>Size of a structure in bytes.</summary>
    public int StructPageSize => Model.StructPageSize;

    /// <summary>Reads the structures of neighbouring pages.</summary>
    /// <param name="pfn">First page.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="structs">Receives <paramref name="count"/> structures; those that cannot be read are undefined.</param>
    /// <param name="valid">Receives one bit a page: its structure was read. At least <paramref name="count"/> bits.</param>
    /// <param name="faults">Receives one bit a page: its structure should be there, but cannot be read.</param>
    public void Read(ulong pfn, int count, Span<byte> structs, Span<ulong> valid, Span<ulong> faults)
    {
        valid.Clear();
        faults.Clear();
        for (int at = 0; at < count;)
        {
            bool found = Model.TryGetStructPage(pfn + (ulong)at, out ulong address, out ulong runEnd);
            int step = (int)Math.Min((ulong)(count - at), runEnd - (pfn + (ulong)at));
            if (found)
                ReadRun(address, at, step, structs, valid, faults);
            at += step;
        }
    }

    /// <summary>Reads the structure of one page and that of its neighbour, which holds a compound page's order.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="two">Receives both structures; the second is zero if it cannot be read.</param>
    /// <returns>False if the first cannot be read.</returns>
    public bool TryReadPair(ulong pfn, Span<byte> two)
    {
        Span<ulong> valid = stackalloc ulong[1];
        Span<ulong> faults = stackalloc ulong[1];
        Read(pfn, 2, two, valid, faults);
        if ((valid[0] & 2) == 0)
            two[StructPageSize..(2 * StructPageSize)].Clear();
        return (valid[0] & 1) != 0;
    }

    private void ReadRun(ulong address, int first, int count, Span<byte> structs, Span<ulong> valid, Span<ulong> faults)
    {
        int size = StructPageSize;
        ulong end = unchecked(address + ((ulong)count * (ulong)size));
        if (end < address)
            return; // A damaged base: structures do not reach around the end of the address space.
        PageBits.Set(valid, first, count);
        for (ulong at = address; at < end;)
        {
            Translation translation = _space.Translate(at);
            ulong left = Math.Min(translation.Size - (at & (translation.Size - 1)), end - at);
            Span<byte> part = structs.Slice((int)(at - address) + (first * size), (int)left);
            if (translation.Status != MemoryStatus.Ok)
                Drop(address, at, left, first, count, valid, faults, translation.Status != MemoryStatus.NotMapped);
            else if (_space.PhysicalMemory.Read(translation.PhysicalAddress, part) != MemoryStatus.Ok)
                ReadPagewise(address, at, translation.PhysicalAddress, part, first, count, valid, faults);
            at += left;
        }
    }

    /// <summary>Keeps what is good of a block with a bad page in it.</summary>
    private void ReadPagewise(ulong address, ulong at, ulong physical, Span<byte> part, int first, int count, Span<ulong> valid, Span<ulong> faults)
    {
        for (int done = 0; done < part.Length;)
        {
            int step = Math.Min(part.Length - done, _pageSize - (int)((physical + (ulong)done) & (ulong)(_pageSize - 1)));
            if (_space.PhysicalMemory.Read(physical + (ulong)done, part.Slice(done, step)) != MemoryStatus.Ok)
                Drop(address, at + (ulong)done, (ulong)step, first, count, valid, faults, true);
            done += step;
        }
    }

    private void Drop(ulong address, ulong at, ulong length, int first, int count, Span<ulong> valid, Span<ulong> faults, bool isFault)
    {
        ulong size = (ulong)StructPageSize;
        int from = (int)((at - address) / size);
        int to = (int)Math.Min((at - address + length + size - 1) / size, (ulong)count);
        PageBits.Clear(valid, first + from, to - from);
        if (isFault)
            PageBits.Set(faults, first + from, to - from);
    }
}
