using System.Numerics;
using System.Runtime.InteropServices;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Formats.Kdump;

/// <summary>The physical memory in a kdump-compressed dump, page by page.</summary>
internal sealed class KdumpCrashMemory : CrashMemory
{
    private readonly KdumpFile _file;
    private readonly KdumpMemory _bytes;

    /// <summary>Creates the memory.</summary>
    /// <param name="file">The dump; it must live as long as the memory is used.</param>
    public KdumpCrashMemory(KdumpFile file)
        : base(BitOperations.Log2((uint)file.BlockSize), file.Limits)
    {
        _file = file;
        _bytes = new(file);
        // A header may claim more pages than the file has bits for; nothing can be known of those.
        Extents = PfnRangeSet.From([new PfnRange(0, Math.Min(file.MaxPfn, file.ReadablePfns))]);
    }

    /// <inheritdoc/>
    public override ulong MaxPfn => _file.MaxPfn;

    /// <inheritdoc/>
    public override PfnRangeSet Extents { get; }

    /// <inheritdoc/>
    public override void GetPages(ulong firstPfn, Span<ulong> exists, Span<ulong> present)
    {
        exists.Clear();
        present.Clear();
        Read(KdumpBitmap.Dumped, firstPfn, present);
        Read(_file.HasTwoBitmaps ? KdumpBitmap.Memory : KdumpBitmap.Dumped, firstPfn, exists);
    }

    /// <inheritdoc/>
    internal override void ClearLost(ulong firstPfn, Span<ulong> present) => _file.ClearLost(firstPfn, present);

    /// <inheritdoc/>
    public override ulong AbsentUntil(PfnRange range) => range.IsEmpty ? range.Start : _file.NextSet(KdumpBitmap.Dumped, range);

    /// <inheritdoc/>
    internal override bool ExtentsExist => false;

    /// <inheritdoc/>
    internal override ulong HoleUntil(PfnRange range)
    {
        ulong absent = AbsentUntil(range);
        return absent == range.Start || !_file.HasTwoBitmaps ? absent : _file.NextSet(KdumpBitmap.Memory, new(range.Start, absent));
    }

    /// <inheritdoc/>
    public override int ReadPages(ulong pfn, Span<byte> pages)
    {
        int done = 0, count = pages.Length >> PageShift;
        while (done < count && _file.ReadPage(pfn + (ulong)done, pages.Slice(done << PageShift, PageSize)) == MemoryStatus.Ok)
            done++;
        return done;
    }

    /// <inheritdoc/>
    public override MemoryStatus ReadPage(ulong pfn, Span<byte> page)
    {
        MemoryStatus status = _file.ReadPage(pfn, page);
        if (status != MemoryStatus.Ok)
            page.Clear();
        return status;
    }

    /// <inheritdoc/>
    public override MemoryStatus Read(ulong address, Span<byte> buffer) => _bytes.Read(address, buffer);

    private void Read(KdumpBitmap which, ulong firstPfn, Span<ulong> bits)
    {
        if (firstPfn >= MaxPfn)
            return;
        Span<byte> bytes = MemoryMarshal.AsBytes(bits);
        ulong left = MaxPfn - firstPfn;
        int usable = (int)Math.Min((ulong)bytes.Length, (left + 7) / 8);
        if (!_file.ReadBitmap(which, firstPfn, bytes[..usable]))
            return;

        // Bits beyond the last page mean nothing.
        if (left < (ulong)bits.Length * 64)
            PageBits.Clear(bits, (int)left, (bits.Length * 64) - (int)left);
    }
}
