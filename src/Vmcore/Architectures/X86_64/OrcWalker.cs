using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>Walks a stack by ORC: each step finds the caller's stack pointer, its frame pointer and where it goes on.</summary>
/// <remarks>Source of the rules: arch/x86/kernel/unwind_orc.c and Documentation/arch/x86/orc-unwinder.rst. The kernel goes on with a guess where it
/// finds nothing; here such a walk ends, and says so.</remarks>
/// <param name="around">The rooms above.</param>
/// <param name="find">Gives the entry for an address.</param>
internal sealed class OrcWalker(StackSurroundings around, Func<ulong, OrcEntry> find) : IFrameWalker
{
    private const int ReturnAddress = 8;

    // BPF programs and their trampolines have frame pointers.
    private static readonly OrcEntry s_framePointer = new(OrcFrame.Call, OrcRegister.Bp, 16, OrcRegister.PreviousSp, -16);

    private readonly IVirtualMemory _memory = around.Memory;
    private StackBounds _stacks = new(null, []);
    private ulong _ip;
    private ulong _sp;
    private ulong _bp;
    private CpuRegisters? _registers;
    private bool _interrupted;
    private bool _isUser;

    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted, StackBounds stacks)
    {
        (_ip, _sp, _bp, _registers, _interrupted, _stacks, _isUser) = (ip, sp, fp, registers, interrupted, stacks, registers is { IsUser: true });
        List<StackFrame> frames = [];
        CpuRegisters? shown = registers;
        _ = stacks.Step(sp, interrupted);
        while (true)
        {
            frames.Add(new() { Address = _ip, StackPointer = _sp, IsInterrupted = _interrupted, Registers = shown });
            if (_isUser)
                return new(StackMethod.Orc, frames, null);
            if (frames.Count == _memory.Limits.StackFrames)
                return TaskStack.Of(StackMethod.Orc, frames, $"it has more than {_memory.Limits.StackFrames} frames");
            string? problem = Advance(frames.Count == 1 && interrupted, out shown, out bool isEnd);
            if (problem is not null || isEnd)
                return TaskStack.Of(StackMethod.Orc, frames, problem);
        }
    }

    // To the caller; or to the end; or a clause on why neither is known.
    private string? Advance(bool isFirst, out CpuRegisters? shown, out bool isEnd)
    {
        shown = null;
        isEnd = false;
        if (_interrupted && !around.IsCode(_ip))
            return CallerOfNoCode();
        OrcEntry entry = find(_interrupted ? _ip : _ip - 1);
        if (entry.Frame == OrcFrame.Unreadable)
            return $"the unwind table that has 0x{_ip:x} cannot be read";
        if (entry.Frame == OrcFrame.Missing && around.IsFramed(_ip))
            entry = s_framePointer;
        bool isUnknown = entry.Frame is OrcFrame.Undefined or OrcFrame.Missing || (entry.Frame == OrcFrame.Call && !TryStackPointer(entry, out _));
        if (isFirst && isUnknown && TryCaller())
            return null;
        isEnd = entry.Frame == OrcFrame.End;
        return entry.Frame switch
        {
            OrcFrame.End => null,
            OrcFrame.Undefined or OrcFrame.Missing => $"nothing is known of how 0x{_ip:x} was called",
            _ => Step(entry, out shown, out isEnd),
        };
    }

    // A call to an address that is none of code (of a null pointer, mostly): nothing was pushed but where the call returns to.
    private string? CallerOfNoCode()
    {
        if (!_memory.TryReadUInt64(_sp, out ulong address))
            return Unreadable(_sp);
        if (!around.IsCode(address) || !IsBehindCall(address))
            return $"0x{_ip:x} is no code, and no call to it left its return address at 0x{_sp:x}";
        return _stacks.Step(_sp + ReturnAddress) ?? Found(address, _sp + ReturnAddress);
    }

    private string? Found(ulong address, ulong sp)
    {
        (_ip, _sp, _registers, _interrupted) = (address, sp, null, false);
        return null;
    }

    // E8 with a distance of four bytes, or FF /2 with an operand of one to six.
    private bool IsBehindCall(ulong address)
    {
        const int Longest = 7, DirectLength = 5;
        const byte Direct = 0xe8, Indirect = 0xff;
        Span<byte> code = stackalloc byte[Longest];
        if (_memory.Read(address - Longest, code) != MemoryStatus.Ok)
            return false;
        if (code[^DirectLength] == Direct)
            return true;
        foreach (int length in (ReadOnlySpan<int>)[2, 3, 4, 6, 7])
        {
            if (code[^length] == Indirect && (code[^(length - 1)] >> 3 & 7) == 2)
                return true;
        }

        return false;
    }

    // The kernel has no entries for __crash_kexec, in which the registers of the CPU that panics are taken. The call that led there is on the stack:
    // the first word behind a call to the start of this very function. It saves no frame pointer.
    private bool TryCaller()
    {
        const int CallLength = 5;
        const byte Call = 0xe8;
        if (around.FunctionAt(_ip) is not { } start || _stacks.StackOf(_sp) is not { } stack)
            return false;
        Span<byte> call = stackalloc byte[CallLength];
        ulong end = Math.Min(stack.End, _sp + (8 * _memory.Limits.StackWords));
        for (ulong at = _sp; at < end && _memory.TryReadUInt64(at, out ulong address); at += 8)
        {
            if (around.FunctionAt(address) is null || _memory.Read(address - CallLength, call) != MemoryStatus.Ok || call[0] != Call)
                continue;
            if (unchecked(address + (ulong)BinaryPrimitives.ReadInt32LittleEndian(call[1..])) != start)
                continue;
            return _stacks.Step(at + 8) is null && Found(address, at + 8) is null;
        }

        return false;
    }

    private string? Step(OrcEntry entry, out CpuRegisters? shown, out bool isEnd)
    {
        shown = null;
        isEnd = false;
        if (!TryStackPointer(entry, out ulong sp))
            return $"the stack pointer of the caller of 0x{_ip:x} is not known";
        ulong oldBp = _bp, ip, newSp = sp;
        CpuRegisters? saved = null;
        switch (entry.Frame)
        {
            case OrcFrame.Call:
                if (_stacks.StackOf(sp) is null)
                    return _stacks.Step(sp);
                if (!_memory.TryReadUInt64(sp - ReturnAddress, out ip))
                    return Unreadable(sp - ReturnAddress);
                if (!around.IsCode(ip))
                    return $"0x{ip:x}, which 0x{_ip:x} returns to, is no code";
                break;
            case OrcFrame.Registers:
                Span<byte> bytes = stackalloc byte[X86Registers.Set.Size];
                if (_stacks.StackOf(sp + (ulong)bytes.Length) is null)
                    return _stacks.Step(sp + (ulong)bytes.Length);
                if (_memory.Read(sp, bytes) != MemoryStatus.Ok)
                    return Unreadable(sp);
                saved = CpuRegisters.FromBytes(X86Registers.Set, bytes, _memory.ByteOrder);
                if (!X86Registers.ArePlausible(saved["cs"], saved["eflags"]))
                    return $"what lies at 0x{sp:x} are no registers of a CPU";
                (ip, newSp) = (saved.InstructionPointer, saved.StackPointer);
                break;
            default:
                // The CPU pushes ss, rsp, eflags, cs and rip.
                const int Cs = 8, Flags = 16, SavedSp = 24, Length = 40;
                if (_stacks.StackOf(sp + Length) is null)
                    return _stacks.Step(sp + Length);
                if (!_memory.TryReadUInt64(sp, out ip) || !_memory.TryReadUInt64(sp + Cs, out ulong cs) || !_memory.TryReadUInt64(sp + Flags, out ulong flags)
                    || !_memory.TryReadUInt64(sp + SavedSp, out newSp))
                    return Unreadable(sp);
                if (!X86Registers.ArePlausible(cs, flags))
                    return $"what lies at 0x{sp:x} is not what a CPU pushes at an exception";

                // From user mode: the entry code had not saved its registers yet.
                isEnd = (cs & 3) == 3;
                break;
        }

        _isUser = saved is { IsUser: true };
        if (isEnd)
            return null;
        bool isInterrupt = entry.Frame != OrcFrame.Call;
        if (!_isUser && _stacks.Step(newSp, isInterrupt) is { } problem)
            return problem;
        ulong bp = saved?.FramePointer ?? _bp;
        bool bpKnown = entry.BpRegister switch
        {
            OrcRegister.PreviousSp => _memory.TryReadUInt64(unchecked(sp + (ulong)(long)entry.BpOffset), out bp),
            OrcRegister.Bp => _memory.TryReadUInt64(unchecked(oldBp + (ulong)(long)entry.BpOffset), out bp),
            _ => true,
        };
        if (!bpKnown)
            return $"the frame pointer of the caller, saved for 0x{ip:x}, cannot be read";
        (_ip, _sp, _bp, _interrupted) = (ip, newSp, bp, isInterrupt);
        shown = saved;
        _registers = saved;
        return null;
    }

    private bool TryStackPointer(OrcEntry entry, out ulong sp)
    {
        ulong offset = unchecked((ulong)(long)entry.SpOffset);
        sp = 0;
        switch (entry.SpRegister)
        {
            case OrcRegister.Sp:
                sp = unchecked(_sp + offset);
                return true;
            case OrcRegister.Bp:
                sp = unchecked(_bp + offset);
                return true;
            case OrcRegister.SpIndirect:
                if (!_memory.TryReadUInt64(_sp, out sp))
                    return false;
                sp = unchecked(sp + offset);
                return true;
            case OrcRegister.BpIndirect:
                return _memory.TryReadUInt64(unchecked(_bp + offset), out sp);
            default:
                string? name = entry.SpRegister switch
                {
                    OrcRegister.R10 => "r10",
                    OrcRegister.R13 => "r13",
                    OrcRegister.Di => "rdi",
                    OrcRegister.Dx => "rdx",
                    _ => null,
                };
                if (name is null || _registers is null)
                    return false;
                sp = _registers[name];
                return true;
        }
    }

    private static string Unreadable(ulong address) => $"the stack at 0x{address:x} cannot be read";
}
