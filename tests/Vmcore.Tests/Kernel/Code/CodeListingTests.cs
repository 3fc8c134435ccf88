using Vmcore.Architectures;
using Vmcore.Architectures.X86_64;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Code;
using Vmcore.Kernel.Crash;
using Vmcore.Memory;

namespace Vmcore.Tests.Kernel.Code;

/// <summary>How bytes are cut into instructions, and what the log's own line of them says.</summary>
public sealed class CodeListingTests
{
    private const ulong Address = 0xffffffff81000010;

    /// <summary>Instructions as long as their first byte says; 0 is none.</summary>
    private sealed class Lengths : IInstructionDecoder
    {
        public DecodedInstruction? TryDecode(ReadOnlySpan<byte> code, ulong address) =>
            code[0] == 0 || code[0] > code.Length ? null : new() { Length = code[0], Text = $"i{code[0]}" };
    }

    [Theory]
    [InlineData("01 02 00 03 00 00", 3, "i1 i2 i3")]
    [InlineData("05 02 00 03 00 00", 3, "i2 i3")] // From the first byte the instruction would go beyond the marked one.
    [InlineData("00 02 00 03 00 00", 3, "i2 i3")]
    [InlineData("03 00 00", 0, "i3")]
    public void InstructionsBeforeTheMarkedOneLeadToIt(string digits, int mark, string expected)
    {
        IReadOnlyList<CodeLine> lines = CodeListing.Decode(X86Architecture.Instance, new Lengths(), Bytes(digits), mark, Address);
        Assert.Equal(expected, string.Join(' ', lines.Select(static l => l.Instruction?.Text ?? "-")));
        CodeLine current = Assert.Single(lines, static l => l.IsCurrent);
        Assert.Equal(Address, current.Address);
    }

    [Fact]
    public void BytesThatAreNoInstructionAreShownAsSuch()
    {
        List<CodeLine> lines = CodeDecoding.Decode(new(Bytes("01 00 02 00 0f"), Address), X86Architecture.Instance, new Lengths(), Address);
        Assert.Equal([(1, true), (1, false), (2, true), (1, false)], lines.Select(static l => (l.Length, l.Instruction is not null)));
        Assert.Equal(5, lines.Sum(static l => l.Length));
    }

    [Fact]
    public void AnInstructionThatWasAskedForBeginsThere()
    {
        List<CodeLine> lines = CodeDecoding.Decode(new(Bytes("03 01 01 01"), Address), X86Architecture.Instance, new Lengths(), Address + 1);
        Assert.Equal([Address, Address + 1, Address + 2, Address + 3], lines.Select(static l => l.Address));
    }

    [Theory]
    [InlineData("Code: 48 8b <0f> 0b c3", ByteOrder.LittleEndian, "488b0f0bc3", 2)]
    [InlineData("Code: d503201f a9bf7bfd (d4210000) ", ByteOrder.LittleEndian, "1f2003d5fd7bbfa9000021d4", 8)]
    [InlineData("Code: 1234 <5678> 9abc", ByteOrder.BigEndian, "123456789abc", 2)]
    public void TheLinesOfEveryMachineAreRead(string line, ByteOrder order, string bytes, int mark)
    {
        LoggedCode code = LoggedCode.TryParse(line, new("foo", 0x12, "bar"), order)!;
        Assert.Equal((bytes, mark), (Convert.ToHexStringLower(code.Bytes.Span), code.Mark));
        Assert.Equal(("foo", 0x12UL, "bar"), (code.Function, code.Offset, code.Module));
    }

    [Theory]
    [InlineData("Code: Unable to access opcode bytes at RIP 0x0.")]
    [InlineData("Code: 48 8b 0f 0b")] // None is marked.
    [InlineData("Code: 48 ?? <0f>")]
    [InlineData("Code: ")]
    [InlineData("code: <0f>")]
    public void WhatIsNoCodeIsNone(string line) => Assert.Null(LoggedCode.TryParse(line, new("foo", 0, null), ByteOrder.LittleEndian));

    /// <summary>The kernel logs the registers of the process that called it behind its own, in the same words.</summary>
    [Fact]
    public void CodeOfAProcessIsNotTheKernels()
    {
        var log = new CrashLog();
        string[] lines =
        [
            "BUG: kernel NULL pointer dereference, address: 0000000000000018", "Oops: 0000 [#1] PREEMPT SMP", "CPU: 1 PID: 2 Comm: a",
            "RIP: 0010:foo+0x5/0x10 [bar]", "RSP: 0018:0", "Call Trace:", " foo+0x5/0x10", "RIP: 0033:0x7f0000000000", "Code: 01 <02> 03",
            "Kernel panic - not syncing: Fatal exception",
        ];
        foreach (string line in lines)
            log.Add(null, line);
        Assert.Null(log.Cause()!.Code);
    }

    /// <summary>What bounds a listing, and what is said of it. Without an end it would go through the filling behind the last function.</summary>
    [Theory]
    [InlineData(0, 100, CodeRequest.All, 100, null)]
    [InlineData(0, 1001, CodeRequest.All, 1000, FindingCode.CodeCutShort)]
    [InlineData(990, 5000, 3, 1000, FindingCode.CodeCutShort)]
    [InlineData(0, 5000, 3, 30, null)]
    [InlineData(0, null, CodeRequest.All, 50, FindingCode.CodeEndUnknown)]
    [InlineData(200, null, CodeRequest.All, 250, FindingCode.CodeEndUnknown)]
    [InlineData(200, null, 2, 220, null)]
    [InlineData(200, null, 20, 250, FindingCode.CodeEndUnknown)]
    public void NoListingGoesOnForEver(int offset, int? size, int count, int length, FindingCode? said)
    {
        List<Finding> problems = [];
        var limits = new ReadLimits { FunctionBytes = 1000, EndlessFunctionBytes = 50 };
        ulong? end = size is { } s ? Address + (ulong)s : null;
        ulong read = CodeListing.Extent("foo", Address, end, new() { Address = Address + (ulong)offset, Count = count }, 10, limits, problems, out ulong rest);
        Assert.Equal((ulong)length, read);
        Assert.True(read <= rest);
        Assert.Equal(said is { } code ? [code] : [], problems.Select(static p => p.Code));
    }

    private static byte[] Bytes(string digits) => Convert.FromHexString(digits.Replace(" ", "", StringComparison.Ordinal));
}
