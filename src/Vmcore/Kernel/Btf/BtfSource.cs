using System.Buffers;
using System.Buffers.Binary;
using Vmcore.IO;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Btf;

/// <summary>Finds the bytes of the kernel's BTF in its memory.</summary>
internal static class BtfSource
{
    private const int Window = 64 << 10;

    /// <summary>Reads the bytes between the symbols that enclose BTF.</summary>
    public static byte[]? TryReadBySymbols(KernelSymbols symbols, IVirtualMemory memory, out string? problem)
    {
        if (symbols.TryFindInImage("__start_BTF") is not { } start || symbols.TryFindInImage("__stop_BTF") is not { } stop)
        {
            problem = symbols.Lacks("__start_BTF", "CONFIG_DEBUG_INFO_BTF");
            return null;
        }

        if (stop <= start || stop - start > (ulong)memory.Limits.BtfBytes)
        {
            problem = $"__start_BTF 0x{start:x} and __stop_BTF 0x{stop:x} enclose no BTF";
            return null;
        }

        return TryReadBytes(memory, start, (int)(stop - start), out problem);
    }

    /// <summary>Compares a file of BTF with the kernel's own, as far as that is in the dump.</summary>
    /// <param name="symbols">The symbols of the kernel's image.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="file">The file.</param>
    /// <returns>Null if nothing differs; else a clause that says what.</returns>
    public static string? Difference(KernelSymbols symbols, IVirtualMemory memory, IByteSource file)
    {
        const int Part = 4 << 10;
        if (symbols.FindInImage("__start_BTF", "__stop_BTF") is not [{ } start, { } stop] || stop <= start || stop - start > (ulong)memory.Limits.BtfBytes)
            return null;
        if (file.Length != (long)(stop - start))
            return $"it is of another kernel: it has {file.Length} bytes, that of the kernel that crashed {stop - start}";
        byte[] own = new byte[Part], given = new byte[Part];
        for (long at = 0; at < file.Length; at += Part)
        {
            int length = (int)Math.Min(Part, file.Length - at);
            if (memory.Read(start + (ulong)at, own.AsSpan(0, length)) == MemoryStatus.Ok && file.Read(at, given.AsSpan(0, length)) == length
                && !own.AsSpan(0, length).SequenceEqual(given.AsSpan(0, length)))
                return $"it is of another kernel: its bytes from {at} on are not those of the kernel that crashed";
        }

        return null;
    }

    /// <summary>Looks for the largest BTF in a range of addresses: smaller ones are those of BPF programs built into the kernel.</summary>
    public static byte[]? TryReadByScan(IVirtualMemory memory, ulong start, ulong end, out string? problem)
    {
        if (end <= start || end - start > memory.Limits.BtfScanBytes)
        {
            problem = $"[0x{start:x} - 0x{end:x}) is no range of a kernel's image";
            return null;
        }

        ulong bestAt = 0;
        int bestLength = 0, candidates = 0;
        byte[] window = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            for (ulong at = start; at < end && candidates < memory.Limits.BtfCandidates;)
            {
                int have = memory.ReadPrefix(at, window.AsSpan(0, (int)Math.Min(Window, end - at)));
                ReadOnlySpan<byte> bytes = window.AsSpan(0, have);
                for (int i = 0; bytes.Length - i >= BtfBlob.HeaderLength; i++)
                {
                    int next = bytes[i..].IndexOf(BtfBlob.Magic);
                    if (next < 0 || bytes.Length - i - next < BtfBlob.HeaderLength)
                        break;
                    if (++candidates > memory.Limits.BtfCandidates)
                        break;
                    i += next;
                    int length = LengthAt(memory, at + (ulong)i, end, bytes[i..]);
                    if (length > bestLength)
                        (bestAt, bestLength) = (at + (ulong)i, length);
                }

                // Behind a gap go on with the next page; otherwise once more over what a header may straddle.
                ulong step = have == Window ? Window - BtfBlob.HeaderLength + 1 : ((at + (ulong)have) | 0xfff) + 1 - at;
                if (at + step < at)
                    break;
                at += step;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window);
        }

        if (bestLength == 0)
        {
            problem = $"no BTF in [0x{start:x} - 0x{end:x})";
            return null;
        }

        return TryReadBytes(memory, bestAt, bestLength, out problem);
    }

    // The whole length if a header of vmlinux's kind is there: types first, strings right behind, the first string empty.
    private static int LengthAt(IVirtualMemory memory, ulong address, ulong end, ReadOnlySpan<byte> header)
    {
        uint typeLength = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        uint stringLength = BinaryPrimitives.ReadUInt32LittleEndian(header[20..]);
        ulong length = BtfBlob.HeaderLength + (ulong)typeLength + stringLength;
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) != BtfBlob.HeaderLength
            || BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) != 0
            || BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) != typeLength
            || typeLength % 4 != 0
            || stringLength == 0
            || length > (ulong)memory.Limits.BtfBytes
            || length > end - address)
        {
            return 0;
        }

        ulong strings = address + BtfBlob.HeaderLength + typeLength;
        return memory.TryReadByte(strings, out byte first) && first == 0 ? (int)length : 0;
    }

    private static byte[]? TryReadBytes(IVirtualMemory memory, ulong address, int length, out string? problem)
    {
        byte[] bytes = new byte[length];
        MemoryStatus status = memory.Read(address, bytes);
        problem = status == MemoryStatus.Ok ? null : $"BTF at 0x{address:x}, {length} bytes, cannot be read: {MemoryStatusText.Of(status)}";
        return status == MemoryStatus.Ok ? bytes : null;
    }
}
