using System.Buffers.Binary;
using Vmcore.Formats.Elf;

namespace Vmcore.Tests.Formats.Elf;

/// <summary>Core files made header by header, so that each field can lie.</summary>
internal sealed class ElfBytes
{
    private const int NotesAt = 0x2000, DataAt = 0x4000;

    public List<ElfSegment> Segments { get; } = [];

    /// <summary>e_phnum; null is the truth.</summary>
    public ushort? Count { get; init; }

    /// <summary>e_shoff.</summary>
    public ulong SectionOffset { get; init; }

    public ulong TableOffset { get; init; } = 64;

    /// <summary>sh_info of section header 0.</summary>
    public uint SectionInfo { get; init; }

    /// <summary>e_shentsize.</summary>
    public ushort SectionSize { get; init; } = 64;

    public ushort HeaderSize { get; init; } = 64;

    public ushort EntrySize { get; init; } = 56;

    public byte[] Notes { get; init; } = [];

    /// <summary>p_filesz and p_memsz of the PT_NOTE; null is the truth.</summary>
    public (ulong File, ulong Memory)? NoteSizes { get; init; }

    public byte[] Data { get; init; } = [];

    /// <summary>Adds a PT_LOAD whose bytes start at an offset in <see cref="Data"/>.</summary>
    public ElfBytes Load(ulong physical, ulong dataOffset, ulong fileSize, ulong? memorySize = null, uint flags = 7, ulong virtualAddress = 0)
    {
        Segments.Add(new(1, flags, DataAt + dataOffset, virtualAddress, physical, fileSize, memorySize ?? fileSize, 0));
        return this;
    }

    public byte[] Build()
    {
        byte[] file = new byte[DataAt + Data.Length];
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(file, 0);
        Half(file, 16, 4);
        Half(file, 18, 62);
        Word(file, 32, TableOffset);
        Word(file, 40, SectionOffset);
        Half(file, 52, HeaderSize);
        Half(file, 54, EntrySize);
        Half(file, 56, Count ?? (ushort)(Segments.Count + 1));
        Half(file, 58, SectionSize);
        if (SectionOffset > 0 && SectionOffset + 64 <= NotesAt)
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan((int)SectionOffset + 44), SectionInfo);
        (ulong noteFile, ulong noteMemory) = NoteSizes ?? ((ulong)Notes.Length, (ulong)Notes.Length);
        ElfSegment[] all = [new(4, 0, NotesAt, 0, 0, noteFile, noteMemory, 0), .. Segments];
        for (int i = 0; i < all.Length && TableOffset + ((ulong)(i + 1) * 56) <= NotesAt; i++)
        {
            int at = (int)TableOffset + (i * 56);
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), all[i].Type);
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at + 4), all[i].Flags);
            Word(file, at + 8, all[i].Offset);
            Word(file, at + 16, all[i].VirtualAddress);
            Word(file, at + 24, all[i].PhysicalAddress);
            Word(file, at + 32, all[i].FileSize);
            Word(file, at + 40, all[i].MemorySize);
        }

        Notes.CopyTo(file, NotesAt);
        Data.CopyTo(file, DataAt);
        return file;
    }

    private static void Half(byte[] file, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);

    private static void Word(byte[] file, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
}
