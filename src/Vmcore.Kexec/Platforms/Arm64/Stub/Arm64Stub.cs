using Vmcore.Hashing;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// The stub of arm64. The crashed kernel enters it at EL1 or EL2 with MMU and caches off, interrupts masked, and nothing in the registers that the
/// boot protocol wants (Documentation/arch/arm64/booting.rst). With caches off, hashing an initramfs takes tens of seconds; so the stub maps
/// the segments, and only them, on page tables of its own that were made at the load, and turns MMU and caches on while it hashes.
/// </summary>
internal static class Arm64Stub
{
    // sctlr: MMU (M), data cache (C) and instruction cache (I) on; write does not forbid execution (WXN).
    private const ulong CachesOn = 1 | (1 << 2) | (1 << 12);
    private const ulong WriteExecuteNever = 1 << 19;

    // tcr: 48 bits of address, tables in write-back cacheable, inner shareable memory, pages of 4 KiB.
    private const ulong TcrCommon = 16 | (1 << 8) | (1 << 10) | (3 << 12);

    // Where the upper half has a register of its own: it is off (EPD1), 48 bits, 4 KiB.
    private const ulong TcrTwoHalves = (1 << 23) | (16 << 16) | (2UL << 30);

    // tcr_el2 of a CPU without the second half: bits that must be one.
    private const ulong TcrOneHalf = (1 << 23) | (1UL << 31);

    // First access permission bit: must be one in tables of that regime.
    private const ulong EntryBitOfOneHalf = 1 << 6;

    // Normal memory, write-back.
    private const ulong MemoryAttributes = 0xff;

    // PSCI SYSTEM_RESET (Arm DEN 0022).
    private const ulong SystemReset = 0x84000009;

    // Registers that live across the routines; the hash changes only the lower ones.
    private const XReg AreCachesOn = XReg.X21;
    private const XReg Result = XReg.X22;
    private const XReg OldControl = XReg.X23;
    private const XReg ReturnAddress = XReg.X24;
    private const XReg Scratch = XReg.X25;
    private const XReg Cursor = XReg.X26;

    private const int ScratchSize = 4096;

    /// <summary>Assembles the stub.</summary>
    public static CrashStub Build(StubRequest request)
    {
        bool verifies = request.Hashed.Count > 0;
        var asm = new A64Assembler();
        Label verify = new(), sha256 = new(), scratch = new();
        if (!verifies)
        {
            EmitEnterKernel(asm, request);
            return new(asm.Assemble(request.Address), (int)request.System.PageSize, -1, -1, null);
        }

        Label damaged = new(), on = new(), off = new(), tables = new(), tablesEnd = new();
        bool hasTables = Arm64StubTables.CanMap(request);
        asm.Mov(AreCachesOn, 0);
        if (hasTables)
            asm.Call(on);
        asm.Call(verify);
        asm.Copy(Result, XReg.X0);
        if (hasTables)
            asm.Call(off);
        asm.JumpIfNotZero(Result, damaged);
        EmitEnterKernel(asm, request);
        EmitReset(asm, damaged, request.Console, ((Arm64Firmware)request.System.Firmware).Psci);
        EmitVerify(asm, verify, sha256, scratch, request);
        if (hasTables)
        {
            EmitOn(asm, on, tables, tablesEnd);
            EmitOff(asm, off, scratch);
        }

        asm.Align(Arm64StubTables.TableSize);
        if (hasTables)
        {
            asm.Bind(tables);
            asm.Bytes(Arm64StubTables.Build(request, asm.Length, TotalSize(asm.Length + Arm64StubTables.SizeOf(request))));
            asm.Bind(tablesEnd);
        }

        A64Assembler.BindAt(scratch, asm.Length);
        string? note = hasTables ? null
            : "The crash kernel's region is above 256 TiB, where the stub maps no memory: with caches off, the verification after a panic takes "
                + "tens of seconds; -i leaves it out.";
        return new(asm.Assemble(request.Address), TotalSize(asm.Length), sha256.Offset, verify.Offset, note);
    }

    private static int TotalSize(int length) => length + ScratchSize;

