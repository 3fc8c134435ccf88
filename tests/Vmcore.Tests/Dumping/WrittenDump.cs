using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A dump that was written to memory.</summary>
/// <param name="Bytes">The file.</param>
/// <param name="Report">What the dumper said.</param>
internal sealed record WrittenDump(byte[] Bytes, DumpReport Report)
{
    /// <summary>Dumps a source.</summary>
    public static WrittenDump Of(IByteSource source, DumpOptions options, CrashDumpOptions? opening = null)
    {
        using CrashDump dump = CrashDump.Open(source, opening);
        return Of(dump, options);
    }

    /// <summary>Dumps an open dump.</summary>
    public static WrittenDump Of(CrashDump dump, DumpOptions options)
    {
        using var sink = new MemorySink();
        DumpReport report = Dumper.Write(new(dump, options), sink, NoObserver.Instance);
        Assert.True(sink.IsComplete);
        Assert.Equal(DumpEnd.Complete, report.End);
        return new(sink.ToArray(), report);
    }

    /// <summary>Dumps a synthetic core at a level.</summary>
    public static WrittenDump Of(CoreImage core, int level, PageCodec codec = PageCodec.None, DumpOutput output = DumpOutput.Kdump) =>
        Of(new CoreSource(core), new() { Level = (DumpLevel)level, Codec = codec, Output = output, Threads = 1 });

    /// <summary>The dump as the program opens it.</summary>
    public CrashDump Open(CrashDumpOptions? options = null) => CrashDump.Open(new KdumpBytes(Bytes, "written"), options);

    /// <summary>The dump by the reader of the format alone.</summary>
    public KdumpFile OpenKdump() => KdumpFile.Open(new KdumpBytes(Bytes, "written"), PageCodecs.CreateDecompressor);

    /// <summary>True if a text is in the file as it is.</summary>
    public bool Contains(string text) => Bytes.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(text)) >= 0;

    /// <summary>The pages of which any content can be read, with that content.</summary>
    public static void ForEachPage(CrashDump dump, Action<ulong, byte[]> visit)
    {
        byte[] page = new byte[4096];
        ulong[] exists = new ulong[512], present = new ulong[512];
        foreach (ulong number in new DumpRequest(dump, new()).Windows())
        {
            ulong first = number << PlanWindow.Shift;
            dump.Unfiltered.GetPages(first, exists, present);
            for (int i = 0; i < PlanWindow.Pages; i++)
            {
                if ((present[i >> 6] >> (i & 63) & 1) != 0 && dump.Unfiltered.ReadPage(first + (ulong)i, page) == MemoryStatus.Ok)
                    visit(first + (ulong)i, page);
            }
        }
    }

    /// <summary>No user data of pmem: not in the file, and not in a page of it.</summary>
    public void AssertNoPmemUserData()
    {
        byte[][] marks = [[.. PageText.PmemCanary.Select(c => (byte)c)], [.. PageText.PmemStale.Select(c => (byte)c)]];
        Assert.All(marks, m => Assert.True(Bytes.AsSpan().IndexOf(m) < 0, "A canary is in the file."));
        using CrashDump dump = Open();
        ForEachPage(dump, (pfn, page) => Assert.True(marks.All(m => page.AsSpan().IndexOf(m) < 0), $"A canary is in page 0x{pfn:x}."));
    }
}
