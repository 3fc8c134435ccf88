using Vmcore.Hashing;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// The stub of x86-64. The crashed kernel enters it in 64-bit mode on identity page tables, interrupts off, without a usable GDT, IDT or SSE.
/// </summary>
internal static class X86Stub
{
    /// <summary>Bytes of memory that the stub needs: its code in the first page, its stack at the end of the second.</summary>
    public const int MemorySize = 8192;

    // Of the kernel, from where it was placed: the 64-bit entry (Documentation/arch/x86/boot.rst).
    private const ulong KernelEntry = 0x200;

    /// <summary>Assembles the stub.</summary>
    public static CrashStub Build(StubRequest request)
    {
        var asm = new X64Assembler();
        Label stackTop = new(), verify = new(), sha256 = new(), damaged = new(), noIdt = new(), copy = new();
        X64Assembler.BindAt(stackTop, MemorySize);
        bool verifies = request.Hashed.Count > 0;

        asm.Cli();
        asm.Cld();
        asm.Lidt(noIdt);
        asm.Lea(Reg.Rsp, Mem.At(stackTop));
        if (verifies)
        {
            asm.Call(verify);
            asm.Test32(Reg.Rax, Reg.Rax);
            asm.Jump(Condition.NotEqual, damaged);
        }

        if (request.Copies.Count > 0)
            asm.Call(copy);
        EmitEnterKernel(asm, request);
        if (request.Copies.Count > 0)
            EmitCopy(asm, copy, request);
        asm.Align(8);
        asm.Bind(noIdt);
        asm.Word(0);
        asm.Qword(0);
        if (verifies)
        {
            EmitReset(asm, damaged, (ushort)request.Console.Address);
            EmitVerify(asm, verify, sha256, request);
        }

        byte[] code = asm.Assemble(request.Address);
        // The stack grows down from the end of the second page; keep it there.
        if (code.Length > MemorySize - 2048)
            throw new KexecException("The verification stub outgrew its memory: too many segments to verify; load with -i.");
        return new(code, MemorySize, sha256.Offset, verify.Offset, null) { CopyOffset = copy.Offset };
    }

    // Flat segments as the boot protocol wants them (code 0x10, data 0x18), rsi = boot_params, everything else zero.
    private static void EmitEnterKernel(X64Assembler asm, StubRequest request)
    {
        Label gdtr = new(), gdt = new(), reloaded = new();
        asm.Lgdt(gdtr);
        asm.Mov32(Reg.Rax, 0x18);
        foreach (SegmentReg segment in (SegmentReg[])[SegmentReg.Ds, SegmentReg.Es, SegmentReg.Ss, SegmentReg.Fs, SegmentReg.Gs])
            asm.MovSegment(segment, Reg.Rax);
        asm.Push(0x10);
        asm.Lea(Reg.Rax, Mem.At(reloaded));
        asm.Push(Reg.Rax);
        asm.RetFar();
        asm.Bind(reloaded);
        asm.Mov64(Reg.Rsi, request.BootData);
        foreach (Reg reg in (Reg[])[Reg.Rbx, Reg.Rcx, Reg.Rdx, Reg.Rbp, Reg.Rdi])
            asm.Xor32(reg, reg);
        asm.Mov64(Reg.Rax, request.Kernel + KernelEntry);
        asm.Jump(Reg.Rax);

        asm.Align(8);
        asm.Bind(gdt);
        asm.Qword(0);
        asm.Qword(0);
        asm.Qword(0x00af9a000000ffff);
        asm.Qword(0x00cf92000000ffff);
        asm.Bind(gdtr);
        asm.Word(0x1f);
        asm.Address(gdt);
    }

    private static void EmitCopy(X64Assembler asm, Label entry, StubRequest request)
    {
        asm.Bind(entry);
        foreach ((PhysicalRange from, ulong to) in request.Copies)
        {
            asm.Mov64(Reg.Rsi, from.Start);
            asm.Mov64(Reg.Rdi, to);
            asm.Mov64(Reg.Rcx, from.Length / 8);
            asm.RepMovsq();
        }

        asm.Ret();
    }

