using Vmcore.Architectures;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Stacks;

/// <summary>One sorted table of ORC, of the kernel's image or of a module: addresses (relative to their own place), and an entry for each.</summary>
internal sealed class OrcTable
{
    private const int MaxEntries = 8 << 20;

    private readonly IVirtualMemory _memory;
    private readonly OrcLayout _layout;
    private readonly ulong _addresses;
    private readonly ulong _entries;
    private readonly int _count;

    internal OrcTable(IVirtualMemory memory, OrcLayout layout, ulong addresses, ulong entries, int count)
    {
        _memory = memory;
        _layout = layout;
        _addresses = addresses;
        _entries = entries;
        _count = Math.Clamp(count, 0, MaxEntries);
    }

    /// <summary>The entry for an address: that of the last place at or below it.</summary>
    internal OrcEntry? Find(ulong address) => IndexOf(address) is >= 0 and var index ? EntryAt(index) : null;

    // Index of the last entry at or below an address; -1 if there is none, or the table cannot be read.
    private int IndexOf(ulong address)
    {
        int low = 0, high = _count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (AddressAt(middle) is not { } at)
                return -1;
            if (at <= address)
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }

    private OrcEntry? EntryAt(int index)
    {
        Span<byte> bytes = stackalloc byte[_layout.Size];
        return _memory.Read(_entries + ((ulong)index * (ulong)_layout.Size), bytes) == MemoryStatus.Ok ? _layout.Decode(bytes) : null;
    }

    private ulong? AddressAt(int index)
    {
        ulong slot = _addresses + (4 * (ulong)index);
        return _memory.TryReadUInt32(slot, out uint offset) ? unchecked(slot + (ulong)(int)offset) : null;
    }
}

/// <summary>
/// The layout of <c>struct orc_entry</c>, from the kernel's types: 6.3 and 6.4 moved its bits, and gave the types of frames other numbers.
/// </summary>
internal sealed class OrcLayout
{
    private const int MaxSize = 16;
    private const int MaxSamples = 4096;

    // What the numbers of an entry mean: up to 6.18 at least, and in 7.3. What that one does not use is not known here.
    private static readonly OrcRegister[] s_numbers =
        [OrcRegister.Undefined, OrcRegister.PreviousSp, OrcRegister.Dx, OrcRegister.Di, OrcRegister.Bp,
            OrcRegister.Sp, OrcRegister.R10, OrcRegister.R13, OrcRegister.BpIndirect, OrcRegister.SpIndirect];

    private static readonly OrcRegister[] s_newNumbers =
    [
        OrcRegister.Undefined, OrcRegister.Undefined, OrcRegister.Dx, OrcRegister.Sp, OrcRegister.Bp, OrcRegister.Undefined, OrcRegister.R10, OrcRegister.R13,
        OrcRegister.PreviousSp, OrcRegister.SpIndirect, OrcRegister.BpIndirect,
    ];

    private OrcRegister[] _numbers = s_numbers;
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

    /// <summary>Bytes of an entry.</summary>
    internal int Size { get; }

    internal static OrcLayout? TryFrom(KernelTypes types)
    {
        if (types.FindNamed(KernelTypeKind.Struct, "orc_entry") is not { Size: > 0 and <= MaxSize } type)
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
        byte[] bytes = new byte[Size * Math.Clamp(count, 0, MaxSamples)];
        int old = 0, changed = 0;
        int read = memory.ReadPrefix(entries, bytes);
        for (int at = 0; at + Size <= read; at += Size)
        {
            ulong number = Field(bytes.AsSpan(at, Size), _spRegister);
            old += number == (ulong)Array.IndexOf(s_numbers, OrcRegister.Sp) ? 1 : 0;
            changed += number == (ulong)Array.IndexOf(s_newNumbers, OrcRegister.Sp) ? 1 : 0;
        }

        _numbers = changed > old ? s_newNumbers : s_numbers;
    }

    internal OrcEntry Decode(ReadOnlySpan<byte> bytes)
    {
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
        Field(bytes, member) is var number && number < (ulong)_numbers.Length ? _numbers[number] : OrcRegister.Undefined;

    private static KernelTypeMember Need(KernelType type, string name) =>
        type.FindMember(name) ?? throw new KernelObjectException($"struct orc_entry has no {name}");

    private static ulong Field(ReadOnlySpan<byte> bytes, KernelTypeMember member)
    {
        int at = (int)(member.BitOffset / 8);
        return at < bytes.Length ? ScalarBits.Read(bytes[at..], (int)(member.BitOffset % 8), member.BitWidth, member.Type.Underlying()) : 0;
    }
}
