using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Memory;

/// <summary>What a read of the crashed machine's memory met.</summary>
public enum MemoryStatus
{
    /// <summary>All bytes are there.</summary>
    Ok,

    /// <summary>The address belongs to the machine's memory, but a filter left the page out of this dump.</summary>
    Excluded,

    /// <summary>The dump says nothing of this address: no PT_LOAD or bitmap covers it.</summary>
    Hole,

    /// <summary>The address belongs to the dump, but the file is truncated or damaged there, or the device failed.</summary>
    Unreadable,

    /// <summary>Virtual addresses only: no page table maps the address.</summary>
    NotMapped,

    /// <summary>Virtual addresses only: a page table on the way is not in the dump, so nobody knows.</summary>
    PageTableMissing,

    /// <summary>The page belongs to a part of a split dump that was not given: the files at hand are whole.</summary>
    PartMissing,

    /// <summary>The page has user data of pmem, which is never shown, whether the file has it or not.</summary>
    UserData,

    /// <summary>Virtual addresses only: memory of the kernel's start, which it gave back when it had started. What is there now belongs to others.</summary>
    Freed,
}

/// <summary>The physical memory of the crashed machine, whatever file it comes from.</summary>
/// <remarks>Implementations may be read from several threads at once.</remarks>
public interface IPhysicalMemory
{
    /// <summary>The bounds on what is believed of what this memory says: those that the dump was opened with.</summary>
    ReadLimits Limits => ReadLimits.Default;

    /// <summary>Reads bytes; a read may cross pages and segments.</summary>
    /// <param name="address">Physical address of the first byte.</param>
    /// <param name="buffer">Receives the bytes; its content is undefined unless the answer is <see cref="MemoryStatus.Ok"/>.</param>
    /// <returns><see cref="MemoryStatus.Ok"/> if all bytes were read, otherwise what was met first.</returns>
    MemoryStatus Read(ulong address, Span<byte> buffer);
}

/// <summary>The kernel's virtual memory at the crash.</summary>
/// <remarks>Implementations may be read from several threads at once.</remarks>
public interface IVirtualMemory
{
    /// <summary>The bounds on what is believed of what this memory says: those that the dump was opened with.</summary>
    ReadLimits Limits => ReadLimits.Default;

    /// <summary>Order of the bytes of a word.</summary>
    ByteOrder ByteOrder { get; }

    /// <summary>Tells whether an address lies in the kernel's half, where all that the kernel points to is.</summary>
    /// <param name="address">A virtual address, or a word that may be one.</param>
    bool IsKernelAddress(ulong address);

    /// <summary>Reads bytes; a read may cross pages that are not neighbours in physical memory.</summary>
    /// <param name="address">Virtual address of the first byte.</param>
    /// <param name="buffer">Receives the bytes; its content is undefined unless the answer is <see cref="MemoryStatus.Ok"/>.</param>
    /// <returns><see cref="MemoryStatus.Ok"/> if all bytes were read, otherwise what was met first.</returns>
    MemoryStatus Read(ulong address, Span<byte> buffer);
}

/// <summary>Typed reads, in the byte order of the memory.</summary>
public static class MemoryReadExtensions
{
    /// <summary>A 64-bit word out of bytes that were read.</summary>
    /// <param name="memory">Where they were read.</param>
    /// <param name="bytes">At least eight bytes.</param>
    internal static ulong Word64(this IVirtualMemory memory, ReadOnlySpan<byte> bytes) =>
        memory.ByteOrder == ByteOrder.LittleEndian ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : BinaryPrimitives.ReadUInt64BigEndian(bytes);

    /// <summary>A 32-bit word out of bytes that were read.</summary>
    /// <param name="memory">Where they were read.</param>
    /// <param name="bytes">At least four bytes.</param>
    internal static uint Word32(this IVirtualMemory memory, ReadOnlySpan<byte> bytes) =>
        memory.ByteOrder == ByteOrder.LittleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);

    /// <summary>Reads a 64-bit word.</summary>
    /// <returns>True if it could be read.</returns>
    public static bool TryReadUInt64(this IVirtualMemory memory, ulong address, out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        bool ok = memory.Read(address, bytes) == MemoryStatus.Ok;
        value = ok ? memory.Word64(bytes) : 0;
        return ok;
    }

    /// <summary>Reads a 32-bit word.</summary>
    /// <returns>True if it could be read.</returns>
    public static bool TryReadUInt32(this IVirtualMemory memory, ulong address, out uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        bool ok = memory.Read(address, bytes) == MemoryStatus.Ok;
        value = ok ? memory.Word32(bytes) : 0;
        return ok;
    }

    /// <summary>Reads a byte.</summary>
    /// <param name="memory">Where it is read.</param>
    /// <param name="address">A virtual address.</param>
    /// <param name="value">Receives it; 0 if it could not be read.</param>
    /// <returns>True if it could be read.</returns>
    public static bool TryReadByte(this IVirtualMemory memory, ulong address, out byte value)
    {
        Span<byte> one = stackalloc byte[1];
        bool ok = memory.Read(address, one) == MemoryStatus.Ok;
        value = ok ? one[0] : (byte)0;
        return ok;
    }

    /// <summary>Reads a NUL-terminated string, at most <paramref name="limit"/> bytes of it; bytes that are no printable ASCII become <c>?</c>.</summary>
    /// <returns>True if a NUL was found within the limit.</returns>
    public static bool TryReadCString(this IVirtualMemory memory, ulong address, int limit, out string value)
    {
        value = "";
        Span<byte> bytes = stackalloc byte[64];
        var text = new System.Text.StringBuilder();
        while (text.Length < limit)
        {
            // Never cross a 64-byte line: the string may end just before an unmapped page.
            int step = 64 - (int)(address & 63);
            Span<byte> part = bytes[..step];
            if (memory.Read(address, part) != MemoryStatus.Ok)
                return false;
            int nul = part.IndexOf((byte)0);
            foreach (byte b in nul >= 0 ? part[..nul] : part)
                text.Append(b is >= 0x20 and < 0x7f ? (char)b : '?');
            if (nul >= 0)
            {
                value = text.ToString();
                return value.Length <= limit;
            }

            address += (ulong)step;
        }

        return false;
    }
}
