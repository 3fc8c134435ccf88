using System.Buffers.Binary;
using System.Numerics;

namespace Vmcore.Kexec.Tests.Platforms.Arm64.Stub;

/// <summary>
/// An arm64 CPU that executes what the stub is made of, and nothing else: general registers, memory, the system registers that turn the MMU on,
/// and a walk of its page tables with every access. So the stub runs in a test on any machine.
/// </summary>
internal sealed class A64Machine
{
    private readonly Dictionary<ulong, byte[]> _pages = [];
    private readonly Dictionary<uint, ulong> _system = [];
    private readonly Dictionary<ulong, ulong> _translations = [];
    private bool _zero, _carry;
    private ulong _lastPage = ulong.MaxValue;
    private byte[] _last = [];

    public A64Machine(int level, bool twoHalves = false, ulong model = 0x00001122)
    {
        Level = level;
        this[SysReg.CurrentEl] = (ulong)level << 2;
        this[SysReg.HcrEl2] = twoHalves ? 1UL << 34 : 0;
        this[SysReg.IdMemoryModel0] = model;
        this[SysReg.Ctr] = 0x0004_0000;
        this[SysReg.SctlrEl1] = Control;
        this[SysReg.SctlrEl2] = Control;
    }

    /// <summary>What sctlr holds at the entry: bits that must be one, MMU and caches off.</summary>
    public const ulong Control = 0x30d0_0800;

    public int Level { get; }

    public ulong[] X { get; } = new ulong[32];

    public ulong Pc { get; set; }

    public long Steps { get; private set; }

    /// <summary>Accesses that were made with the MMU on.</summary>
    public long Translated { get; private set; }

    /// <summary>Instructions of the system group, in order.</summary>
    public List<A64System> Log { get; } = [];

    public List<byte> Serial { get; } = [];

    /// <summary>Base of a PL011, whose data register is remembered.</summary>
    public ulong Pl011 { get; init; } = 0x9000000;

    public bool IsMmuOn => (this[Level == 2 ? SysReg.SctlrEl2 : SysReg.SctlrEl1] & 1) != 0;

    public ulong this[SysReg register]
    {
        get => _system.GetValueOrDefault((uint)register);
        set
        {
            _system[(uint)register] = value;
            _translations.Clear();
        }
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            Page(address + (ulong)i)[(int)((address + (ulong)i) & 0xfff)] = bytes[i];
    }

    public byte this[ulong address]
    {
        get => Page(address)[(int)(address & 0xfff)];
        set => Page(address)[(int)(address & 0xfff)] = value;
    }

    /// <summary>Runs from an address until one of these is reached, or a call of the firmware, or a wait without end.</summary>
    public void Run(ulong entry, params ReadOnlySpan<ulong> stops)
    {
        Pc = entry;
        X[30] = ulong.MaxValue;
        while (!stops.Contains(Pc) && Pc != ulong.MaxValue)
        {
            Assert.True(++Steps < 100_000_000, "It does not end.");
            uint word = (uint)Read(Pc, 4);
            if ((word & 0xffe0001f) is (uint)A64System.Hvc or (uint)A64System.Smc || word == (uint)A64System.Wfe)
            {
                Log.Add((A64System)word);
                return;
            }

            ulong next = Pc + 4;
            if (!Arithmetic(word) && !Memory(word) && !Branch(word, ref next) && !System(word))
                Assert.Fail($"Unknown instruction 0x{word:x8} at 0x{Pc:x}");
            Pc = next;
        }
    }

    private static int Signed(uint value, int bits) => (int)(value << (32 - bits)) >> (32 - bits);

