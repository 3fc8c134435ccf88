using Vmcore.Dumping;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A file that becomes shorter while it is dumped: what is gone is not in the dump, which says that it is not whole.</summary>
public sealed class ShrinkingInputTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-shrink-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("elf", DumpOutput.Kdump, DumpStep.CopyingData)]
    [InlineData("elf", DumpOutput.Kdump, DumpStep.ExcludingPages)]
    [InlineData("elf", DumpOutput.Elf, DumpStep.CopyingData)]
    [InlineData("kdump", DumpOutput.Kdump, DumpStep.CopyingData)]
    [InlineData("flattened", DumpOutput.Kdump, DumpStep.CopyingData)]
    public void ADumpOfItIsIncomplete(string input, DumpOutput output, DumpStep step)
    {
        string path = Path.Combine(_folder, "input");
        Write(path, input);
        using CrashDump dump = CrashDump.Open(path);
        var plan = new DumpRequest(dump, new() { Output = output, Threads = 1 });
        Assert.False(dump.IsIncomplete);
        using var sink = new MemorySink();
        var cut = new Cut(path, step);
        DumpReport report = Dumper.Write(plan, sink, cut);
        Assert.True(cut.IsDone);
        Assert.Equal(DumpEnd.Complete, report.End);
        Assert.InRange(report.Unreadable, 1000ul, report.Remaining);
        Assert.True(dump.HasShrunk);
        Assert.True(dump.IsIncomplete);
        Assert.Equal($"{path}: the file became shorter while it was read", dump.Loss?.ToString());

        using CrashDump written = CrashDump.Open(new KdumpBytes(sink.ToArray(), "written"));
        Assert.True(written.IsIncomplete);
        byte[] page = new byte[written.Memory.PageSize];
        Assert.Equal(MemoryStatus.Ok, written.Memory.ReadPage(0x1000, page));
        Assert.Contains(page, static b => b != 0);
        Assert.NotEqual(MemoryStatus.Ok, written.Memory.ReadPage(0x26ff, page));
    }

    /// <summary>A page that a device cannot read is no reason to call the input incomplete.</summary>
    [Fact]
    public void AFailingDeviceIsAnotherThing()
    {
        byte[] bytes = Machine().ToElf();
        using CrashDump dump = CrashDump.Open(new KdumpBytes(bytes).FailingAt(bytes.Length - 4096));
        using var sink = new MemorySink();
        Assert.Equal(1ul, Dumper.Write(new(dump, new()), sink, NoObserver.Instance).Unreadable);
        Assert.False(dump.HasShrunk);
        Assert.False(dump.IsIncomplete);
    }

    private static SyntheticMachine Machine() => new SyntheticMachine().AddRam(0x100000, 39 * Machines.MiB).PlaceMany(0x1800, 0xf00, PageKind.KernelData);

    private static void Write(string path, string format)
    {
        if (format == "elf")
        {
            Machine().WriteSparse(path);
            return;
        }

        byte[] bytes = WrittenDump.Of(Machine().Core(), 0).Bytes;
        if (format == "flattened")
        {
            using var stream = new MemoryStream();
            var sink = new Vmcore.Formats.Flattened.FlattenedSink(stream, "flat");
            sink.Write(0, bytes);
            sink.Complete(bytes.Length);
            bytes = stream.ToArray();
        }

        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Halves a file when a step begins.</summary>
    private sealed class Cut(string path, DumpStep when) : IDumpObserver
    {
        public bool IsDone { get; private set; }

        public void Started(DumpStep step)
        {
            if (step != when || IsDone)
                return;
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            file.SetLength(file.Length / 2);
            IsDone = true;
        }

        public void Progress(DumpStep step, ulong done, ulong total)
        {
        }

        public void Finished(DumpStep step, TimeSpan elapsed)
        {
        }
    }
}
