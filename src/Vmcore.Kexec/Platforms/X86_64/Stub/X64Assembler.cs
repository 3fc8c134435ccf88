using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>
/// A small assembler of x86-64 machine code: the instructions that the stub needs, labels, and data. Code is position
/// independent but for the absolute addresses of <see cref="Address"/>, which <see cref="Assemble"/> fills in.
/// </summary>
internal sealed class X64Assembler
{
    private readonly List<byte> _code = [];
    private readonly List<(int At, Label Target)> _relative = [];
    private readonly List<(int At, Label Target)> _absolute = [];

    /// <summary>Bytes so far.</summary>
    public int Length => _code.Count;

    /// <summary>Fixes all references and gives the code.</summary>
    /// <param name="address">Address at which the code will run.</param>
    public byte[] Assemble(ulong address)
    {
        byte[] code = [.. _code];
        foreach ((int at, Label target) in _relative)
            BinaryPrimitives.WriteInt32LittleEndian(code.AsSpan(at), Bound(target) - (at + 4));
        foreach ((int at, Label target) in _absolute)
            BinaryPrimitives.WriteUInt64LittleEndian(code.AsSpan(at), address + (ulong)Bound(target));
        return code;
    }

    /// <summary>Gives the label the current place.</summary>
    public void Bind(Label label)
    {
        if (label.Offset >= 0)
            throw new InvalidOperationException("The label is bound already.");
        label.Offset = _code.Count;
    }

    /// <summary>Gives the label a place behind the code, for memory that the image does not hold.</summary>
    public static void BindAt(Label label, int offset) => label.Offset = offset;

    // --- data ---

    /// <summary>Fills with zeros up to a multiple of <paramref name="alignment"/>.</summary>
    public void Align(int alignment)
    {
        while (_code.Count % alignment != 0)
            _code.Add(0);
    }

    /// <summary>Raw bytes.</summary>
    public void Bytes(ReadOnlySpan<byte> bytes) => _code.AddRange(bytes);

    /// <summary>A 16-bit word.</summary>
    public void Word(ushort value) => Bytes([(byte)value, (byte)(value >> 8)]);

    /// <summary>A 32-bit word.</summary>
    public void Dword(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Bytes(bytes);
    }

    /// <summary>A 64-bit word.</summary>
    public void Qword(ulong value)
    {
        Dword((uint)value);
        Dword((uint)(value >> 32));
    }

    /// <summary>The absolute address of a label, 64 bits.</summary>
    public void Address(Label label)
    {
        _absolute.Add((_code.Count, label));
        Qword(0);
    }

    // --- moves ---

    /// <summary>rep movsq: copies rcx words of 64 bits from rsi to rdi.</summary>
    public void RepMovsq() => Bytes([0xf3, 0x48, 0xa5]);

    /// <summary>mov r32, r32 (clears the upper half).</summary>
    public void Mov32(Reg to, Reg from) => RegReg(0x89, from, to, wide: false);

    /// <summary>mov r64, r64.</summary>
    public void Mov64(Reg to, Reg from) => RegReg(0x89, from, to, wide: true);

    /// <summary>mov r32, imm32.</summary>
    public void Mov32(Reg to, uint value)
    {
        Rex(false, 0, 0, (int)to);
        _code.Add((byte)(0xb8 | ((int)to & 7)));
        Dword(value);
    }

    /// <summary>mov r64, imm64.</summary>
    public void Mov64(Reg to, ulong value)
    {
        Rex(true, 0, 0, (int)to);
        _code.Add((byte)(0xb8 | ((int)to & 7)));
        Qword(value);
    }

    /// <summary>mov r32, [m].</summary>
    public void Load32(Reg to, Mem from) => RegMem([0x8b], to, from, wide: false);

    /// <summary>mov r64, [m].</summary>
    public void Load64(Reg to, Mem from) => RegMem([0x8b], to, from, wide: true);

