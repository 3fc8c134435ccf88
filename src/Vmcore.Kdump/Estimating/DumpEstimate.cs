using System.Diagnostics;
using System.Globalization;
using Vmcore.Compression;
using Vmcore.Dumping;
using Vmcore.Kdump.Configuration;
using Vmcore.Memmap;

namespace Vmcore.Kdump.Estimating;

/// <summary>How large a dump of this machine would be now, and how long its one CPU would take: by making one that is not written.</summary>
internal sealed class DumpEstimate(long bytes, TimeSpan time, ulong pages, ulong memory)
{
    /// <summary>Size of the dump.</summary>
    public long Bytes => bytes;

    /// <summary>Time of one CPU, as fast as this one, without that of the target.</summary>
    public TimeSpan Time => time;

    /// <summary>Pages in the dump.</summary>
    public ulong Pages => pages;

    /// <summary>Pages of the machine.</summary>
    public ulong Memory => memory;

    /// <summary>The memory of the running kernel.</summary>
    internal const string Input = "/proc/kcore";

    /// <summary>Makes it.</summary>
    /// <param name="configuration">How dumps are made.</param>
    /// <param name="input">What is dumped: the running kernel's memory, or any dump.</param>
    /// <exception cref="VmcoreException">The memory cannot be read.</exception>
    internal static DumpEstimate Measure(KdumpConfiguration configuration, string input)
    {
        long started = Stopwatch.GetTimestamp();
        using CrashDump dump = CrashDump.Open(input);
        var options = new DumpOptions
        {
            Level = (DumpLevel)int.Parse(configuration.Level.Split(',')[0], CultureInfo.InvariantCulture),
            Codec = configuration.CodecOption switch
            {
                "-l" => PageCodec.Lzo,
                "-c" => PageCodec.Zlib,
                "-p" => PageCodec.Snappy,
                "-z" => PageCodec.Zstd,
                _ => PageCodec.None,
            },
            Threads = 1,
        };
        using var nowhere = new NullSink();
        DumpReport report = Dumper.Write(new(dump, options), [nowhere], new Silent());
        return new(report.BytesWritten, Stopwatch.GetElapsedTime(started), report.Remaining, report.Original);
    }

    private sealed class Silent : IDumpObserver
    {
        public void Started(DumpStep step)
        {
        }

        public void Progress(DumpStep step, ulong done, ulong total)
        {
        }

        public void Finished(DumpStep step, TimeSpan elapsed)
        {
        }
    }
}
