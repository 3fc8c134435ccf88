using System.Globalization;

namespace Vmcore.Dumping;

/// <summary>How many threads to use where nobody says: as many as there are cores, and as the memory of a capture kernel allows.</summary>
internal static class ThreadCount
{
    /// <summary>Most threads that are started without being asked for.</summary>
    private const int Most = 8;

    /// <summary>Bytes that a thread takes: two batches, its stack, its codec; twice over, since the page cache of the target wants room too.</summary>
    private const long BytesPerThread = 6 << 20;

    /// <summary>Chooses a number of threads.</summary>
    /// <param name="asked">What was asked for; 0 for none.</param>
    internal static int Choose(int asked)
    {
        if (asked > 0)
            return asked;
        int cores = Math.Min(Environment.ProcessorCount, Most);
        return cores == 1 ? 1 : (int)Math.Clamp(AvailableMemory() / BytesPerThread, 1, cores);
    }

    private static long AvailableMemory()
    {
        try
        {
            foreach (string line in File.ReadLines("/proc/meminfo"))
            {
                if (line.StartsWith("MemAvailable:", StringComparison.Ordinal) && line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var number, ..]
                    && long.TryParse(number, CultureInfo.InvariantCulture, out long kilobytes))
                    return kilobytes << 10;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No /proc: then nobody knows.
        }

        return long.MaxValue;
    }
}
