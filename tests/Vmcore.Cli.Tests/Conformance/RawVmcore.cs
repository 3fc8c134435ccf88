using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>A PT_LOAD of the vmcore.</summary>
internal readonly record struct RawLoad(ulong Address, ulong Size, ulong Offset, uint Flags)
{
    internal ulong End => Address + Size;

    /// <summary>PF_DEV, of the RFCs and of PF_MASKOS.</summary>
    internal bool IsPmem => (Flags & 0x0080_0010) != 0;
}

/// <summary>The pages of a raw vmcore, read with nothing of what is tested.</summary>
internal sealed class RawVmcore : IDisposable
{
    internal const int PageSize = 4096;

    private readonly SafeFileHandle _file;

    internal RawVmcore(string path)
    {
        _file = File.OpenHandle(path);
        byte[] header = Bytes(0, 64);
        ulong tableOffset = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(32));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(56));
        List<RawLoad> loads = [];
        for (int i = 0; i < count; i++)
        {
            byte[] p = Bytes((long)tableOffset + (56 * i), 56);
            if (BinaryPrimitives.ReadUInt32LittleEndian(p) == 1)
                loads.Add(new(U64(p, 24), U64(p, 32), U64(p, 8), BinaryPrimitives.ReadUInt32LittleEndian(p.AsSpan(4))));
        }

        Loads = loads;
        MaxPfn = (Loads.Max(l => l.End) + PageSize - 1) / PageSize;

        static ulong U64(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));
    }

    internal IReadOnlyList<RawLoad> Loads { get; }

    internal ulong MaxPfn { get; }

    public void Dispose() => _file.Dispose();

    internal bool IsPmem(ulong pfn) => Loads.Any(l => l.IsPmem && pfn * PageSize >= l.Address && pfn * PageSize < l.End);

    internal bool Has(ulong pfn) => Loads.Any(l => (pfn + 1) * PageSize > l.Address && pfn * PageSize < l.End);

    /// <summary>Reads a page.</summary>
    /// <returns>How many bytes from the page's start the PT_LOAD covers; 0 if none does.</returns>
    internal int Read(ulong pfn, Span<byte> page)
    {
        ulong address = pfn * PageSize;
        foreach (RawLoad load in Loads)
        {
            if (address < load.Address || address >= load.End)
                continue;
            int covered = (int)Math.Min(PageSize, load.End - address);
            int read = RandomAccess.Read(_file, page[..covered], (long)(load.Offset + address - load.Address));
            page[read..covered].Clear();
            return covered;
        }

        return 0;
    }

    private byte[] Bytes(long offset, int count)
    {
        byte[] bytes = new byte[count];
        Assert.Equal(count, RandomAccess.Read(_file, bytes, offset));
        return bytes;
    }
}