    // x0 = device tree, x1 to x3 zero (booting.rst: "reserved for future use").
    private static void EmitEnterKernel(A64Assembler asm, StubRequest request)
    {
        asm.Mov(XReg.X0, request.BootData);
        asm.Mov(XReg.X1, 0);
        asm.Mov(XReg.X2, 0);
        asm.Mov(XReg.X3, 0);
        asm.Mov(XReg.X16, request.Kernel);
        asm.Jump(XReg.X16);
    }

    private static void EmitVerify(A64Assembler asm, Label entry, Label sha256, Label scratch, StubRequest request)
    {
        Label next = new(), last = new(), differs = new(), end = new(), table = new(), padding = new(), digest = new(), constants = new();
        asm.Bind(entry);
        asm.Copy(ReturnAddress, XReg.Lr);
        asm.Adr(Scratch, scratch);
        for (int i = 0; i < 8; i++)
        {
            asm.Mov(XReg.X4, Sha256.InitialState[i]);
            asm.Store32(XReg.X4, Scratch, i * 4);
        }

        asm.Adr(Cursor, table);
        asm.Bind(next);
        asm.Load64(XReg.X1, Cursor);
        asm.Load64(XReg.X2, Cursor, 8);
        asm.JumpIfZero(XReg.X2, last);
        asm.Extract64(XReg.X2, XReg.X2, 6, 58);
        asm.Copy(XReg.X0, Scratch);
        asm.Add64(XReg.X3, Scratch, 64);
        asm.Call(sha256);
        asm.Add64(Cursor, Cursor, 16);
        asm.Jump(next);

        asm.Bind(last);
        asm.Adr(XReg.X1, padding);
        asm.Mov(XReg.X2, 1);
        asm.Copy(XReg.X0, Scratch);
        asm.Add64(XReg.X3, Scratch, 64);
        asm.Call(sha256);
        asm.Adr(Cursor, digest);
        for (int i = 0; i < 8; i++)
        {
            asm.Load32(XReg.X4, Scratch, i * 4);
            asm.Load32(XReg.X5, Cursor, i * 4);
            asm.Compare32(XReg.X4, XReg.X5);
            asm.Jump(A64Condition.NotEqual, differs);
        }

        asm.Mov(XReg.X0, 0);
        asm.Jump(end);
        asm.Bind(differs);
        asm.Mov(XReg.X0, 1);
        asm.Bind(end);
        asm.Copy(XReg.Lr, ReturnAddress);
        asm.Ret();

        A64Sha256.Emit(asm, sha256, constants);
        A64Sha256.EmitConstants(asm, constants);
        asm.Align(16);
        asm.Bind(digest);
        foreach (uint word in request.Digest)
            asm.Word(word);
        asm.Bind(padding);
        asm.Bytes(CrashStub.FinalBlock(request.Hashed));
        asm.Bind(table);
        foreach (PhysicalRange range in request.Hashed)
        {
            asm.Dword(range.Start);
            asm.Dword(range.Length);
        }

        asm.Dword(0);
        asm.Dword(0);
    }

