using System.Buffers.Binary;

namespace Vmcore.Kexec;

/// <summary>
/// A small assembler of A64 machine code: the instructions that the stub needs, labels, and data. Code is position independent but for
/// the absolute addresses of <see cref="Address"/>, which <see cref="Assemble"/> fills in. Encodings: Arm ARM, chapter C6.
/// </summary>
internal sealed class A64Assembler
{
    private readonly List<byte> _code = [];
    private readonly List<(int At, Label Target, Distance Kind)> _relative = [];
    private readonly List<(int At, Label Target)> _absolute = [];

    private enum Distance
    {
        Bits26,
        Bits19,
        Adr,
    }

    /// <summary>Bytes so far.</summary>
    public int Length => _code.Count;

    /// <summary>Fixes all references and gives the code.</summary>
    /// <param name="address">Address at which the code will run.</param>
    public byte[] Assemble(ulong address)
    {
        byte[] code = [.. _code];
        foreach ((int at, Label target, Distance kind) in _relative)
        {
            int distance = Bound(target) - at;
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(code.AsSpan(at));
            word |= kind switch
            {
                Distance.Bits26 => Field(distance / 4, 26),
                Distance.Bits19 => Field(distance / 4, 19) << 5,
                _ => (((uint)distance & 3) << 29) | (Field(distance >> 2, 19) << 5),
            };
            BinaryPrimitives.WriteUInt32LittleEndian(code.AsSpan(at), word);
        }

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

    /// <summary>A 32-bit word: data, or an instruction.</summary>
    public void Word(uint value) => Bytes([(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)]);

    /// <summary>A 64-bit word.</summary>
    public void Dword(ulong value)
    {
        Word((uint)value);
        Word((uint)(value >> 32));
    }

    /// <summary>The absolute address of a label, 64 bits.</summary>
    public void Address(Label label)
    {
        _absolute.Add((_code.Count, label));
        Dword(0);
    }

    // --- moves ---

    /// <summary>mov xd, xn.</summary>
    public void Copy(XReg to, XReg from) => Word(0xaa0003e0 | (N(from) << 16) | N(to));

    /// <summary>mov xd, imm64: one movz, and a movk for each further 16 bits that are not zero.</summary>
    public void Mov(XReg to, ulong value)
    {
        Word(0xd2800000 | ((uint)(value & 0xffff) << 5) | N(to));
        for (uint part = 1; part < 4; part++)
        {
            uint bits = (uint)(value >> (16 * (int)part)) & 0xffff;
            if (bits != 0)
                Word(0xf2800000 | (part << 21) | (bits << 5) | N(to));
        }
    }

    /// <summary>adr xd, label.</summary>
    public void Adr(XReg to, Label label) => Relative(0x10000000 | N(to), label, Distance.Adr);

    /// <summary>ldr xt, [xn, #offset]; a multiple of 8.</summary>
    public void Load64(XReg to, XReg address, int offset = 0) => Word(0xf9400000 | (Scaled(offset, 8) << 10) | (N(address) << 5) | N(to));

    /// <summary>str xt, [xn, #offset]; a multiple of 8.</summary>
    public void Store64(XReg from, XReg address, int offset = 0) => Word(0xf9000000 | (Scaled(offset, 8) << 10) | (N(address) << 5) | N(from));

    /// <summary>ldr wt, [xn, #offset]; a multiple of 4.</summary>
    public void Load32(XReg to, XReg address, int offset = 0) => Word(0xb9400000 | (Scaled(offset, 4) << 10) | (N(address) << 5) | N(to));

    /// <summary>str wt, [xn, #offset]; a multiple of 4.</summary>
    public void Store32(XReg from, XReg address, int offset = 0) => Word(0xb9000000 | (Scaled(offset, 4) << 10) | (N(address) << 5) | N(from));

    /// <summary>ldur wt, [xn, #offset]; -256 to 255.</summary>
    public void LoadNear32(XReg to, XReg address, int offset) => Word(0xb8400000 | (Field(offset, 9) << 12) | (N(address) << 5) | N(to));

    /// <summary>ldr wt, [xn], #4.</summary>
    public void LoadNext32(XReg to, XReg address) => Word(0xb8404400 | (N(address) << 5) | N(to));

    /// <summary>str wt, [xn], #4.</summary>
    public void StoreNext32(XReg from, XReg address) => Word(0xb8004400 | (N(address) << 5) | N(from));

    /// <summary>ldrb wt, [xn], #1.</summary>
    public void LoadNextByte(XReg to, XReg address) => Word(0x38401400 | (N(address) << 5) | N(to));

    /// <summary>ldrb wt, [xn].</summary>
    public void LoadByte(XReg to, XReg address) => Word(0x39400000 | (N(address) << 5) | N(to));

    /// <summary>strb wt, [xn].</summary>
    public void StoreByte(XReg from, XReg address) => Word(0x39000000 | (N(address) << 5) | N(from));

    // --- arithmetic ---

    /// <summary>add xd, xn, #value; 0 to 4095. Register 31 is the stack pointer.</summary>
    public void Add64(XReg to, XReg left, int value) => Word(0x91000000 | (Scaled(value, 1) << 10) | (N(left) << 5) | N(to));

    /// <summary>subs xd, xn, #value; 0 to 4095.</summary>
    public void Subtract64(XReg to, XReg left, int value) => Word(0xf1000000 | (Scaled(value, 1) << 10) | (N(left) << 5) | N(to));

    /// <summary>add xd, xn, xm.</summary>
    public void Add64(XReg to, XReg left, XReg right) => Word(0x8b000000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>add wd, wn, wm.</summary>
    public void Add32(XReg to, XReg left, XReg right) => Word(0x0b000000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>cmp wn, wm.</summary>
    public void Compare32(XReg left, XReg right) => Word(0x6b00001f | (N(right) << 16) | (N(left) << 5));

    /// <summary>cmp xn, xm.</summary>
    public void Compare64(XReg left, XReg right) => Word(0xeb00001f | (N(right) << 16) | (N(left) << 5));

    /// <summary>and wd, wn, wm.</summary>
    public void And32(XReg to, XReg left, XReg right) => Word(0x0a000000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>orr wd, wn, wm.</summary>
    public void Or32(XReg to, XReg left, XReg right) => Word(0x2a000000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>eor wd, wn, wm, SHIFT #count.</summary>
    public void Xor32(XReg to, XReg left, XReg right, A64Shift shift = A64Shift.Left, int count = 0) =>
        Word(0x4a000000 | ((uint)shift << 22) | (N(right) << 16) | ((uint)count << 10) | (N(left) << 5) | N(to));

    /// <summary>and xd, xn, xm.</summary>
    public void And64(XReg to, XReg left, XReg right) => Word(0x8a000000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>orr xd, xn, xm, lsl #count.</summary>
    public void Or64(XReg to, XReg left, XReg right, int count = 0) =>
        Word(0xaa000000 | (N(right) << 16) | ((uint)count << 10) | (N(left) << 5) | N(to));

    /// <summary>bic xd, xn, xm: bits of n that are not in m.</summary>
    public void Clear64(XReg to, XReg left, XReg right) => Word(0x8a200000 | (N(right) << 16) | (N(left) << 5) | N(to));

    /// <summary>ror wd, wn, #count.</summary>
    public void Rotate32(XReg to, XReg from, int count) => Word(0x13800000 | (N(from) << 16) | ((uint)count << 10) | (N(from) << 5) | N(to));

    /// <summary>ubfx xd, xn, #low, #width: a field of bits.</summary>
    public void Extract64(XReg to, XReg from, int low, int width) =>
        Word(0xd3400000 | ((uint)low << 16) | ((uint)(low + width - 1) << 10) | (N(from) << 5) | N(to));

    /// <summary>lsl xd, xn, xm.</summary>
    public void ShiftLeft64(XReg to, XReg from, XReg count) => Word(0x9ac02000 | (N(count) << 16) | (N(from) << 5) | N(to));

    /// <summary>rev wd, wn: bytes in the other order.</summary>
    public void Reverse32(XReg to, XReg from) => Word(0x5ac00800 | (N(from) << 5) | N(to));

    // --- control ---

    /// <summary>b label.</summary>
    public void Jump(Label target) => Relative(0x14000000, target, Distance.Bits26);

    /// <summary>b.cond label.</summary>
    public void Jump(A64Condition condition, Label target) => Relative(0x54000000 | (uint)condition, target, Distance.Bits19);

    /// <summary>cbz xt, label.</summary>
    public void JumpIfZero(XReg reg, Label target) => Relative(0xb4000000 | N(reg), target, Distance.Bits19);

    /// <summary>cbnz xt, label.</summary>
    public void JumpIfNotZero(XReg reg, Label target) => Relative(0xb5000000 | N(reg), target, Distance.Bits19);

    /// <summary>bl label.</summary>
    public void Call(Label target) => Relative(0x94000000, target, Distance.Bits26);

    /// <summary>br xn.</summary>
    public void Jump(XReg target) => Word(0xd61f0000 | (N(target) << 5));

    /// <summary>ret.</summary>
    public void Ret() => Word(0xd65f03c0);

    // --- system ---

    /// <summary>mrs xt, REGISTER.</summary>
    public void Read(XReg to, SysReg from) => Word(0xd5300000 | (((uint)from & 0x7fff) << 5) | N(to));

    /// <summary>msr REGISTER, xt.</summary>
    public void Write(SysReg to, XReg from) => Word(0xd5100000 | (((uint)to & 0x7fff) << 5) | N(from));

    /// <summary>An instruction of the system group, with the register that it takes if it takes one.</summary>
    public void System(A64System instruction, XReg reg = XReg.X0) => Word((uint)instruction | N(reg));

    // --- encoding ---

    private static uint N(XReg reg) => (uint)reg;

    private static int Bound(Label label) =>
        label.Offset >= 0 ? label.Offset : throw new InvalidOperationException("A label that is used was never bound.");

    private static uint Field(int value, int bits)
    {
        int limit = 1 << (bits - 1);
        return value >= -limit && value < limit
            ? (uint)value & ((1u << bits) - 1) : throw new InvalidOperationException("A distance is too far for its field.");
    }

    private static uint Scaled(int value, int unit) =>
        value >= 0 && value % unit == 0 && value / unit < 1 << 12
            ? (uint)(value / unit) : throw new InvalidOperationException("A number is too large for its field.");

    private void Relative(uint instruction, Label target, Distance kind)
    {
        _relative.Add((_code.Count, target, kind));
        Word(instruction);
    }
}
