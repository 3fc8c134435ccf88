using System.Buffers.Binary;
using System.Diagnostics;

namespace Vmcore.Kexec.Tests.Platforms.Arm64.Stub;

public sealed class A64AssemblerTests
{
    // By GNU as, so that the test holds without it. The text is what its disassembler prints.
    public static TheoryData<string, uint> Known => new()
    {
        { "mov x21, #0x0", 0xd2800015 },
        { "movk x16, #0x5020, lsl #16", 0xf2aa0410 },
        { "mov x22, x0", 0xaa0003f6 },
        { "ldr x1, [x26]", 0xf9400341 },
        { "ldr x2, [x26, #8]", 0xf9400742 },
        { "str x6, [x4]", 0xf9000086 },
        { "ldr w4, [x25, #28]", 0xb9401f24 },
        { "str w4, [x25, #4]", 0xb9000724 },
        { "ldur w4, [x14, #-60]", 0xb85c41c4 },
        { "ldr w11, [x1], #4", 0xb840442b },
        { "str w11, [x14], #4", 0xb80045cb },
        { "ldrb w3, [x1], #1", 0x38401423 },
        { "ldrb w5, [x6]", 0x394000c5 },
        { "strb w3, [x2]", 0x39000043 },
        { "add x3, x25, #0x40", 0x91010323 },
        { "subs x15, x15, #0x1", 0xf10005ef },
        { "add x5, x4, x5", 0x8b050085 },
        { "add w7, w7, w11", 0x0b0b00e7 },
        { "cmp w4, w5", 0x6b05009f },
        { "cmp x9, x12", 0xeb0c013f },
        { "and w12, w12, w8", 0x0a08018c },
        { "orr w11, w4, w5", 0x2a05008b },
        { "eor w12, w9, w10", 0x4a0a012c },
        { "eor w11, w11, w8, ror #25", 0x4ac8656b },
        { "eor w12, w12, w5, lsr #10", 0x4a45298c },
        { "and x1, x2, x3", 0x8a030041 },
        { "orr x14, x14, x11, lsl #32", 0xaa0b81ce },
        { "bic x5, x5, x4", 0x8a2400a5 },
        { "ror w11, w8, #6", 0x1388190b },
        { "ubfx x9, x9, #2, #2", 0xd3420d29 },
        { "lsr x2, x2, #6", 0xd346fc42 },
        { "lsl x6, x6, x7", 0x9ac720c6 },
        { "rev w11, w11", 0x5ac0096b },
        { "br x16", 0xd61f0200 },
        { "ret", 0xd65f03c0 },
        { "mrs x9, currentel", 0xd5384249 },
        { "mrs x7, ctr_el0", 0xd53b0027 },
        { "mrs x10, id_aa64mmfr0_el1", 0xd538070a },
        { "msr sctlr_el1, x5", 0xd5181005 },
        { "msr ttbr0_el1, x13", 0xd518200d },
        { "msr tcr_el1, x14", 0xd518204e },
        { "msr mair_el1, x15", 0xd518a20f },
        { "mrs x12, hcr_el2", 0xd53c110c },
        { "msr sctlr_el2, x5", 0xd51c1005 },
        { "msr ttbr0_el2, x13", 0xd51c200d },
        { "msr tcr_el2, x14", 0xd51c204e },
        { "msr mair_el2, x15", 0xd51ca20f },
        { "dsb sy", 0xd5033f9f },
        { "isb", 0xd5033fdf },
        { "tlbi vmalle1", 0xd508871f },
        { "tlbi alle2", 0xd50c871f },
        { "ic iallu", 0xd508751f },
        { "dc civac, x4", 0xd50b7e24 },
        { "wfe", 0xd503205f },
        { "hvc #0x0", 0xd4000002 },
        { "smc #0x0", 0xd4000003 },
    };