    // Turns MMU and caches on, unless the CPU knows no pages of 4 KiB. The register for that is read, not guessed.
    private static void EmitOn(A64Assembler asm, Label entry, Label tables, Label tablesEnd)
    {
        const XReg level = XReg.X9, model = XReg.X10, range = XReg.X11, other = XReg.X12, root = XReg.X13, tcr = XReg.X14, attributes = XReg.X15;
        Label none = new(), isSmall = new(), isEl1 = new(), twoHalvesOfEl2 = new(), setEl2 = new(), mark = new(), skip = new(), done = new();
        asm.Bind(entry);
        asm.Read(level, SysReg.CurrentEl);
        asm.Extract64(level, level, 2, 2);
        asm.Read(model, SysReg.IdMemoryModel0);
        // TGran4: 15 is "not supported".
        asm.Extract64(other, model, 28, 4);
        asm.Mov(range, 15);
        asm.Compare64(other, range);
        asm.Jump(A64Condition.Equal, none);
        // PARange, at most that of 48 bits.
        asm.Extract64(range, model, 0, 4);
        asm.Mov(other, 5);
        asm.Compare64(range, other);
        asm.Jump(A64Condition.Below, isSmall);
        asm.Copy(range, other);
        asm.Bind(isSmall);
        asm.Adr(root, tables);
        asm.Mov(tcr, TcrCommon);
        asm.Mov(attributes, MemoryAttributes);
        asm.Mov(other, 2);
        asm.Compare64(level, other);
        asm.Jump(A64Condition.NotEqual, isEl1);

        // EL2: hcr_el2.E2H (bit 34) tells whether its tables have two halves, as those of EL1.
        asm.Read(other, SysReg.HcrEl2);
        asm.Extract64(other, other, 34, 1);
        asm.JumpIfNotZero(other, twoHalvesOfEl2);
        asm.Or64(tcr, tcr, range, 16);
        asm.Mov(other, TcrOneHalf);
        asm.Or64(tcr, tcr, other);
        asm.Copy(XReg.X4, root);
        asm.Adr(XReg.X5, tablesEnd);
        asm.Mov(XReg.X7, EntryBitOfOneHalf);
        asm.Bind(mark);
        asm.Load64(XReg.X6, XReg.X4);
        asm.JumpIfZero(XReg.X6, skip);
        asm.Or64(XReg.X6, XReg.X6, XReg.X7);
        asm.Store64(XReg.X6, XReg.X4);
        asm.Bind(skip);
        asm.Add64(XReg.X4, XReg.X4, 8);
        asm.Compare64(XReg.X4, XReg.X5);
        asm.Jump(A64Condition.Below, mark);
        asm.Jump(setEl2);
        asm.Bind(twoHalvesOfEl2);
        EmitTwoHalves(asm, tcr, range, other);
        asm.Bind(setEl2);
        EmitForget(asm, A64System.TlbiAlle2);
        EmitSet(asm, SysReg.MairEl2, SysReg.TcrEl2, SysReg.TtbrEl2, SysReg.SctlrEl2, attributes, tcr, root);
        asm.Jump(done);

        asm.Bind(isEl1);
        EmitTwoHalves(asm, tcr, range, other);
        EmitForget(asm, A64System.TlbiVmalle1);
        EmitSet(asm, SysReg.MairEl1, SysReg.TcrEl1, SysReg.TtbrEl1, SysReg.SctlrEl1, attributes, tcr, root);
        asm.Bind(done);
        asm.Copy(AreCachesOn, level);
        asm.Bind(none);
        asm.Ret();
    }

    private static void EmitTwoHalves(A64Assembler asm, XReg tcr, XReg range, XReg other)
    {
        asm.Or64(tcr, tcr, range, 32);
        asm.Mov(other, TcrTwoHalves);
        asm.Or64(tcr, tcr, other);
    }

    private static void EmitForget(A64Assembler asm, A64System translations)
    {
        asm.System(A64System.DsbSy, XReg.Zero);
        asm.System(translations, XReg.Zero);
        asm.System(A64System.IcIallu, XReg.Zero);
        asm.System(A64System.DsbSy, XReg.Zero);
        asm.System(A64System.Isb, XReg.Zero);
    }

    private static void EmitSet(A64Assembler asm, SysReg mair, SysReg tcr, SysReg ttbr, SysReg sctlr, XReg attributes, XReg control, XReg root)
    {
        asm.Write(mair, attributes);
        asm.Write(tcr, control);
        asm.Write(ttbr, root);
        asm.System(A64System.Isb, XReg.Zero);
        asm.Read(OldControl, sctlr);
        asm.Mov(XReg.X4, CachesOn);
        asm.Or64(XReg.X5, OldControl, XReg.X4);
        asm.Mov(XReg.X4, WriteExecuteNever);
        asm.Clear64(XReg.X5, XReg.X5, XReg.X4);
        asm.Write(sctlr, XReg.X5);
        asm.System(A64System.Isb, XReg.Zero);
    }