    /// <summary>movzx r32, byte [m].</summary>
    public void LoadByte(Reg to, Mem from) => RegMem([0x0f, 0xb6], to, from, wide: false);

    /// <summary>mov [m], r32.</summary>
    public void Store32(Mem to, Reg from) => RegMem([0x89], from, to, wide: false);

    /// <summary>lea r64, [m].</summary>
    public void Lea(Reg to, Mem of) => RegMem([0x8d], to, of, wide: true);

    /// <summary>mov sreg, r32.</summary>
    public void MovSegment(SegmentReg to, Reg from) => Bytes([0x8e, (byte)(0xc0 | ((int)to << 3) | ((int)from & 7))]);

    /// <summary>push r64.</summary>
    public void Push(Reg reg)
    {
        Rex(false, 0, 0, (int)reg);
        _code.Add((byte)(0x50 | ((int)reg & 7)));
    }

    /// <summary>pop r64.</summary>
    public void Pop(Reg reg)
    {
        Rex(false, 0, 0, (int)reg);
        _code.Add((byte)(0x58 | ((int)reg & 7)));
    }

    /// <summary>push imm8, sign-extended to 64 bits.</summary>
    public void Push(sbyte value) => Bytes([0x6a, (byte)value]);

    // --- arithmetic ---

    /// <summary>add r32, r32.</summary>
    public void Add32(Reg to, Reg from) => RegReg(0x01, from, to, wide: false);

    /// <summary>add r32, [m].</summary>
    public void Add32(Reg to, Mem from) => RegMem([0x03], to, from, wide: false);

    /// <summary>add [m], r32.</summary>
    public void AddTo32(Mem to, Reg from) => RegMem([0x01], from, to, wide: false);

    /// <summary>xor r32, r32.</summary>
    public void Xor32(Reg to, Reg from) => RegReg(0x31, from, to, wide: false);

    /// <summary>and r32, r32.</summary>
    public void And32(Reg to, Reg from) => RegReg(0x21, from, to, wide: false);

    /// <summary>or r32, r32.</summary>
    public void Or32(Reg to, Reg from) => RegReg(0x09, from, to, wide: false);

    /// <summary>cmp r32, [m].</summary>
    public void Cmp32(Reg left, Mem right) => RegMem([0x3b], left, right, wide: false);

    /// <summary>test r64, r64.</summary>
    public void Test64(Reg left, Reg right) => RegReg(0x85, right, left, wide: true);

    /// <summary>test r32, r32.</summary>
    public void Test32(Reg left, Reg right) => RegReg(0x85, right, left, wide: false);

    /// <summary>add r64, imm32.</summary>
    public void Add64(Reg to, int value) => Immediate(0, to, value);

    /// <summary>sub r64, imm32.</summary>
    public void Sub64(Reg to, int value) => Immediate(5, to, value);

    /// <summary>cmp r64, imm32.</summary>
    public void Cmp64(Reg left, int value) => Immediate(7, left, value);

    /// <summary>ror r32, imm8.</summary>
    public void Ror32(Reg reg, byte count) => Shift(1, reg, count, wide: false);

    /// <summary>shr r32, imm8.</summary>
    public void Shr32(Reg reg, byte count) => Shift(5, reg, count, wide: false);

    /// <summary>shr r64, imm8.</summary>
    public void Shr64(Reg reg, byte count) => Shift(5, reg, count, wide: true);

    /// <summary>bswap r32.</summary>
    public void Bswap32(Reg reg)
    {
        Rex(false, 0, 0, (int)reg);
        Bytes([0x0f, (byte)(0xc8 | ((int)reg & 7))]);
    }

    // --- control ---

    /// <summary>jmp label.</summary>
    public void Jump(Label target)
    {
        _code.Add(0xe9);
        Relative(target);
    }

    /// <summary>jcc label.</summary>
    public void Jump(Condition condition, Label target)
    {
        Bytes([0x0f, (byte)(0x80 | (int)condition)]);
        Relative(target);
    }

