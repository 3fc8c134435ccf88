using System.Buffers.Binary;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Formats.Elf;

/// <summary>A note that is known but not held: the dump that a driver made of its device, of any size.</summary>
/// <param name="Name">Name without the NUL, cut at <see cref="ReadLimits.NoteNameBytes"/>.</param>
/// <param name="Type">n_type.</param>
/// <param name="FileOffset">Byte offset of the note's header in the file.</param>
/// <param name="Length">Bytes of header, name and descriptor, padding included where the file has it.</param>
internal sealed record LargeNote(string Name, uint Type, long FileOffset, long Length);

/// <summary>
/// Walks the notes of a file. Kernels with CONFIG_PROC_VMCORE_DEVICE_DUMP put device dumps of 30 MB and more for each adapter in front of the registers and
/// vmcoreinfo: such notes are stepped over, and the small ones are held.
/// </summary>
internal sealed class NoteWalk(IByteSource source, ReadLimits limits)
{
    private const int HeaderSize = 12;
    private const int WindowBytes = 4000;
    private const int Small = 1 << 20;

    private readonly MemoryStream _area = new();
    private readonly List<ElfNote> _notes = [];
    private readonly List<LargeNote> _large = [];
    private readonly byte[] _window = new byte[Math.Max(WindowBytes, HeaderSize + limits.NoteNameBytes)];
    private long _windowStart = -1;
    private int _windowLength;
    private int _areas;

    /// <summary>The held notes, as the file has them, one after the other.</summary>
    internal ReadOnlyMemory<byte> Area => _area.GetBuffer().AsMemory(0, (int)_area.Length);

    /// <summary>The held notes.</summary>
    internal IReadOnlyList<ElfNote> Notes => _notes;

    /// <summary>The notes that are too large to be held.</summary>
    internal IReadOnlyList<LargeNote> Large => _large;

    /// <summary>True if no more notes are taken.</summary>
    internal bool IsFull => _areas > limits.Notes || _notes.Count + _large.Count >= limits.Notes;

    /// <summary>Walks one area: up to its end, the first empty name, or the first note that overruns it.</summary>
    /// <param name="offset">Byte offset in the file.</param>
    /// <param name="size">Bytes, all of them inside the file.</param>
    /// <returns>What was wrong with the note at which the walk ended; null for nothing.</returns>
    internal string? Add(long offset, long size)
    {
        // Headers may name the same bytes again and again, also such without a note.
        _areas++;
        long at = 0;
        for (int number = 0; size - at >= HeaderSize; number++)
        {
            ReadOnlySpan<byte> head = Window(offset + at, HeaderSize);
            if (head.Length < HeaderSize)
                return $"note {number} at 0x{at:x} cannot be read";
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(head), descriptorSize = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
            if (nameSize == 0)
                return null;
            if (IsFull)
                return $"more than {limits.Notes} notes; the rest is ignored";
            long toDescriptor = HeaderSize + Pad(nameSize), length = toDescriptor + descriptorSize;
            if (length > size - at)
            {
                return $"note {number} at 0x{at:x}: "
                    + $"name of {nameSize} and descriptor of {descriptorSize} bytes overrun the note area of {size} bytes";
            }

            string name = Name(offset + at + HeaderSize, nameSize);

            // Half of the room is left to the small ones, which come last and matter most.
            int room = descriptorSize > Small ? limits.HeldNotesBytes / 2 : limits.HeldNotesBytes;
            if (nameSize > limits.NoteNameBytes || descriptorSize > limits.HeldNoteBytes || _area.Length + length + 3 > room)
                _large.Add(new(name, type, offset + at, length));
            else if (!Hold(offset + at, (int)length, name, type, (int)toDescriptor, (int)descriptorSize))
                return $"note {number} at 0x{at:x} cannot be read";
            at += toDescriptor + Pad(descriptorSize);
        }

        return null;
    }

    private bool Hold(long offset, int length, string name, uint type, int toDescriptor, int descriptorSize)
    {
        int start = (int)_area.Length;
        _area.SetLength(start + ((length + 3) & ~3));
        if (source.Read(offset, _area.GetBuffer().AsSpan(start, length)) != length)
        {
            _area.SetLength(start);
            return false;
        }

        _notes.Add(new(name, type, start + toDescriptor, descriptorSize));
        return true;
    }

    private string Name(long offset, uint size)
    {
        ReadOnlySpan<byte> name = Window(offset, (int)Math.Min(size, (uint)limits.NoteNameBytes)).TrimEnd((byte)0);
        return name switch
        {
            // A hundred thousand CPUs have one name.
            _ when name.SequenceEqual("CORE"u8) => "CORE",
            _ when name.SequenceEqual("VMCOREINFO"u8) => "VMCOREINFO",
            _ => Encoding.Latin1.GetString(name),
        };
    }

    private ReadOnlySpan<byte> Window(long offset, int count)
    {
        if (_windowStart < 0 || offset < _windowStart || offset + count > _windowStart + _windowLength)
        {
            _windowStart = offset;
            _windowLength = source.Read(offset, _window);
        }

        int at = (int)(offset - _windowStart);
        return _window.AsSpan(at, Math.Clamp(_windowLength - at, 0, count));
    }

    private static long Pad(uint size) => ((long)size + 3) & ~3L;
}
