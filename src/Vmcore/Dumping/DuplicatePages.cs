using System.Runtime.InteropServices;
using Vmcore.Compression;
using Vmcore.Memory;

namespace Vmcore.Dumping;

/// <summary>A block of the output that holds a page's data.</summary>
/// <param name="Offset">Byte offset in the output.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Codec">How it is compressed.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WrittenBlock(long Offset, int Length, PageCodec Codec);

/// <summary>
/// Finds pages whose content was written before, so that both can share one block. A page is found by a 128-bit hash of its packed form and then
/// compared byte by byte with the earlier page, which is read again. Bounded: a newer page takes the place of an older one with the same slot.
/// </summary>
/// <remarks>Asked for each page in order, by one thread: the output does not depend on the number of threads.</remarks>
internal sealed class DuplicatePages
{
    /// <summary>Pages that are remembered: 2.5 MiB.</summary>
    private const int Slots = 1 << 16;

    private readonly CrashMemory _memory;
    private readonly Entry[] _entries = new Entry[Slots];
    private readonly byte[] _earlier;

    internal DuplicatePages(CrashMemory memory)
    {
        _memory = memory;
        _earlier = new byte[memory.PageSize];
    }

    /// <summary>Forgets all pages: what comes next goes into another file.</summary>
    internal void Clear() => _entries.AsSpan().Clear();

    /// <summary>Looks for a page with the same content, and remembers this one if there is none.</summary>
    /// <param name="batch">The batch that the page is in.</param>
    /// <param name="index">Its index there.</param>
    /// <param name="packed">Its block.</param>
    /// <param name="block">Where the block is going to be written; receives the earlier page's if there is one.</param>
    /// <returns>True if there is one.</returns>
    internal bool TryFind(PageBatch batch, int index, ReadOnlySpan<byte> packed, ref WrittenBlock block)
    {
        UInt128 hash = batch.HashOf(index);
        ref Entry entry = ref _entries[(int)((ulong)hash & (Slots - 1))];
        if (entry.Block.Length != 0 && entry.Hash == hash && _memory.ReadPage(entry.Pfn, _earlier) == MemoryStatus.Ok
            && batch.ContentOf(index, packed).SequenceEqual(_earlier))
        {
            block = entry.Block;
            return true;
        }

        entry = new(hash, batch.Pfns[index], block);
        return false;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Entry(UInt128 Hash, ulong Pfn, WrittenBlock Block);
}
