using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Log;
using static Vmcore.Tests.Kernel.Log.LogImages;

namespace Vmcore.Tests.Kernel.Log;

/// <summary>The log of every kind of kernel, whole and damaged.</summary>
public sealed class KernelLogTests
{
    private static readonly LogTextStyle s_caller = LogTextStyle.Makedumpfile with { ShowCaller = true };

    [Fact]
    public void RingbufferGivesItsMessagesInOrder()
    {
        var ring = new Ringbuffer(4, 10);
        ring.Add("first", 0);
        ring.Add("second\nwith a second line", 1_234_567_890, 0x8000_0003, level: 3);
        ring.Add("tab\tand escape \u001b[0m \u00e9", 100_000_000_000_123, 4711);
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal(LogFormat.Ringbuffer, log.Format);
        Assert.Equal("[    0.000000] first\n[    1.234567] second\n               with a second line\n[100000.000000] tab\tand escape \\x1b[0m \\xe9\n",
            Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal("[    0.000000] first\n[    1.234567] second\nwith a second line\n[100000.000000] tab\tand escape \\x1b[0m \\xe9\n",
            Text(log, LogTextStyle.VmcoreDmesg));
        Assert.Equal(
            "[    0.000000] [      T0] first\n[    1.234567] [      C3] second\n"
                + "                          with a second line\n[100000.000000] [   T4711] tab\tand escape \\x1b[0m \\xe9\n",
            Text(log, s_caller));
        LogRecord second = log.Read().Skip(1).First();
        Assert.Equal((1UL, 3, 0), (second.Sequence, second.Level!.Value, second.Facility!.Value));
        Assert.Equal(0, log.Lost);
        Assert.Empty(log.Problems);
    }

    [Fact]
    public void RingbufferThatHasGoneRoundSeveralTimesGivesTheNewest()
    {
        var ring = new Ringbuffer(3, 8);
        for (int i = 0; i < 100; i++)
            ring.Add($"message {i}", (ulong)i * 1_000_000);
        string[] lines = Text(Open(ring.Info(), ring.Memory()), LogTextStyle.Makedumpfile).TrimEnd('\n').Split('\n');
        Assert.Equal(8, lines.Length);
        Assert.Equal(Enumerable.Range(92, 8).Select(i => $"[    0.{i:000}000] message {i}"), lines);
    }

    [Fact]
    public void RingbufferShowsOnlyWhatIsCommitted()
    {
        var ring = new Ringbuffer(4, 10);
        ring.Add("reserved", 0, state: 0);
        ring.Add("committed", 0, state: 1);
        ring.Add("final", 0, state: 2);
        ring.Add("reusable", 0, state: 3);
        ring.AddDataless(5_000_000);
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal("[    0.000000] committed\n[    0.000000] final\n", Text(log, LogTextStyle.Makedumpfile));
        Assert.EndsWith("final\n[    0.005000] \n", Text(log, LogTextStyle.VmcoreDmesg), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RingbufferSinceItWasCleared(bool latched)
    {
        var ring = new Ringbuffer(2, 10);
        for (int i = 0; i < 6; i++)
            ring.Add($"before {i}", 0);
        ring.Clear(latched);
        ring.Add("after", 0);
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal("[    0.000000] after\n", Text(log, LogTextStyle.Makedumpfile, sinceClear: true));
        Assert.Equal(4, Text(log, LogTextStyle.Makedumpfile).Count(c => c == '\n'));
    }

    [Fact]
    public void RingbufferClearedAfterItsLastMessageIsEmpty()
    {
        var ring = new Ringbuffer(2, 10);
        ring.Add("before", 0);
        ring.Clear(latched: true);
        Assert.Equal("", Text(Open(ring.Info(), ring.Memory()), LogTextStyle.Makedumpfile, sinceClear: true));
    }

    [Fact]
    public void RingbufferIdsMayWrapAround()
    {
        const ulong Last = (1UL << 62) - 1;
        var ring = new Ringbuffer(3, 10, Last - 1) { Tail = Last - 1 };
        foreach (string text in new[] { "one", "two", "three", "four" })
            ring.Add(text, 0);
        Assert.Equal("[    0.000000] one\n[    0.000000] two\n[    0.000000] three\n[    0.000000] four\n",
            Text(Open(ring.Info(), ring.Memory()), LogTextStyle.Makedumpfile));
    }

    [Fact]
    public void RingbufferWhoseIdsMakeNoSenseIsLookedAtOnce()
    {
        var ring = new Ringbuffer(3, 10);
        ring.Add("here", 0);
        ring.Tail = 0x7777_0000_0000;
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal("[    0.000000] here\n", Text(log, LogTextStyle.Makedumpfile));
        Assert.Single(log.Problems);
        Assert.Equal(1, log.Lost);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 63)]
    [InlineData(48, 40)]
    [InlineData(48, -1)]
    public void RingbufferOfAnImpossibleSizeIsRefused(int offset, int bits)
    {
        var ring = new Ringbuffer(3, 10);
        ring.Add("here", 0);
        BitConverter.TryWriteBytes(ring.Head.AsSpan(offset), bits);
        Assert.Null(KernelLog.TryOpen(ring.Info(), ring.Memory(), out string? problem));
        Assert.Contains("damaged", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void RingbufferWithBitsTurnedOverNeverFails()
    {
        var random = new Random(20240611);
        for (int round = 0; round < 2000; round++)
        {
            var ring = new Ringbuffer(3, 9);
            for (int i = 0; i < 20; i++)
                ring.Add(new string('x', random.Next(40)), (ulong)i);
            foreach (byte[] bytes in new[] { ring.Descs, ring.Facts, ring.Data, ring.Head })
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            if (KernelLog.TryOpen(ring.Info(), ring.Memory(), out _) is { } log)
                Assert.InRange(Text(log, s_caller).Length, 0, ring.Count * 1200);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RecordsGoRoundTheRing(bool oldName)
    {
        var records = new Records(208, oldName: oldName);
        records.Add("lost in the end, for it is overwritten by what comes later", 0);
        records.First = (uint)records.Add("second", 1_000_000_000);
        records.Add("third message\nof two lines", 2_000_000_000);
        records.Add("fourth, which is too long for the rest", 3_500_000_000);
        KernelLog log = Open(records.Info(), records.Memory());
        Assert.Equal(LogFormat.Records, log.Format);
        Assert.True(records.Next < records.First);
        Assert.Equal("[    1.000000] second\n[    2.000000] third message\n               of two lines\n"
            + "[    3.500000] fourth, which is too long for the rest\n", Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal(0, log.Lost);
    }

    [Fact]
    public void RecordsNameTheCallerWhereTheKernelKeepsIt()
    {
        var records = new Records(512, caller: true);
        records.Add("from a task", 0, 17, level: 4);
        records.Clear = (uint)records.Add("from a CPU", 0, 0x8000_0002);
        KernelLog log = Open(records.Info(), records.Memory());
        Assert.Equal("[    0.000000] [     T17] from a task\n[    0.000000] [      C2] from a CPU\n", Text(log, s_caller));
        Assert.Equal("[    0.000000] from a CPU\n", Text(log, LogTextStyle.Makedumpfile, sinceClear: true));
        Assert.Equal(4, log.Read().First().Level);
    }

    [Fact]
    public void RecordsThatRunInACircleEnd()
    {
        var records = new Records(256);
        records.Add("one", 0);
        records.Add("two", 0);
        uint end = records.Next;
        records.Next = 8; // No record begins there.
        records.Ring.AsSpan((int)end).Clear();
        KernelLog log = Open(records.Info(), records.Memory());
        Assert.InRange(Text(log, LogTextStyle.Makedumpfile).Count(c => c == '\n'), 2, 4);
        Assert.Equal(1, log.Lost);
        Assert.Contains("twice", log.Problems[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void RecordsWithBitsTurnedOverNeverFail()
    {
        var random = new Random(7);
        for (int round = 0; round < 2000; round++)
        {
            var records = new Records(512);
            for (int i = 0; i < 10; i++)
                records.Add(new string('y', random.Next(30)), (ulong)i);
            records.First = (uint)random.Next(600);
            for (int i = 0; i < 3; i++)
                records.Ring[random.Next(records.Ring.Length)] ^= (byte)(1 << random.Next(8));
            if (KernelLog.TryOpen(records.Info(), records.Memory(), out _) is { } log)
                Assert.InRange(Text(log, LogTextStyle.Makedumpfile).Length, 0, 100_000);
        }
    }

    [Fact]
    public void PlainTextIsWrittenAsItIs()
    {
        (VmcoreInfo info, FakeVirtualMemory memory) = PlainText("<6>[    0.000000] Linux\n<4>last, without its newline", 256, 8);
        KernelLog log = Open(info, memory);
        Assert.Equal(LogFormat.Text, log.Format);
        Assert.Equal("<6>[    0.000000] Linux\n<4>last, without its newline", Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal(" newline", Text(log, LogTextStyle.Makedumpfile, sinceClear: true));
    }

    [Fact]
    public void PlainTextThatHasGoneRound()
    {
        string written = string.Concat(Enumerable.Range(0, 100).Select(i => $"line {i}\n"));
        (VmcoreInfo info, FakeVirtualMemory memory) = PlainText(written, 128, 1000);
        Assert.Equal(written[^128..], Text(Open(info, memory), LogTextStyle.Makedumpfile));
    }

    [Fact]
    public void ALogThatIsNotNamedIsExplained()
    {
        Assert.Null(KernelLog.TryOpen(VmcoreInfo.Parse("OSRELEASE=6.1\n"u8), new FakeVirtualMemory(), out string? problem));
        Assert.Contains("log_buf", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingMemberIsNamed()
    {
        var ring = new Ringbuffer(3, 10);
        string text = System.Text.Encoding.ASCII.GetString(ring.Info().Text.Span).Replace("OFFSET(prb_desc_ring.infos)",
            "OFFSET(other)", StringComparison.Ordinal);
        Assert.Null(KernelLog.TryOpen(VmcoreInfo.Parse(System.Text.Encoding.ASCII.GetBytes(text)), ring.Memory(), out string? problem));
        Assert.Contains("OFFSET(prb_desc_ring.infos)", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNotInTheDumpIsCounted()
    {
        var ring = new Ringbuffer(4, 10);
        ring.Add("here", 0);
        ring.Add("gone", 0);
        // The second text begins beyond what the memory has.
        FakeVirtualMemory memory = ring.Memory();
        KernelLog log = Open(ring.Info(), new Without(memory, Texts + 16, Texts + 1024));
        Assert.Equal("[    0.000000] here\n", Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal(1, log.Lost);
        Assert.Equal("1 messages cannot be read: where they should be is not in the dump, damaged, or user data on pmem",
            Assert.Single(log.Problems).ToString());
        Assert.False(log.IsDamaged);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1 << 20)]
    public void TextsThatDoNotHaveTheirIdsAreNotShown(int difference)
    {
        var ring = new Ringbuffer(4, 10);
        ring.Add("first", 0);
        ring.Add("second", 0);
        ring.Add("third", 0);
        // The second block: each has its id, eight bytes of text, and no more.
        BitConverter.TryWriteBytes(ring.Data.AsSpan(16), BitConverter.ToUInt64(ring.Data, 16) + (ulong)difference);
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal("[    0.000000] first\n[    0.000000] third\n", Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal(1, log.Lost);
        Assert.True(log.IsDamaged);
        Assert.Contains("1 messages are lost: their texts are not where the ring says", Assert.Single(log.Problems).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ARingWhoseTextPointerIsWildShowsNothing()
    {
        var ring = new Ringbuffer(4, 10);
        for (int i = 0; i < 10; i++)
            ring.Add("text", 0);
        BitConverter.TryWriteBytes(ring.Head.AsSpan(48 + 8), Texts + 8);
        KernelLog log = Open(ring.Info(), ring.Memory());
        Assert.Equal("", Text(log, LogTextStyle.Makedumpfile));
        Assert.Equal(10, log.Lost);
    }

    private static KernelLog Open(VmcoreInfo info, Vmcore.Memory.IVirtualMemory memory)
    {
        KernelLog? log = KernelLog.TryOpen(info, memory, out string? problem);
        Assert.True(log is not null, problem);
        return log;
    }

    private sealed class Without(FakeVirtualMemory memory, ulong start, ulong end) : Vmcore.Memory.IVirtualMemory
    {
        public Vmcore.Memory.ByteOrder ByteOrder => memory.ByteOrder;

        public bool IsKernelAddress(ulong address) => memory.IsKernelAddress(address);

        public Vmcore.Memory.MemoryStatus Read(ulong address, Span<byte> buffer) =>
            address < end && address + (ulong)buffer.Length > start ? Vmcore.Memory.MemoryStatus.Excluded : memory.Read(address, buffer);
    }
}
