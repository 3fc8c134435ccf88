using System.Buffers.Binary;

namespace Vmcore.Kernel.Stacks;

/// <summary>The registers of an x86_64 CPU, as <c>struct pt_regs</c> and the note NT_PRSTATUS have them.</summary>
public sealed record CpuRegisters
{
    /// <summary>Bytes of <c>struct pt_regs</c>.</summary>
    internal const int Size = 21 * sizeof(ulong);

    // Offset of the registers in the descriptor of NT_PRSTATUS.
    private const int NoteOffset = 112;

    private static readonly string[] s_names =
        ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss"];

    private readonly ulong[] _values;

    private CpuRegisters(ulong[] values) => _values = values;

    /// <summary>Names in the order of the structure.</summary>
    public static IReadOnlyList<string> Names => s_names;

    /// <summary>A register by its name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <exception cref="ArgumentException">There is no such register.</exception>
    public ulong this[string name] =>
        Array.IndexOf(s_names, name) is >= 0 and var index ? _values[index] : throw new ArgumentException($"there is no register {name}", nameof(name));

    /// <summary>Instruction pointer.</summary>
    public ulong Rip => _values[16];

    /// <summary>Stack pointer.</summary>
    public ulong Rsp => _values[19];

    /// <summary>Frame pointer.</summary>
    public ulong Rbp => _values[4];

    /// <summary>True if the CPU was in user mode.</summary>
    public bool IsUser => (_values[17] & 3) == 3;

    /// <summary>Reads a <c>struct pt_regs</c>.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    internal static CpuRegisters FromBytes(ReadOnlySpan<byte> bytes)
    {
        ulong[] values = new ulong[s_names.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * sizeof(ulong))..]);
        return new(values);
    }

    /// <summary>Reads the descriptor of a note NT_PRSTATUS.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="pid">Number of the task, as the note has it.</param>
    /// <returns>Null if it is too short.</returns>
    internal static CpuRegisters? TryFromNote(ReadOnlySpan<byte> descriptor, out int pid)
    {
        const int PidOffset = 32;
        pid = 0;
        if (descriptor.Length < NoteOffset + Size)
            return null;
        pid = BinaryPrimitives.ReadInt32LittleEndian(descriptor[PidOffset..]);
        return FromBytes(descriptor[NoteOffset..]);
    }
}
