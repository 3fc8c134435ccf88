using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Architectures;

/// <summary>The registers of a CPU, as <c>struct pt_regs</c> and the note NT_PRSTATUS have them.</summary>
public sealed record CpuRegisters
{
    private readonly RegisterSet _set;
    private readonly ulong[] _values;

    private CpuRegisters(RegisterSet set, ulong[] values) => (_set, _values) = (set, values);

    /// <summary>Names in the order of the structure.</summary>
    public IReadOnlyList<string> Names => _set.Names;

    /// <summary>Names in the order in which people know them, a line each.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Lines => _set.Lines;

    /// <summary>A register by its name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such register.</exception>
    public ulong this[string name] =>
        Array.IndexOf(_set.Names, name) is >= 0 and var index ? _values[index] : throw new ArgumentException($"there is no register {name}", nameof(name));

    /// <summary>Instruction pointer.</summary>
    public ulong InstructionPointer => _values[_set.InstructionPointer];

    /// <summary>Stack pointer.</summary>
    public ulong StackPointer => _values[_set.StackPointer];

    /// <summary>Frame pointer.</summary>
    public ulong FramePointer => _values[_set.FramePointer];

    /// <summary>True if the CPU was in user mode.</summary>
    public bool IsUser => (_values[_set.Mode] & _set.ModeMask) == _set.UserMode;

    /// <summary>True if all are 0, as where nobody wrote them. The instruction pointer alone may be: a call of NULL.</summary>
    internal bool AreEmpty => !_values.AsSpan().ContainsAnyExcept(0UL);

    /// <summary>Writes them as a core file of a process has them.</summary>
    /// <param name="bytes">Receives them, little-endian; the words that only core files have stay as they are.</param>
    internal void CopyTo(Span<byte> bytes)
    {
        for (int i = 0; i < _values.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[(i * sizeof(ulong))..], _values[i]);
    }

    /// <summary>Reads a <c>struct pt_regs</c>.</summary>
    /// <param name="set">The registers.</param>
    /// <param name="bytes">At least as many bytes as the set has.</param>
    /// <param name="order">Order of the bytes of a word.</param>
    internal static CpuRegisters FromBytes(RegisterSet set, ReadOnlySpan<byte> bytes, ByteOrder order)
    {
        ulong[] values = new ulong[set.Names.Length];
        for (int i = 0; i < values.Length; i++)
        {
            ReadOnlySpan<byte> word = bytes[(i * sizeof(ulong))..];
            values[i] = order == ByteOrder.LittleEndian ? BinaryPrimitives.ReadUInt64LittleEndian(word) : BinaryPrimitives.ReadUInt64BigEndian(word);
        }

        return new(set, values);
    }

    /// <summary>Reads the descriptor of a note NT_PRSTATUS.</summary>
    /// <param name="set">The registers.</param>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="order">Order of the bytes of a word.</param>
    /// <param name="pid">Number of the task, as the note has it.</param>
    /// <returns>Null if it is too short.</returns>
    internal static CpuRegisters? TryFromNote(RegisterSet set, ReadOnlySpan<byte> descriptor, ByteOrder order, out int pid)
    {
        const int PidOffset = 32;
        pid = 0;
        if (descriptor.Length < set.NoteOffset + set.Size)
            return null;
        ReadOnlySpan<byte> number = descriptor[PidOffset..];
        pid = order == ByteOrder.LittleEndian ? BinaryPrimitives.ReadInt32LittleEndian(number) : BinaryPrimitives.ReadInt32BigEndian(number);
        return FromBytes(set, descriptor[set.NoteOffset..], order);
    }
}