    [Theory]
    [MemberData(nameof(Known))]
    public void Encodes(string instruction, uint expected)
    {
        var asm = new A64Assembler();
        switch (instruction)
        {
            case "mov x21, #0x0": asm.Mov(XReg.X21, 0); break;
            case "movk x16, #0x5020, lsl #16": asm.Mov(XReg.X16, 0x50200000); break;
            case "mov x22, x0": asm.Copy(XReg.X22, XReg.X0); break;
            case "ldr x1, [x26]": asm.Load64(XReg.X1, XReg.X26); break;
            case "ldr x2, [x26, #8]": asm.Load64(XReg.X2, XReg.X26, 8); break;
            case "str x6, [x4]": asm.Store64(XReg.X6, XReg.X4); break;
            case "ldr w4, [x25, #28]": asm.Load32(XReg.X4, XReg.X25, 28); break;
            case "str w4, [x25, #4]": asm.Store32(XReg.X4, XReg.X25, 4); break;
            case "ldur w4, [x14, #-60]": asm.LoadNear32(XReg.X4, XReg.X14, -60); break;
            case "ldr w11, [x1], #4": asm.LoadNext32(XReg.X11, XReg.X1); break;
            case "str w11, [x14], #4": asm.StoreNext32(XReg.X11, XReg.X14); break;
            case "ldrb w3, [x1], #1": asm.LoadNextByte(XReg.X3, XReg.X1); break;
            case "ldrb w5, [x6]": asm.LoadByte(XReg.X5, XReg.X6); break;
            case "strb w3, [x2]": asm.StoreByte(XReg.X3, XReg.X2); break;
            case "add x3, x25, #0x40": asm.Add64(XReg.X3, XReg.X25, 64); break;
            case "subs x15, x15, #0x1": asm.Subtract64(XReg.X15, XReg.X15, 1); break;
            case "add x5, x4, x5": asm.Add64(XReg.X5, XReg.X4, XReg.X5); break;
            case "add w7, w7, w11": asm.Add32(XReg.X7, XReg.X7, XReg.X11); break;
            case "cmp w4, w5": asm.Compare32(XReg.X4, XReg.X5); break;
            case "cmp x9, x12": asm.Compare64(XReg.X9, XReg.X12); break;
            case "and w12, w12, w8": asm.And32(XReg.X12, XReg.X12, XReg.X8); break;
            case "orr w11, w4, w5": asm.Or32(XReg.X11, XReg.X4, XReg.X5); break;
            case "eor w12, w9, w10": asm.Xor32(XReg.X12, XReg.X9, XReg.X10); break;
            case "eor w11, w11, w8, ror #25": asm.Xor32(XReg.X11, XReg.X11, XReg.X8, A64Shift.Rotate, 25); break;
            case "eor w12, w12, w5, lsr #10": asm.Xor32(XReg.X12, XReg.X12, XReg.X5, A64Shift.Right, 10); break;
            case "and x1, x2, x3": asm.And64(XReg.X1, XReg.X2, XReg.X3); break;
            case "orr x14, x14, x11, lsl #32": asm.Or64(XReg.X14, XReg.X14, XReg.X11, 32); break;
            case "bic x5, x5, x4": asm.Clear64(XReg.X5, XReg.X5, XReg.X4); break;
            case "ror w11, w8, #6": asm.Rotate32(XReg.X11, XReg.X8, 6); break;
            case "ubfx x9, x9, #2, #2": asm.Extract64(XReg.X9, XReg.X9, 2, 2); break;
            case "lsr x2, x2, #6": asm.Extract64(XReg.X2, XReg.X2, 6, 58); break;
            case "lsl x6, x6, x7": asm.ShiftLeft64(XReg.X6, XReg.X6, XReg.X7); break;
            case "rev w11, w11": asm.Reverse32(XReg.X11, XReg.X11); break;
            case "br x16": asm.Jump(XReg.X16); break;
            case "ret": asm.Ret(); break;
            case "mrs x9, currentel": asm.Read(XReg.X9, SysReg.CurrentEl); break;
            case "mrs x7, ctr_el0": asm.Read(XReg.X7, SysReg.Ctr); break;
            case "mrs x10, id_aa64mmfr0_el1": asm.Read(XReg.X10, SysReg.IdMemoryModel0); break;
            case "msr sctlr_el1, x5": asm.Write(SysReg.SctlrEl1, XReg.X5); break;
            case "msr ttbr0_el1, x13": asm.Write(SysReg.TtbrEl1, XReg.X13); break;
            case "msr tcr_el1, x14": asm.Write(SysReg.TcrEl1, XReg.X14); break;
            case "msr mair_el1, x15": asm.Write(SysReg.MairEl1, XReg.X15); break;
            case "mrs x12, hcr_el2": asm.Read(XReg.X12, SysReg.HcrEl2); break;
            case "msr sctlr_el2, x5": asm.Write(SysReg.SctlrEl2, XReg.X5); break;
            case "msr ttbr0_el2, x13": asm.Write(SysReg.TtbrEl2, XReg.X13); break;
            case "msr tcr_el2, x14": asm.Write(SysReg.TcrEl2, XReg.X14); break;
            case "msr mair_el2, x15": asm.Write(SysReg.MairEl2, XReg.X15); break;
            case "dsb sy": asm.System(A64System.DsbSy, XReg.Zero); break;
            case "isb": asm.System(A64System.Isb, XReg.Zero); break;
            case "tlbi vmalle1": asm.System(A64System.TlbiVmalle1, XReg.Zero); break;
            case "tlbi alle2": asm.System(A64System.TlbiAlle2, XReg.Zero); break;
            case "ic iallu": asm.System(A64System.IcIallu, XReg.Zero); break;
            case "dc civac, x4": asm.System(A64System.DcCivac, XReg.X4); break;
            case "wfe": asm.System(A64System.Wfe, XReg.Zero); break;
            case "hvc #0x0": asm.System(A64System.Hvc); break;
            case "smc #0x0": asm.System(A64System.Smc); break;
            default: Assert.Fail(instruction); break;
        }

        byte[] code = asm.Assemble(0);
        Assert.Equal($"0x{expected:x8}", $"0x{BinaryPrimitives.ReadUInt32LittleEndian(code.AsSpan(code.Length - 4)):x8}");
    }

