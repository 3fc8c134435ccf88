using System.Diagnostics;

namespace Vmcore.Kexec.Tests.Platforms.X86_64.Stub;

public sealed class X64AssemblerTests
{
    private static readonly Reg[] All = Enum.GetValues<Reg>();

    // Hand-assembled from the instruction set reference, so that the test holds without a disassembler.
    public static TheoryData<string, string> Known => new()
    {
        { "mov32 r8,rax", "4189c0" },
        { "mov64 rdi,rsp", "4889e7" },
        { "imm32 r12,0x18", "41bc18000000" },
        { "imm64 rsi", "48be8877665544332211" },
        { "load32 rax,[rsp+r14*4-8]", "428b84b4f8ffffff" },
        { "load64 rdx,[rbx+8]", "488b9308000000" },
        { "store32 [rsp+r14*4],r12", "4689a4b400000000" },
        { "ror32 r13,18", "41c1cd12" },
        { "shr64 rdx,6", "48c1ea06" },
        { "bswap32 r12", "410fcc" },
        { "push r15", "4157" },
        { "pop rbx", "5b" },
        { "sub64 rsp,256", "4881ec00010000" },
        { "cmp32 rax,[rbx+4]", "3b8304000000" },
        { "movseg ss,rax", "8ed0" },
        { "retfq", "48cb" },
        { "jmp rax", "ffe0" },
        { "jmp r11", "41ffe3" },
    };

    [Theory]
    [MemberData(nameof(Known))]
    public void Encodes(string instruction, string expected)
    {
        var asm = new X64Assembler();
        switch (instruction)
        {
            case "mov32 r8,rax": asm.Mov32(Reg.R8, Reg.Rax); break;
            case "mov64 rdi,rsp": asm.Mov64(Reg.Rdi, Reg.Rsp); break;
            case "imm32 r12,0x18": asm.Mov32(Reg.R12, 0x18); break;
            case "imm64 rsi": asm.Mov64(Reg.Rsi, 0x1122334455667788); break;
            case "load32 rax,[rsp+r14*4-8]": asm.Load32(Reg.Rax, Mem.At(Reg.Rsp, Reg.R14, 4, -8)); break;
            case "load64 rdx,[rbx+8]": asm.Load64(Reg.Rdx, Mem.At(Reg.Rbx, 8)); break;
            case "store32 [rsp+r14*4],r12": asm.Store32(Mem.At(Reg.Rsp, Reg.R14, 4), Reg.R12); break;
            case "ror32 r13,18": asm.Ror32(Reg.R13, 18); break;
            case "shr64 rdx,6": asm.Shr64(Reg.Rdx, 6); break;
            case "bswap32 r12": asm.Bswap32(Reg.R12); break;
            case "push r15": asm.Push(Reg.R15); break;
            case "pop rbx": asm.Pop(Reg.Rbx); break;
            case "sub64 rsp,256": asm.Sub64(Reg.Rsp, 256); break;
            case "cmp32 rax,[rbx+4]": asm.Cmp32(Reg.Rax, Mem.At(Reg.Rbx, 4)); break;
            case "movseg ss,rax": asm.MovSegment(SegmentReg.Ss, Reg.Rax); break;
            case "retfq": asm.RetFar(); break;
            case "jmp rax": asm.Jump(Reg.Rax); break;
            case "jmp r11": asm.Jump(Reg.R11); break;
            default: Assert.Fail(instruction); break;
        }

        Assert.Equal(expected, Convert.ToHexStringLower(asm.Assemble(0)));
    }

    [Fact]
    public void LabelsWorkForwardsAndBackwards()
    {
        var asm = new X64Assembler();
        Label back = new(), forth = new();
        asm.Bind(back);
        asm.Jump(forth);
        asm.Jump(Condition.Equal, back);
        asm.Bind(forth);
        asm.Address(back);
        Assert.Equal("e906000000" + "0f84f5ffffff" + "0010000000000000", Convert.ToHexStringLower(asm.Assemble(0x1000)));
    }

    [Fact]
    public void ALabelWithoutAPlaceIsAnError()
    {
        var asm = new X64Assembler();
        asm.Jump(new Label());
        Assert.Throws<InvalidOperationException>(() => asm.Assemble(0));
    }

    /// <summary>Every register in every form, judged by the disassembler where binutils are installed.</summary>
    [Fact]
    public void TheDisassemblerReadsWhatWasMeant()
    {
        var asm = new X64Assembler();
        List<string> expected = [];
        foreach (Reg a in All)
        {
            Reg b = All[((int)a + 5) % 16];
            asm.Mov64(a, b);
            expected.Add($"mov {Name64(a)},{Name64(b)}");
            asm.Add32(a, b);
            expected.Add($"add {Name32(a)},{Name32(b)}");
            asm.Load32(a, Mem.At(b, 0x10));
            expected.Add($"mov {Name32(a)},DWORDPTR[{Name64(b)}+0x10]");
            if (b != Reg.Rsp)
            {
                asm.Store32(Mem.At(a, b, 8, 0x20), b);
                expected.Add($"mov DWORDPTR[{Name64(a)}+{Name64(b)}*8+0x20],{Name32(b)}");
            }

            asm.Ror32(a, 7);
            expected.Add($"ror {Name32(a)},0x7");
            asm.Bswap32(a);
            expected.Add($"bswap {Name32(a)}");
        }

        byte[] code = asm.Assemble(0);
        string? listing = Disassemble(code);
        if (listing is null)
        {
            // No binutils here: the hand-assembled cases above still hold. What can be said: nothing is empty.
            Assert.NotEmpty(code);
            return;
        }

        string[] lines = [.. listing.Split('\n').Where(static l => l.Contains(":\t", StringComparison.Ordinal)).Select(static l => Compact(l.Split('\t')[^1]))];
        Assert.Equal(expected, lines);
    }

    private static string Compact(string line)
    {
        int blank = line.IndexOf(' ');
        return string.Concat(
            line.AsSpan(0, blank + 1), line[(blank + 1)..].Replace(" ", "", StringComparison.Ordinal).Replace("*1", "", StringComparison.Ordinal));
    }

    private static string Name64(Reg reg) => reg.ToString().ToLowerInvariant();

    private static string Name32(Reg reg) => reg >= Reg.R8 ? $"{Name64(reg)}d" : $"e{Name64(reg)[1..]}";

    private static string? Disassemble(byte[] code)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, code);
            string[] arguments = ["-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--no-show-raw-insn", file];
            using var process = Process.Start(new ProcessStartInfo("objdump", arguments) { RedirectStandardOutput = true, UseShellExecute = false });
            string text = process!.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return text;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
        finally
        {
            File.Delete(file);
        }
    }
}
