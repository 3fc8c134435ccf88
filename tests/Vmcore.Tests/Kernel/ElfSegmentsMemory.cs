using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Tests.Kernel;

/// <summary>The memory of a raw ELF dump by the p_vaddr of its PT_LOADs: kernel text and direct map, no page tables.</summary>
internal sealed class ElfSegmentsMemory : IVirtualMemory, IDisposable
{
    private readonly FileStream _file;
    private readonly List<(ulong Start, ulong End, long Offset, bool IsText)> _segments = [];

    public ElfSegmentsMemory(string path)
    {
        _file = File.OpenRead(path);
        byte[] header = Read(0, 64);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(56));
        long table = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(32));
        for (int i = 0; i < count; i++)
        {
            byte[] entry = Read(table + (56 * i), 56);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(entry);
            long offset = BinaryPrimitives.ReadInt64LittleEndian(entry.AsSpan(8));
            ulong start = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(16));
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(32));
            if (type == 4)
                VmcoreInfo = FindVmcoreInfo(Read(offset, (int)length));
            if (type == 1)
                _segments.Add((start, start + length, offset, start >= 0xffffffff80000000));
        }
    }

    public byte[] VmcoreInfo { get; } = [];

    /// <summary>Virtual addresses of the kernel's text segment.</summary>
    public (ulong Start, ulong End) Text => _segments.Where(s => s.IsText).Select(s => (s.Start, s.End)).First();

    public MemoryStatus Read(ulong address, Span<byte> buffer)
    {
        foreach (var segment in _segments)
        {
            if (address < segment.Start || address >= segment.End)
                continue;
            if (segment.End - address < (ulong)buffer.Length)
                return MemoryStatus.Hole;
            return RandomAccess.Read(_file.SafeFileHandle, buffer, segment.Offset + (long)(address - segment.Start)) == buffer.Length ? MemoryStatus.Ok : MemoryStatus.Unreadable;
        }

        return MemoryStatus.NotMapped;
    }

    public void Dispose() => _file.Dispose();

    private static byte[] FindVmcoreInfo(ReadOnlySpan<byte> notes)
    {
        int at = notes.IndexOf("VMCOREINFO\0"u8);
        int length = BinaryPrimitives.ReadInt32LittleEndian(notes[(at - 8)..]);
        return notes.Slice(at + 12, length).ToArray();
    }

    private byte[] Read(long offset, int length)
    {
        byte[] bytes = new byte[length];
        _file.Position = offset;
        _file.ReadExactly(bytes);
        return bytes;
    }
}
