namespace Vmcore.Testing;

/// <summary>Pages that were really written, by pfn. Never written ones are absent.</summary>
internal sealed class PhysicalStore
{
    private readonly Dictionary<ulong, byte[]> _pages = [];
    private ulong _lastPfn = ulong.MaxValue;
    private byte[]? _lastPage;

    public bool TryGet(ulong pfn, out byte[] page)
    {
        bool found = _pages.TryGetValue(pfn, out byte[]? stored);
        page = stored ?? [];
        return found;
    }

    public byte[] Page(ulong pfn)
    {
        if (pfn == _lastPfn)
            return _lastPage!;
        if (!_pages.TryGetValue(pfn, out byte[]? page))
            _pages.Add(pfn, page = new byte[4096]);
        _lastPfn = pfn;
        return _lastPage = page;
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int offset = (int)(address & 4095);
            int step = Math.Min(4096 - offset, bytes.Length);
            bytes[..step].CopyTo(Page(address >> 12).AsSpan(offset));
            bytes = bytes[step..];
            address += (ulong)step;
        }
    }

    public void Write64(ulong address, ulong value) =>
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(Page(address >> 12).AsSpan((int)(address & 4095)), value);

    public ulong Read64(ulong address) =>
        _pages.TryGetValue(address >> 12, out byte[]? page)
            ? System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan((int)(address & 4095)))
            : 0;
}
