using System.Buffers.Binary;
using Vmcore.Dumping;
using Vmcore.Formats.Flattened;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A flattened stream has no byte twice: crash keeps the records sorted, and which of two that overlap it reads is chance.</summary>
public sealed class StreamOnceTests
{
    [Theory]
    [InlineData(DumpOutput.Kdump, 0)]
    [InlineData(DumpOutput.Kdump, 31)]
    [InlineData(DumpOutput.Elf, 0)]
    [InlineData(DumpOutput.Elf, 31)]
    public void NoByteComesTwice(DumpOutput output, int level)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace();
        var options = new DumpOptions { Output = output, Level = (DumpLevel)level, Threads = 1 };
        byte[] stream = Stream(machine, options);
        List<(long Start, long End)> records = [.. Records(stream).OrderBy(static r => r.Start)];
        for (int i = 1; i < records.Count; i++)
            Assert.True(records[i].Start >= records[i - 1].End, $"0x{records[i].Start:x} comes twice");
        Assert.Equal(0, records[0].Start);
        // crash compares the end of the last segment with the length of the stream.
        if (output == DumpOutput.Elf)
            Assert.True(stream.Length >= records[^1].End);
        if (output == DumpOutput.Elf)
            Assert.All(records.Zip(records.Skip(1)), static pair => Assert.Equal(pair.First.End, pair.Second.Start));
    }

    /// <summary>Rearranged, it has the same pages as the dump that was written to a file.</summary>
    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void RearrangedItIsTheDump(DumpOutput output)
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace();
        var options = new DumpOptions { Output = output, Level = (DumpLevel)31, Threads = 1 };
        using var sink = new MemorySink();
        FlattenedRearranger.Rearrange(new MemoryStream(Stream(machine, options)), "stream", sink);
        WrittenDump file = WrittenDump.Of(new CoreSource(machine.Core()), options);
        using CrashDump one = CrashDump.Open(new KdumpBytes(sink.ToArray(), "rearranged")), other = file.Open();
        Assert.False(one.IsIncomplete);
        Assert.Equal(one.NoteArea.ToArray(), other.NoteArea.ToArray());
        List<(ulong, byte[])> a = [], b = [];
        WrittenDump.ForEachPage(one, (pfn, page) => a.Add((pfn, [.. page])));
        WrittenDump.ForEachPage(other, (pfn, page) => b.Add((pfn, [.. page])));
        Assert.Equal(b.Count, a.Count);
        Assert.All(a.Zip(b), static pair => Assert.True(pair.First.Item1 == pair.Second.Item1 && pair.First.Item2.AsSpan().SequenceEqual(pair.Second.Item2)));
    }

    /// <summary>A stream that ends early is known to be cut, though no mark says so.</summary>
    [Fact]
    public void ACutStreamIsIncomplete()
    {
        (SyntheticMachine machine, _) = Machines.WithNamespace();
        byte[] stream = Stream(machine, new() { Level = (DumpLevel)31, Threads = 1 });
        using CrashDump cut = CrashDump.Open(new KdumpBytes(stream[..(stream.Length / 2)], "cut"));
        Assert.True(cut.IsIncomplete);
    }

    private static byte[] Stream(SyntheticMachine machine, DumpOptions options)
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        using var stream = new MemoryStream();
        using var sink = new FlattenedSink(stream, "flat", leaveOpen: true);
        Assert.Equal(DumpEnd.Complete, Dumper.Write(new(dump, options), sink, NoObserver.Instance).End);
        return stream.ToArray();
    }

    private static IEnumerable<(long Start, long End)> Records(byte[] stream)
    {
        for (int at = FlattenedFormat.HeaderSize; ;)
        {
            long offset = BinaryPrimitives.ReadInt64BigEndian(stream.AsSpan(at)), length = BinaryPrimitives.ReadInt64BigEndian(stream.AsSpan(at + 8));
            if (offset < 0)
                yield break;
            yield return (offset, offset + length);
            at += 16 + (int)length;
        }
    }
}
