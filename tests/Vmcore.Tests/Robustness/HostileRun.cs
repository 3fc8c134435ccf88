using System.Text;
using Vmcore.Dumping;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Testing;

namespace Vmcore.Tests.Robustness;

/// <summary>What became of a damaged file.</summary>
/// <param name="Error">The error for the operator; null if a dump was made.</param>
/// <param name="Report">The report of the dump that was made.</param>
/// <param name="Problems">What opening complained of.</param>
internal sealed record Outcome(VmcoreException? Error, DumpReport? Report, IReadOnlyList<Finding> Problems);

/// <summary>
/// Takes a file through all that the command does with it. Only errors for the operator may come out of it; any other exception fails the test
/// that calls, and so do output beyond what the file can account for and user data of pmem.
/// </summary>
internal static class HostileRun
{
    private static readonly (DumpLevel Level, DumpOutput Output)[] s_ways =
    [
        (DumpLevel.None, DumpOutput.Kdump), ((DumpLevel)31, DumpOutput.Kdump), (DumpLevel.All, DumpOutput.Kdump),
        (DumpLevel.None, DumpOutput.Elf), ((DumpLevel)31, DumpOutput.Elf), (DumpLevel.All, DumpOutput.Elf),
    ];

    /// <summary>Number of ways to dump.</summary>
    public static int Ways => s_ways.Length;

    /// <summary>Dumps in every way.</summary>
    public static void All(IByteSource source, bool noCanary, CrashDumpOptions? options = null)
    {
        for (int way = 0; way < Ways; way++)
            One(source, way, noCanary, options);
    }

    /// <summary>Dumps in one way.</summary>
    public static Outcome One(IByteSource source, int way, bool noCanary, CrashDumpOptions? options = null)
    {
        IReadOnlyList<Finding> problems = [];
        try
        {
            using CrashDump dump = CrashDump.Open(source, options);
            problems = dump.Problems;
            Assert.InRange(dump.Problems.Count, 0, 300);
            Assert.InRange(dump.Pmem.Findings.Count, 0, 300);
            (DumpLevel level, DumpOutput output) = s_ways[way];
            using var sink = new WatchingSink((2 * source.Length) + (1L << 30), noCanary);
            var plan = new DumpRequest(dump, new() { Level = level, Output = output, Threads = 1 });
            return new(null, Dumper.Write(plan, sink, SilentObserver.Instance, CancellationToken.None), problems);
        }
        catch (VmcoreException e)
        {
            Assert.False(string.IsNullOrWhiteSpace(e.Message));
            return new(e, null, problems);
        }
    }

    /// <summary>A sink that keeps nothing and looks at everything.</summary>
    private sealed class WatchingSink(long limit, bool noCanary) : IByteSink
    {
        private static readonly byte[] s_canary = Encoding.ASCII.GetBytes(PageText.PmemCanary);

        public string Name => "watching";

        public long BytesWritten { get; private set; }

        public bool GapsReadAsZero => true;

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            BytesWritten += bytes.Length;
            Assert.True(BytesWritten <= limit, $"more than {limit} bytes of output");
            if (noCanary)
                Assert.Equal(-1, bytes.IndexOf(s_canary));
        }

        public void Complete(long length)
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class SilentObserver : IDumpObserver
    {
        public static SilentObserver Instance { get; } = new();

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
