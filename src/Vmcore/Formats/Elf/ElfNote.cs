using System.Buffers.Binary;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>A note: name, type, and where its descriptor lies in the note area.</summary>
/// <param name="Name">Name without the NUL.</param>
/// <param name="Type">n_type.</param>
/// <param name="DescriptorOffset">Byte offset of the descriptor in the note area.</param>
/// <param name="DescriptorLength">Length of the descriptor in bytes.</param>
public sealed record ElfNote(string Name, uint Type, int DescriptorOffset, int DescriptorLength)
{
    /// <summary>True for the registers of one CPU (NT_PRSTATUS).</summary>
    public bool IsCpuStatus => Name == "CORE" && Type == ElfConstants.NotePrStatus;

    /// <summary>The descriptor.</summary>
    /// <param name="noteArea">The area that the note was parsed from.</param>
    public ReadOnlySpan<byte> Descriptor(ReadOnlySpan<byte> noteArea) => noteArea.Slice(DescriptorOffset, DescriptorLength);
}

/// <summary>Reads and appends notes. Name and descriptor are padded to 4 bytes, also in ELF-64.</summary>
internal static class ElfNotes
{
    private const int HeaderSize = 12;

    /// <summary>The build id of an object among its notes (NT_GNU_BUILD_ID), in lower-case hexadecimal digits; null if there is none.</summary>
    /// <param name="area">The notes.</param>
    public static string? FindBuildId(ReadOnlySpan<byte> area)
    {
        foreach (ElfNote note in Parse(area, out _))
        {
            if (note is { Name: "GNU", Type: 3, DescriptorLength: > 0 and <= 64 })
                return Convert.ToHexStringLower(note.Descriptor(area));
        }

        return null;
    }

    /// <summary>Parses a note area up to its end, the first empty name, or the first note that overruns the area.</summary>
    /// <param name="area">The bytes of the PT_NOTE segments.</param>
    /// <param name="problem">Receives null, or what was wrong with the note at which parsing ended.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <returns>The notes that are whole.</returns>
    public static IReadOnlyList<ElfNote> Parse(ReadOnlySpan<byte> area, out string? problem, ReadLimits? limits = null)
    {
        limits ??= ReadLimits.Default;
        problem = null;
        List<ElfNote> notes = [];
        int at = 0;
        while (area.Length - at >= HeaderSize)
        {
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(area[at..]);
            uint descriptorSize = BinaryPrimitives.ReadUInt32LittleEndian(area[(at + 4)..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(area[(at + 8)..]);
            if (nameSize == 0)
                break;
            if (notes.Count == limits.Notes)
            {
                problem = $"more than {limits.Notes} notes; the rest is ignored";
                break;
            }

            long nameEnd = at + HeaderSize + Pad(nameSize);
            long end = nameEnd + descriptorSize;
            if (end > area.Length)
            {
                problem = $"note {notes.Count} at 0x{at:x}: "
                    + $"name of {nameSize} and descriptor of {descriptorSize} bytes overrun the note area of {area.Length} bytes";
                break;
            }

            ReadOnlySpan<byte> name = area.Slice(at + HeaderSize, (int)nameSize).TrimEnd((byte)0);
            notes.Add(new(Encoding.Latin1.GetString(name), type, (int)nameEnd, (int)descriptorSize));
            at = (int)Math.Min(nameEnd + Pad(descriptorSize), area.Length);
        }

        return notes;
    }

    /// <summary>Bytes that a note takes, padding included.</summary>
    /// <param name="name">Name without the NUL.</param>
    /// <param name="descriptorLength">Length of the descriptor in bytes.</param>
    public static int SizeOf(string name, int descriptorLength) =>
        HeaderSize + (int)Pad((uint)name.Length + 1) + (int)Pad((uint)descriptorLength);

    /// <summary>Builds one note.</summary>
    public static byte[] Build(string name, uint type, ReadOnlySpan<byte> descriptor)
    {
        byte[] note = new byte[SizeOf(name, descriptor.Length)];
        BinaryPrimitives.WriteUInt32LittleEndian(note, (uint)name.Length + 1);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(4), (uint)descriptor.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(note.AsSpan(8), type);
        Encoding.Latin1.GetBytes(name, note.AsSpan(HeaderSize));
        descriptor.CopyTo(note.AsSpan(HeaderSize + (int)Pad((uint)name.Length + 1)));
        return note;
    }

    private static long Pad(uint size) => ((long)size + 3) & ~3L;
}