    // Back to the state of the entry, which is the one that the boot protocol wants. What was written with the caches on, the scratch memory, goes to RAM.
    private static void EmitOff(A64Assembler asm, Label entry, Label scratch)
    {
        Label line = new(), end = new(), isEl1 = new();
        const XReg at = XReg.X4, last = XReg.X5, size = XReg.X6, exponent = XReg.X7, level = XReg.X8;
        asm.Bind(entry);
        asm.JumpIfZero(AreCachesOn, end);
        // ctr_el0.DminLine: the shortest data line, in words of 4 bytes.
        asm.Read(exponent, SysReg.Ctr);
        asm.Extract64(exponent, exponent, 16, 4);
        asm.Mov(size, 4);
        asm.ShiftLeft64(size, size, exponent);
        asm.Adr(at, scratch);
        asm.Mov(last, ScratchSize);
        asm.Add64(last, at, last);
        asm.Bind(line);
        asm.System(A64System.DcCivac, at);
        asm.Add64(at, at, size);
        asm.Compare64(at, last);
        asm.Jump(A64Condition.Below, line);
        asm.System(A64System.DsbSy, XReg.Zero);
        asm.Mov(level, 2);
        asm.Compare64(AreCachesOn, level);
        asm.Jump(A64Condition.NotEqual, isEl1);
        asm.Write(SysReg.SctlrEl2, OldControl);
        asm.System(A64System.Isb, XReg.Zero);
        EmitForget(asm, A64System.TlbiAlle2);
        asm.Ret();
        asm.Bind(isEl1);
        asm.Write(SysReg.SctlrEl1, OldControl);
        asm.System(A64System.Isb, XReg.Zero);
        EmitForget(asm, A64System.TlbiVmalle1);
        asm.Bind(end);
        asm.Ret();
    }

    // Says so on the serial line and asks the firmware for a reset; without PSCI it stops here, as it must not go on.
    private static void EmitReset(A64Assembler asm, Label entry, StubConsole console, PsciConduit psci)
    {
        asm.Bind(entry);
        if (console.Kind is StubConsoleKind.Pl011 or StubConsoleKind.Uart32 or StubConsoleKind.Uart8)
            EmitMessage(asm, console);
        if (psci != PsciConduit.None)
        {
            asm.Mov(XReg.X0, SystemReset);
            asm.System(psci == PsciConduit.Hvc ? A64System.Hvc : A64System.Smc);
        }

        Label wait = new();
        asm.Bind(wait);
        asm.System(A64System.Wfe, XReg.Zero);
        asm.Jump(wait);
    }

    private static void EmitMessage(A64Assembler asm, StubConsole console)
    {
        const XReg text = XReg.X1, port = XReg.X2, letter = XReg.X3, patience = XReg.X4, status = XReg.X5, statusPort = XReg.X6;
        Label next = new(), send = new(), poll = new(), message = new(), end = new(), drain = new();
        // PL011: flag register, full (bit 5), busy (bit 3). 8250: line status register, empty (bit 5), all sent (bit 6).
        bool isPl011 = console.Kind == StubConsoleKind.Pl011;
        int statusOffset = console.Kind switch { StubConsoleKind.Pl011 => 0x18, StubConsoleKind.Uart32 => 5 * 4, _ => 5 };
        void ReadStatus(int bit)
        {
            if (console.Kind == StubConsoleKind.Uart8)
                asm.LoadByte(status, statusPort);
            else
                asm.Load32(status, statusPort);
            asm.Extract64(status, status, bit, 1);
        }

        asm.Adr(text, message);
        asm.Mov(port, console.Address);
        asm.Add64(statusPort, port, statusOffset);
        asm.Bind(next);
        asm.LoadNextByte(letter, text);
        asm.JumpIfZero(letter, end);
        // Bounded, since there may be no UART.
        asm.Mov(patience, 1 << 16);
        asm.Bind(poll);
        ReadStatus(5);
        if (isPl011)
            asm.JumpIfZero(status, send);
        else
            asm.JumpIfNotZero(status, send);
        asm.Subtract64(patience, patience, 1);
        asm.Jump(A64Condition.NotEqual, poll);
        asm.Bind(send);
        if (console.Kind == StubConsoleKind.Uart8)
            asm.StoreByte(letter, port);
        else
            asm.Store32(letter, port);
        asm.Jump(next);

        Label drained = new();
        asm.Bind(end);
        asm.Mov(patience, 1 << 20);
        asm.Bind(drain);
        ReadStatus(isPl011 ? 3 : 6);
        if (isPl011)
            asm.JumpIfZero(status, drained);
        else
            asm.JumpIfNotZero(status, drained);
        asm.Subtract64(patience, patience, 1);
        asm.Jump(A64Condition.NotEqual, drain);
        asm.Jump(drained);
        asm.Bind(message);
        asm.Bytes(CrashStub.Message);
        asm.Align(4);
        asm.Bind(drained);
    }
}
