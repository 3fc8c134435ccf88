using System.Buffers;
using System.Runtime.InteropServices;
using Vmcore.Formats.Elf;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Erasing;

/// <summary>
/// Looks in the notes for copies of what is erased from memory: vmcoreinfo and the registers are copies of memory themselves. Sixteen bytes in a row
/// that are the same, and more than a filling, are a copy.
/// </summary>
internal static class ErasedCopies
{
    private const int Window = 16;
    private const int Chunk = 1 << 16;

    /// <summary>Overwrites the copies.</summary>
    /// <param name="area">The notes of the dump to write.</param>
    /// <param name="original">The memory with nothing erased.</param>
    /// <param name="data">What is erased.</param>
    internal static void Remove(Span<byte> area, CrashMemory original, ErasedData data)
    {
        if (data.Erased.Count == 0)
            return;
        HashSet<UInt128> windows = [];
        IReadOnlyList<ElfNote> notes = ElfNotes.Parse(area, out _);
        foreach (ElfNote note in notes)
            Collect(note.Descriptor(area), windows);
        HashSet<UInt128> found = Search(original, data, windows);
        if (found.Count == 0)
            return;
        foreach (ElfNote note in notes)
            Erase(area.Slice(note.DescriptorOffset, note.DescriptorLength), found);
    }

    private static void Collect(ReadOnlySpan<byte> bytes, HashSet<UInt128> windows)
    {
        for (int i = 0; i + Window <= bytes.Length; i++)
        {
            if (IsTelling(bytes.Slice(i, Window)))
                windows.Add(At(bytes, i));
        }
    }

    private static HashSet<UInt128> Search(CrashMemory original, ErasedData data, HashSet<UInt128> windows)
    {
        HashSet<UInt128> found = [];
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Chunk);
        try
        {
            foreach (PhysicalRange range in data.Erased)
            {
                // Chunks overlap, so that no window is cut.
                for (ulong at = range.Start; at < range.End; at += Chunk - Window + 1)
                {
                    Span<byte> bytes = buffer.AsSpan(0, (int)Math.Min(Chunk, range.End - at));
                    if (bytes.Length < Window || original.Read(at, bytes) != MemoryStatus.Ok)
                        continue;
                    for (int i = 0; i + Window <= bytes.Length; i++)
                    {
                        UInt128 value = At(bytes, i);
                        if (windows.Contains(value))
                            found.Add(value);
                    }
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return found;
    }

    private static void Erase(Span<byte> bytes, HashSet<UInt128> found)
    {
        // Decided on the original: what is overwritten must not hide its neighbour.
        byte[] before = bytes.ToArray();
        for (int i = 0; i + Window <= before.Length; i++)
        {
            if (found.Contains(At(before, i)))
                bytes.Slice(i, Window).Fill(ErasedData.Filler);
        }
    }

    private static UInt128 At(ReadOnlySpan<byte> bytes, int index) => MemoryMarshal.Read<UInt128>(bytes[index..]);

    private static bool IsTelling(ReadOnlySpan<byte> bytes)
    {
        // Registers are full of zeros, all ones and small numbers.
        int different = 0;
        for (int i = 1; i < bytes.Length; i++)
        {
            if (bytes[..i].IndexOf(bytes[i]) < 0)
                different++;
        }

        return different >= 5;
    }
}