    /// <summary>jmp r64.</summary>
    public void Jump(Reg target)
    {
        Rex(false, 0, 0, (int)target);
        Bytes([0xff, (byte)(0xe0 | ((int)target & 7))]);
    }

    /// <summary>call label.</summary>
    public void Call(Label target)
    {
        _code.Add(0xe8);
        Relative(target);
    }

    /// <summary>ret.</summary>
    public void Ret() => _code.Add(0xc3);

    /// <summary>retfq: pops rip, then cs.</summary>
    public void RetFar() => Bytes([0x48, 0xcb]);

    /// <summary>cli.</summary>
    public void Cli() => _code.Add(0xfa);

    /// <summary>cld.</summary>
    public void Cld() => _code.Add(0xfc);

    /// <summary>ud2: an invalid opcode on purpose.</summary>
    public void Ud2() => Bytes([0x0f, 0x0b]);

    /// <summary>in al, dx.</summary>
    public void In() => _code.Add(0xec);

    /// <summary>out dx, al.</summary>
    public void Out() => _code.Add(0xee);

    /// <summary>test al, imm8.</summary>
    public void TestAl(byte mask) => Bytes([0xa8, mask]);

    /// <summary>lgdt [label].</summary>
    public void Lgdt(Label descriptor) => RegMem([0x0f, 0x01], (Reg)2, Mem.At(descriptor), wide: false);

    /// <summary>lidt [label].</summary>
    public void Lidt(Label descriptor) => RegMem([0x0f, 0x01], (Reg)3, Mem.At(descriptor), wide: false);

    // --- encoding ---

    private static int Bound(Label label) =>
        label.Offset >= 0 ? label.Offset : throw new InvalidOperationException("A label that is used was never bound.");

    private void Relative(Label target)
    {
        _relative.Add((_code.Count, target));
        Dword(0);
    }

    private void Rex(bool wide, int reg, int index, int @base)
    {
        int rex = 0x40 | (wide ? 8 : 0) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (@base >> 3);
        if (rex != 0x40)
            _code.Add((byte)rex);
    }

    private void RegReg(byte opcode, Reg reg, Reg rm, bool wide)
    {
        Rex(wide, (int)reg, 0, (int)rm);
        Bytes([opcode, (byte)(0xc0 | (((int)reg & 7) << 3) | ((int)rm & 7))]);
    }

    private void Immediate(int operation, Reg rm, int value)
    {
        Rex(true, 0, 0, (int)rm);
        Bytes([0x81, (byte)(0xc0 | (operation << 3) | ((int)rm & 7))]);
        Dword((uint)value);
    }

    private void Shift(int operation, Reg rm, byte count, bool wide)
    {
        Rex(wide, 0, 0, (int)rm);
        Bytes([0xc1, (byte)(0xc0 | (operation << 3) | ((int)rm & 7)), count]);
    }

    private void RegMem(ReadOnlySpan<byte> opcode, Reg reg, Mem mem, bool wide)
    {
        Rex(wide, (int)reg, (int)(mem.Index ?? 0), (int)(mem.Base ?? 0));
        Bytes(opcode);
        int field = ((int)reg & 7) << 3;
        if (mem.Label is { } label)
        {
            _code.Add((byte)(field | 5));
            Relative(label);
            return;
        }

        // Always a 32-bit displacement: a few bytes more, and no special case for rbp and r13.
        int @base = (int)mem.Base!.Value & 7;
        if (mem.Index is null && @base != 4)
        {
            _code.Add((byte)(0x80 | field | @base));
        }
        else
        {
            int index = mem.Index is { } i ? (int)i & 7 : 4;
            int scale = mem.Scale switch { 1 => 0, 2 => 1, 4 => 2, 8 => 3, _ => throw new InvalidOperationException("The scale is 1, 2, 4 or 8.") };
            Bytes([(byte)(0x80 | field | 4), (byte)((scale << 6) | (index << 3) | @base)]);
        }

        Dword((uint)mem.Displacement);
    }
}