    private bool Arithmetic(uint word)
    {
        int d = (int)(word & 31), n = (int)((word >> 5) & 31), m = (int)((word >> 16) & 31), six = (int)((word >> 10) & 63);
        ulong a = X[n], b = X[m];
        switch (word & 0xff800000)
        {
            case 0xd2800000: X[d] = (ulong)((word >> 5) & 0xffff) << (16 * ((int)(word >> 21) & 3)); return true;
            case 0xf2800000:
                int shift = 16 * ((int)(word >> 21) & 3);
                X[d] = (X[d] & ~(0xffffUL << shift)) | ((ulong)((word >> 5) & 0xffff) << shift);
                return true;
            case 0x91000000: X[d] = a + ((word >> 10) & 0xfff); return true;
            case 0xf1000000: Set(d, Subtract(a, (word >> 10) & 0xfff)); return true;
        }

        switch (word & 0xff200000)
        {
            case 0xaa000000: Set(d, a | (b << six)); return true;
            case 0x8a000000: Set(d, a & b); return true;
            case 0x8a200000: Set(d, a & ~b); return true;
            case 0x0a000000: Set(d, (uint)(a & b)); return true;
            case 0x2a000000: Set(d, (uint)(a | b)); return true;
            case 0x4a000000:
                uint right = ((word >> 22) & 3) switch
                {
                    0 => (uint)b << six,
                    1 => (uint)b >> six,
                    3 => BitOperations.RotateRight((uint)b, six),
                    _ =>
                    throw new InvalidOperationException()
                };
                Set(d, (uint)a ^ right);
                return true;
            case 0x8b000000: Set(d, a + b); return true;
            case 0x0b000000: Set(d, (uint)(a + b)); return true;
            case 0xeb000000: Set(d, Subtract(a, b)); return true;
            case 0x6b000000:
                (_zero, _carry) = ((uint)a == (uint)b, (uint)a >= (uint)b);
                Set(d, (uint)(a - b));
                return true;
        }

        if ((word & 0xffe08000) == 0x13800000 && n == m)
            Set(d, BitOperations.RotateRight((uint)a, six));
        else if ((word & 0xffc00000) == 0xd3400000)
            Set(d, (a >> m + (int)((word >> 16) & 32)) & (ulong.MaxValue >> (63 - (six - (int)((word >> 16) & 63)))));
        else if ((word & 0xffe0fc00) == 0x9ac02000)
            Set(d, a << (int)(b & 63));
        else if ((word & 0xfffffc00) == 0x5ac00800)
            Set(d, BinaryPrimitives.ReverseEndianness((uint)a));
        else if ((word & 0x9f000000) == 0x10000000)
            Set(d, Pc + (ulong)(long)((Signed((word >> 5) & 0x7ffff, 19) << 2) | (int)((word >> 29) & 3)));
        else
            return false;
        return true;
    }

    private bool Memory(uint word)
    {
        int t = (int)(word & 31), n = (int)((word >> 5) & 31);
        ulong at = X[n], scaled = (word >> 10) & 0xfff;
        switch (word & 0xffc00000)
        {
            case 0xf9400000: Set(t, Read(at + (scaled * 8), 8)); return true;
            case 0xf9000000: Store(at + (scaled * 8), X[t], 8); return true;
            case 0xb9400000: Set(t, Read(at + (scaled * 4), 4)); return true;
            case 0xb9000000: Store(at + (scaled * 4), X[t], 4); return true;
            case 0x39000000: Store(at + scaled, X[t], 1); return true;
            case 0x39400000: Set(t, Read(at + scaled, 1)); return true;
        }

        int nine = Signed((word >> 12) & 0x1ff, 9);
        switch (word & 0xffe00c00)
        {
            case 0xb8400000: Set(t, Read(at + (ulong)(long)nine, 4)); return true;
            case 0xb8400400: Set(t, Read(at, 4)); break;
            case 0xb8000400: Store(at, X[t], 4); break;
            case 0x38400400: Set(t, Read(at, 1)); break;
            default: return false;
        }

        X[n] = at + (ulong)(long)nine;
        return true;
    }

    private bool Branch(uint word, ref ulong next)
    {
        ulong near = Pc + (ulong)((long)Signed((word >> 5) & 0x7ffff, 19) * 4), far = Pc + (ulong)((long)Signed(word & 0x3ffffff, 26) * 4);
        if ((word & 0xfc000000) == 0x14000000)
            next = far;
        else if ((word & 0xfc000000) == 0x94000000)
            (X[30], next) = (next, far);
        else if ((word & 0xff000000) == 0xb4000000)
            next = X[word & 31] == 0 ? near : next;
        else if ((word & 0xff000000) == 0xb5000000)
            next = X[word & 31] != 0 ? near : next;
        else if ((word & 0xff000010) == 0x54000000)
            next = (word & 15) switch { 0 => _zero, 1 => !_zero, 2 => _carry, 3 => !_carry, _ => throw new InvalidOperationException() } ? near : next;
        else if ((word & 0xfffffc1f) is 0xd61f0000 or 0xd65f0000)
            next = X[(word >> 5) & 31];
        else
            return false;
        return true;
    }