    // Says so on the serial line and resets: an exception without an IDT is a triple fault.
    private static void EmitReset(X64Assembler asm, Label entry, ushort port)
    {
        Label next = new(), wait = new(), send = new(), drain = new(), end = new(), text = new();
        asm.Bind(entry);
        asm.Lea(Reg.Rsi, Mem.At(text));
        asm.Bind(next);
        asm.LoadByte(Reg.Rbx, Mem.At(Reg.Rsi));
        asm.Test32(Reg.Rbx, Reg.Rbx);
        asm.Jump(Condition.Equal, drain);
        // Line status bit 5: the transmitter takes a byte. Bounded, since there may be no UART.
        asm.Mov32(Reg.Rdx, port + 5u);
        asm.Mov32(Reg.Rcx, 1 << 16);
        asm.Bind(wait);
        asm.In();
        asm.TestAl(0x20);
        asm.Jump(Condition.NotEqual, send);
        asm.Sub64(Reg.Rcx, 1);
        asm.Jump(Condition.NotEqual, wait);
        asm.Bind(send);
        asm.Mov32(Reg.Rdx, port);
        asm.Mov32(Reg.Rax, Reg.Rbx);
        asm.Out();
        asm.Add64(Reg.Rsi, 1);
        asm.Jump(next);

        // Bit 6: all bytes have left.
        Label drainLoop = new();
        asm.Bind(drain);
        asm.Mov32(Reg.Rdx, port + 5u);
        asm.Mov32(Reg.Rcx, 1 << 20);
        asm.Bind(drainLoop);
        asm.In();
        asm.TestAl(0x40);
        asm.Jump(Condition.NotEqual, end);
        asm.Sub64(Reg.Rcx, 1);
        asm.Jump(Condition.NotEqual, drainLoop);
        asm.Bind(end);
        asm.Ud2();

        asm.Bind(text);
        asm.Bytes(CrashStub.Message);
    }

    private static void EmitVerify(X64Assembler asm, Label entry, Label sha256, StubRequest request)
    {
        Label next = new(), last = new(), differs = new(), done = new(), table = new(), padding = new(), digest = new(), constants = new();
        asm.Bind(entry);
        asm.Push(Reg.Rbx);
        asm.Sub64(Reg.Rsp, 32);
        for (int i = 0; i < 8; i++)
        {
            asm.Mov32(Reg.Rax, Sha256.InitialState[i]);
            asm.Store32(Mem.At(Reg.Rsp, i * 4), Reg.Rax);
        }

        asm.Lea(Reg.Rbx, Mem.At(table));
        asm.Bind(next);
        asm.Load64(Reg.Rsi, Mem.At(Reg.Rbx));
        asm.Load64(Reg.Rdx, Mem.At(Reg.Rbx, 8));
        asm.Test64(Reg.Rdx, Reg.Rdx);
        asm.Jump(Condition.Equal, last);
        asm.Shr64(Reg.Rdx, 6);
        asm.Mov64(Reg.Rdi, Reg.Rsp);
        asm.Call(sha256);
        asm.Add64(Reg.Rbx, 16);
        asm.Jump(next);

        asm.Bind(last);
        asm.Lea(Reg.Rsi, Mem.At(padding));
        asm.Mov32(Reg.Rdx, 1);
        asm.Mov64(Reg.Rdi, Reg.Rsp);
        asm.Call(sha256);
        asm.Lea(Reg.Rbx, Mem.At(digest));
        for (int i = 0; i < 8; i++)
        {
            asm.Load32(Reg.Rax, Mem.At(Reg.Rsp, i * 4));
            asm.Cmp32(Reg.Rax, Mem.At(Reg.Rbx, i * 4));
            asm.Jump(Condition.NotEqual, differs);
        }

        asm.Xor32(Reg.Rax, Reg.Rax);
        asm.Jump(done);
        asm.Bind(differs);
        asm.Mov32(Reg.Rax, 1);
        asm.Bind(done);
        asm.Add64(Reg.Rsp, 32);
        asm.Pop(Reg.Rbx);
        asm.Ret();

        Sha256Routine.Emit(asm, sha256, constants);
        Sha256Routine.EmitConstants(asm, constants);
        asm.Align(16);
        asm.Bind(digest);
        foreach (uint word in request.Digest)
            asm.Dword(word);
        asm.Bind(padding);
        asm.Bytes(CrashStub.FinalBlock(request.Hashed));
        asm.Bind(table);
        foreach (PhysicalRange range in request.Hashed)
        {
            asm.Qword(range.Start);
            asm.Qword(range.Length);
        }

        asm.Qword(0);
        asm.Qword(0);
    }
}
