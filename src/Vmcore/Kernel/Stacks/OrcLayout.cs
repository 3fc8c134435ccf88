using Vmcore.Architectures;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Stacks;

/// <summary>
/// The layout of <c>struct orc_entry</c>, from the kernel's types: 6.3 and 6.4 moved its bits, and gave the types of frames other numbers.
/// </summary>
internal sealed class OrcLayout : IOrcFormat
{
    private const int LargestEntry = 16;
    private const int Samples = 4096;

    // What the numbers of an entry mean: up to 6.18 at least, and in 7.3. What that one does not use is not known here.
    private static readonly OrcRegister[] s_numbers =
        [OrcRegister.Undefined, OrcRegister.PreviousSp, OrcRegister.Dx, OrcRegister.Di, OrcRegister.Bp,
            OrcRegister.Sp, OrcRegister.R10, OrcRegister.R13, OrcRegister.BpIndirect, OrcRegister.SpIndirect];

    private static readonly OrcRegister[] s_newNumbers =
    [
        OrcRegister.Undefined, OrcRegister.Undefined, OrcRegister.Dx, OrcRegister.Sp, OrcRegister.Bp, OrcRegister.Undefined, OrcRegister.R10, OrcRegister.R13,
        OrcRegister.PreviousSp, OrcRegister.SpIndirect, OrcRegister.BpIndirect,
    ];

    private OrcRegister[]? _numbers;
    private readonly KernelTypeMember _spOffset;
    private readonly KernelTypeMember _bpOffset;
    private readonly KernelTypeMember _spRegister;
    private readonly KernelTypeMember _bpRegister;
    private readonly KernelTypeMember _frame;
    private readonly KernelTypeMember? _end;

    private OrcLayout(KernelType type)
    {
        Size = (int)type.Size.GetValueOrDefault();
        _spOffset = Need(type, "sp_offset");
        _bpOffset = Need(type, "bp_offset");
        _spRegister = Need(type, "sp_reg");
        _bpRegister = Need(type, "bp_reg");
        _frame = Need(type, "type");
        _end = type.FindMember("end");
    }

    /// <inheritdoc/>
    public int Size { get; }

    internal static OrcLayout? TryFrom(KernelTypes types)
    {
        if (types.FindNamed(KernelTypeKind.Struct, "orc_entry") is not { Size: > 0 and <= LargestEntry } type)
            return null;
        try
        {
            return new(type);
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    /// <summary>Finds out how the kernel numbers registers, which its types do not say: most frames by far are found by the stack pointer.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="entries">Virtual address of the entries of the kernel's image.</param>
    /// <param name="count">Number of entries.</param>
    internal void LearnNumbers(IVirtualMemory memory, ulong entries, int count)
    {
        // Any part of the table tells: the first that can be read.
        const int Parts = 16;
        byte[] bytes = new byte[Size * Math.Clamp(count, 0, Samples)];
        int old = 0, changed = 0;
        for (int part = 0; part < Parts && old == changed; part++)
        {
            ulong start = entries + ((ulong)Size * (ulong)((long)Math.Max(0, count - Samples) * part / Parts));
            int read = memory.ReadPrefix(start, bytes);
            for (int at = 0; at + Size <= read; at += Size)
            {
                ulong number = Field(bytes.AsSpan(at, Size), _spRegister);
                old += number == (ulong)Array.IndexOf(s_numbers, OrcRegister.Sp) ? 1 : 0;
                changed += number == (ulong)Array.IndexOf(s_newNumbers, OrcRegister.Sp) ? 1 : 0;
            }
        }

        _numbers = changed > old ? s_newNumbers : old > changed ? s_numbers : null;
    }

    /// <inheritdoc/>
    public OrcEntry Decode(ReadOnlySpan<byte> bytes)
    {
        if (_numbers is null)
            return OrcEntry.Unreadable;
        int frame = (int)Field(bytes, _frame);
        bool hasEndBit = _end is not null;

        // Before 6.4: 0 call, 1 registers, 2 part of them, and a bit of its own for the end of the stack. Since then: 0 undefined, 1 end, 2 call, 3, 4.
        OrcFrame kind = hasEndBit
            ? Field(bytes, _end!) != 0 ? OrcFrame.End : frame switch
            {
                0 => OrcFrame.Call,
                1 => OrcFrame.Registers,
                2 => OrcFrame.Interrupt,
                _ => OrcFrame.Undefined,
            }
            : frame switch { 1 => OrcFrame.End, 2 => OrcFrame.Call, 3 => OrcFrame.Registers, 4 => OrcFrame.Interrupt, _ => OrcFrame.Undefined };
        return new(
            kind,
            RegisterOf(bytes, _spRegister),
            (short)Field(bytes, _spOffset),
            RegisterOf(bytes, _bpRegister),
            (short)Field(bytes, _bpOffset));
    }

    private OrcRegister RegisterOf(ReadOnlySpan<byte> bytes, KernelTypeMember member) =>
        Field(bytes, member) is var number && number < (ulong)_numbers!.Length ? _numbers[number] : OrcRegister.Undefined;

    private static KernelTypeMember Need(KernelType type, string name) =>
        type.FindMember(name) ?? throw new KernelObjectException($"struct orc_entry has no {name}");

    private static ulong Field(ReadOnlySpan<byte> bytes, KernelTypeMember member)
    {
        int at = (int)(member.BitOffset / 8);
        return at < bytes.Length ? ScalarBits.Read(bytes[at..], (int)(member.BitOffset % 8), member.BitWidth, member.Type.Underlying()) : 0;
    }
}