    private bool System(uint word)
    {
        uint register = ((word >> 5) & 0x7fff) | 0x8000;
        if ((word & 0xfff00000) == 0xd5300000)
            Set((int)(word & 31), this[(SysReg)register]);
        else if ((word & 0xfff00000) == 0xd5100000)
            this[(SysReg)register] = X[word & 31];
        else if (Enum.IsDefined((A64System)(word & ~31u)))
            Log.Add((A64System)(word & ~31u));
        else if (Enum.IsDefined((A64System)word))
            Log.Add((A64System)word);
        else
            return false;
        return true;
    }

    private void Set(int register, ulong value)
    {
        if (register != 31)
            X[register] = value;
    }

    private ulong Subtract(ulong a, ulong b)
    {
        (_zero, _carry) = (a == b, a >= b);
        return a - b;
    }

    private ulong Read(ulong address, int size)
    {
        if (!IsMmuOn && address == Pl011 + 0x18)
            return 0;
        address = Translate(address, size);
        ReadOnlySpan<byte> bytes = Page(address).AsSpan((int)(address & 0xfff), size);
        return size switch { 1 => bytes[0], 4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes), _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes) };
    }

    private void Store(ulong address, ulong value, int size)
    {
        if (!IsMmuOn && address == Pl011)
        {
            Serial.Add((byte)value);
            return;
        }

        address = Translate(address, size);
        for (int i = 0; i < size; i++)
            Page(address)[(int)(address & 0xfff) + i] = (byte)(value >> (8 * i));
    }

    // Four levels of 4 KiB, as tcr says that they are; what is not mapped is a fault of the stub.
    private ulong Translate(ulong address, int size)
    {
        Assert.True((address & (ulong)(size - 1)) == 0, $"Unaligned access to 0x{address:x} at 0x{Pc:x}");
        if (!IsMmuOn)
            return address;
        Translated++;
        if (_translations.TryGetValue(address >> 12, out ulong known))
            return known | (address & 0xfff);
        ulong translated = Walk(address);
        _translations.Add(address >> 12, translated & ~0xfffUL);
        return translated;
    }

    private ulong Walk(ulong address)
    {
        ulong control = this[Level == 2 ? SysReg.TcrEl2 : SysReg.TcrEl1];
        Assert.Equal(16ul, control & 63);
        Assert.Equal(0ul, (control >> 14) & 3);
        ulong table = this[Level == 2 ? SysReg.TtbrEl2 : SysReg.TtbrEl1];
        for (int shift = 39; ; shift -= 9)
        {
            ulong entryAddress = table + (((address >> shift) & 511) * 8);
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(Page(entryAddress).AsSpan((int)(entryAddress & 0xfff), 8));
            Assert.True((entry & 1) != 0, $"0x{address:x} is not mapped, accessed at 0x{Pc:x}");
            if (shift > 12 && (entry & 2) != 0)
            {
                table = entry & 0xffff_ffff_f000;
                continue;
            }

            Assert.True(shift is 21 or 12 && (shift == 21 || (entry & 2) != 0), "A block where none may be");
            Assert.Equal(0x700ul, entry & 0xf1c & ~0x40ul);
            // The bit that one regime wants, and that would let user mode in, and code out, in the other.
            Assert.Equal(Level == 2 && (this[SysReg.HcrEl2] >> 34) == 0, (entry & 0x40) != 0);
            ulong mask = (1UL << shift) - 1;
            return (entry & 0xffff_ffff_f000 & ~mask) | (address & mask);
        }
    }

    private byte[] Page(ulong address)
    {
        if (address >> 12 == _lastPage)
            return _last;
        if (!_pages.TryGetValue(address >> 12, out byte[]? page))
            _pages.Add(address >> 12, page = new byte[4096]);
        (_lastPage, _last) = (address >> 12, page);
        return page;
    }
}
