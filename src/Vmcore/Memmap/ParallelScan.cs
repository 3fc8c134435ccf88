using System.Runtime.ExceptionServices;

namespace Vmcore.Memmap;

/// <summary>Does pieces of a scan on several threads, a batch after the other: results are taken in order, and memory does not grow with the machine.</summary>
internal static class ParallelScan
{
    private const int Threads = 8;

    /// <summary>Pieces in a batch: two for each thread.</summary>
    internal static int BatchSize { get; } = 2 * Math.Clamp(Environment.ProcessorCount, 1, Threads);

    /// <summary>Does the pieces of a batch.</summary>
    /// <param name="count">Number of pieces.</param>
    /// <param name="body">Does the piece with a number; called on several threads.</param>
    /// <exception cref="VmcoreException">What the body threw.</exception>
    internal static void Run(int count, Action<int> body)
    {
        if (count == 1)
        {
            body(0);
            return;
        }

        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = Threads }, body);
        }
        catch (AggregateException e) when (e.InnerExceptions[0] is VmcoreException first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }
}