    [Fact]
    public void BranchesReachForwardAndBackward()
    {
        var asm = new A64Assembler();
        Label start = new(), end = new(), data = new();
        asm.Bind(start);
        asm.Jump(end);
        asm.Jump(A64Condition.NotEqual, start);
        asm.JumpIfZero(XReg.X3, end);
        asm.JumpIfNotZero(XReg.X3, start);
        asm.Call(start);
        asm.Adr(XReg.X1, data);
        asm.Bind(end);
        asm.Ret();
        asm.Bytes([1]);
        asm.Bind(data);
        uint[] words = [.. Enumerable.Range(0, 6).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(asm.Assemble(0).AsSpan(i * 4)))];
        Assert.Equal([0x14000006u, 0x54ffffe1u, 0xb4000083u, 0xb5ffffa3u, 0x97fffffcu, 0x30000041u], words);
    }

    [Fact]
    public void ADisassemblerReadsWhatWasMeant()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, [.. Known.SelectMany(static row => BitConverter.GetBytes(row.Data.Item2))]);
            string[] arguments = ["-D", "-b", "binary", "-m", "aarch64", "--no-show-raw-insn", file];
            using var process = Process.Start(
                new ProcessStartInfo("aarch64-linux-gnu-objdump", arguments) { RedirectStandardOutput = true, UseShellExecute = false });
            string text = process!.StandardOutput.ReadToEnd();
            string[] lines = [.. text.Split('\n')
                .Where(static l => l.StartsWith("  ", StringComparison.Ordinal) && l.Contains(":\t", StringComparison.Ordinal))];
            Assert.Equal(
                Known.Select(static row => row.Data.Item1),
                lines.Select(static l => l[(l.IndexOf(":\t", StringComparison.Ordinal) + 2)..].Split("//")[0].Trim().Replace('\t', ' ')));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("There is no disassembler of arm64.");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
