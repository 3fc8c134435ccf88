using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Architectures.X86_64;

/// <summary>Walks a stack by ORC: each step finds the caller's stack pointer, its frame pointer and where it goes on.</summary>
/// <param name="memory">The kernel's memory.</param>
/// <param name="find">Gives the entry for an address.</param>
/// <param name="function">Gives the start of the function that an address is in.</param>
internal sealed class OrcWalker(IVirtualMemory memory, Func<ulong, OrcEntry?> find, Func<ulong, ulong?> function) : IFrameWalker
{
    private const int MaxFrames = 512;
    private const int ReturnAddress = 8;

    // Code that the kernel generates has frame pointers (BPF programs, trampolines).
    private static readonly OrcEntry s_framePointer = new(OrcFrame.Call, OrcRegister.Bp, 16, OrcRegister.PreviousSp, -16);

    // A jump to address 0: the caller is what lies on the stack.
    private static readonly OrcEntry s_null = new(OrcFrame.Call, OrcRegister.Sp, ReturnAddress, OrcRegister.Undefined, 0);

    private ulong _ip;
    private ulong _sp;
    private ulong _bp;
    private CpuRegisters? _registers;
    private bool _interrupted;

    /// <inheritdoc/>
    public TaskStack Run(ulong ip, ulong sp, ulong fp, CpuRegisters? registers, bool interrupted)
    {
        (_ip, _sp, _bp, _registers, _interrupted) = (ip, sp, fp, registers, interrupted);
        List<StackFrame> frames = [];
        CpuRegisters? shown = registers;
        HashSet<(ulong, ulong)> seen = [];
        while (true)
        {
            frames.Add(new() { Address = _ip, StackPointer = _sp, IsInterrupted = _interrupted, Registers = shown });
            if (shown is { IsUser: true })
                return new(StackMethod.Orc, frames, null);
            if (frames.Count == MaxFrames)
                return new(StackMethod.Orc, frames, $"it has more than {MaxFrames} frames");
            if (!seen.Add((_ip, _sp)))
                return new(StackMethod.Orc, frames, "it leads back into itself");
            OrcEntry? found = _ip == 0 ? s_null : find(_interrupted ? _ip : _ip - 1);
            OrcEntry entry = found ?? s_framePointer;
            if (frames.Count == 1 && interrupted
                && (entry.Frame == OrcFrame.Undefined || (entry.Frame == OrcFrame.Call && !TryStackPointer(entry, out _))) && TryCaller())
            {
                shown = null;
                continue;
            }

            if (entry.Frame == OrcFrame.End)
                return new(StackMethod.Orc, frames, null);
            if (entry.Frame == OrcFrame.Undefined)
                return new(StackMethod.Orc, frames, $"nothing is known of how 0x{_ip:x} was called");
            if (Step(entry, out shown) is { } problem)
                return new(StackMethod.Orc, frames, problem);
        }
    }

    // The kernel has no entries for __crash_kexec, in which the registers of the CPU that panics are taken. The call that led there is on the stack:
    // the first word behind a call to the start of this very function. It saves no frame pointer.
    private bool TryCaller()
    {
        const int MaxWords = 512;
        const int CallLength = 5;
        const byte Call = 0xe8;
        if (function(_ip) is not { } start)
            return false;
        Span<byte> call = stackalloc byte[CallLength];
        for (ulong at = _sp; at < _sp + (8 * MaxWords) && memory.TryReadUInt64(at, out ulong address); at += 8)
        {
            if (function(address) is null || memory.Read(address - CallLength, call) != MemoryStatus.Ok || call[0] != Call)
                continue;
            if (unchecked(address + (ulong)BinaryPrimitives.ReadInt32LittleEndian(call[1..])) != start)
                continue;
            (_ip, _sp, _registers, _interrupted) = (address, at + 8, null, false);
            return true;
        }

        return false;
    }

    private string? Step(OrcEntry entry, out CpuRegisters? shown)
    {
        shown = null;
        if (!TryStackPointer(entry, out ulong sp))
            return $"the stack pointer of the caller of 0x{_ip:x} is not known";
        ulong oldSp = _sp, oldBp = _bp;
        bool fromInterrupt = false;
        switch (entry.Frame)
        {
            case OrcFrame.Call:
                if (!memory.TryReadUInt64(sp - ReturnAddress, out ulong ip))
                    return Unreadable(sp - ReturnAddress);
                (_ip, _sp) = (ip, sp);
                _registers = null;
                break;
            case OrcFrame.Registers:
                Span<byte> bytes = stackalloc byte[X86Registers.Set.Size];
                if (memory.Read(sp, bytes) != MemoryStatus.Ok)
                    return Unreadable(sp);
                shown = _registers = CpuRegisters.FromBytes(X86Registers.Set, bytes, memory.ByteOrder);
                (_ip, _sp, _bp) = (shown.InstructionPointer, shown.StackPointer, shown.FramePointer);
                fromInterrupt = true;
                break;
            default:
                // The CPU pushes ss, rsp, eflags, cs and rip.
                const int SavedSp = 24;
                if (!memory.TryReadUInt64(sp, out ip) || !memory.TryReadUInt64(sp + SavedSp, out ulong saved))
                    return Unreadable(sp);
                (_ip, _sp) = (ip, saved);
                fromInterrupt = true;
                break;
        }

        _interrupted = fromInterrupt;
        bool bpKnown = entry.BpRegister switch
        {
            OrcRegister.PreviousSp => memory.TryReadUInt64(unchecked(sp + (ulong)(long)entry.BpOffset), out _bp),
            OrcRegister.Bp => memory.TryReadUInt64(unchecked(oldBp + (ulong)(long)entry.BpOffset), out _bp),
            _ => true,
        };
        if (!bpKnown)
            return $"the frame pointer of the caller, saved for 0x{_ip:x}, cannot be read";

        // On one stack it goes up only; another stack is far away.
        const ulong SameStack = 16 << 10;
        return _sp <= oldSp && oldSp - _sp < SameStack && oldSp / SameStack == _sp / SameStack && entry.Frame == OrcFrame.Call
            ? "the stack pointer goes backwards"
            : null;
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
                if (!memory.TryReadUInt64(_sp, out sp))
                    return false;
                sp = unchecked(sp + offset);
                return true;
            case OrcRegister.BpIndirect:
                return memory.TryReadUInt64(unchecked(_bp + offset), out sp);
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
