using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>Some neighbouring bytes of memory on their way to an ELF dump.</summary>
internal sealed class ElfBlock(CrashMemory memory) : WorkerJob
{
    /// <summary>Most bytes of a block.</summary>
    internal const int Capacity = 1 << 20;

    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Capacity);

    /// <summary>What it holds.</summary>
    internal ElfPiece Piece { get; set; }

    /// <summary>The bytes.</summary>
    internal ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Piece.Length);

    /// <summary>The pages that could not be read, ascending; their bytes are not to be written.</summary>
    internal List<ulong> Unreadable { get; } = [];

    /// <inheritdoc/>
    protected override void Run(WorkerTools tools)
    {
        Unreadable.Clear();
        Span<byte> target = _bytes.AsSpan(0, Piece.Length);
        if (Piece.IsGap)
        {
            target.Clear();
            return;
        }

        int pageSize = memory.PageSize;
        byte[]? page = null;
        for (int at = 0; at < target.Length;)
        {
            ulong address = Piece.Address + (ulong)at;
            ulong pfn = address >> memory.PageShift;
            int inPage = (int)(address & (ulong)(pageSize - 1));
            int whole = inPage == 0 ? (target.Length - at) / pageSize : 0;
            int read = whole > 0 ? memory.ReadPages(pfn, target.Slice(at, whole * pageSize)) * pageSize : 0;
            if (read == 0)
            {
                // A partial page is good with what there is of it.
                page ??= new byte[pageSize];
                if (memory.ReadPage(pfn, page) is MemoryStatus.Unreadable or MemoryStatus.PartMissing)
                    Unreadable.Add(pfn);
                read = Math.Min(pageSize - inPage, target.Length - at);
                page.AsSpan(inPage, read).CopyTo(target[at..]);
            }

            at += read;
        }
    }
}

/// <summary>A part of an ELF dump.</summary>
/// <param name="Offset">Byte offset in the dump.</param>
/// <param name="Address">Physical address of the first byte.</param>
/// <param name="Length">Bytes, at most <see cref="ElfBlock.Capacity"/>.</param>
/// <param name="IsGap">True if the pages are left out, and the dump has zeroes for them.</param>
internal readonly record struct ElfPiece(long Offset, ulong Address, int Length, bool IsGap);
