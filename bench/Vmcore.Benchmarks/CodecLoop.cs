using System.Diagnostics;
using System.Globalization;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Benchmarks;

/// <summary>
/// The bare loop over a codec, to compare a dump's throughput with: pages of a vmcore, in memory before the clock starts, compressed by some threads, and the
/// result thrown away.
/// </summary>
internal static class CodecLoop
{
    /// <summary>Pages at most: 512 MiB.</summary>
    private const int MostPages = 1 << 17;

    /// <summary>Runs <c>codec-loop VMCORE LEVEL CODEC THREADS</c> and prints MB per second.</summary>
    /// <param name="arguments">What follows the word.</param>
    /// <returns>An exit status.</returns>
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length != 4 || !Enum.TryParse(arguments[2], ignoreCase: true, out PageCodec codec))
        {
            Console.Error.WriteLine("codec-loop VMCORE LEVEL CODEC THREADS");
            return 2;
        }

        int threads = int.Parse(arguments[3], CultureInfo.InvariantCulture);
        byte[] pages = Load(arguments[0], (DumpLevel)int.Parse(arguments[1], CultureInfo.InvariantCulture), out int count);
        double best = Enumerable.Range(0, 3).Min(_ => Seconds(pages, count, codec, threads));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(double)count * PageSet.PageSize / best / 1e6:F0}"));
        return 0;
    }

    private static byte[] Load(string path, DumpLevel level, out int count)
    {
        using CrashDump dump = CrashDump.Open(path);
        var plan = new DumpRequest(dump, new() { Level = level });
        WindowClassifier classifier = new Classifiers(plan).Create();
        var window = new PlanWindow();
        byte[] pages = new byte[MostPages * PageSet.PageSize];
        count = 0;
        foreach (ulong number in plan.Windows())
        {
            classifier.Classify(number, window);
            for (int at = 0; (at = PageBits.NextSet(window.Kept, at)) < PlanWindow.Pages && count < MostPages; at++)
            {
                Span<byte> page = pages.AsSpan(count * PageSet.PageSize, PageSet.PageSize);
                if (dump.Memory.ReadPage(window.FirstPfn + (ulong)at, page) == MemoryStatus.Ok && !ZeroPage.IsZero(page))
                    count++;
            }
        }

        return pages;
    }

    private static double Seconds(byte[] pages, int count, PageCodec codec, int threads)
    {
        long started = Stopwatch.GetTimestamp();
        Thread[] all = [.. Enumerable.Range(0, threads).Select(first => new Thread(() =>
        {
            using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
            byte[] output = new byte[2 * PageSet.PageSize];
            for (int i = first; i < count; i += threads)
                compressor.Compress(pages.AsSpan(i * PageSet.PageSize, PageSet.PageSize), output);
        }))];
        foreach (Thread thread in all)
            thread.Start();
        foreach (Thread thread in all)
            thread.Join();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
