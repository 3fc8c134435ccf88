using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Summary;

/// <summary>A taint of the kernel.</summary>
/// <param name="Letter">The letter that the kernel prints for it.</param>
/// <param name="Meaning">What it says, in words.</param>
public sealed record KernelTaint(char Letter, string Meaning);

/// <summary>What state the machine was in when it crashed, in a few facts. What the dump does not tell is null, and <see cref="Problems"/> says why.</summary>
public sealed record CrashSummary
{
    private const int LineCharacters = 1024;

    // Bit 0 and so on; source: Documentation/admin-guide/tainted-kernels.rst.
    private static readonly KernelTaint[] s_taints =
    [
        new('P', "a proprietary module was loaded"),
        new('F', "a module was loaded by force"),
        new('S', "the kernel ran out of its specification"),
        new('R', "a module was unloaded by force"),
        new('M', "a processor reported a machine check"),
        new('B', "a page was in a bad state"),
        new('U', "user space asked for it"),
        new('D', "the kernel has died before (oops or BUG)"),
        new('A', "an ACPI table was overridden"),
        new('W', "the kernel warned"),
        new('C', "a staging driver was loaded"),
        new('I', "a bug of the firmware is worked around"),
        new('O', "a module from outside of the kernel's tree was loaded"),
        new('E', "an unsigned module was loaded"),
        new('L', "a processor was locked up"),
        new('K', "the kernel was patched live"),
        new('X', "the distribution's own flag"),
        new('T', "structures are randomised"),
        new('N', "a test ran in the kernel"),
        new('J', "user space changed a device's firmware (fwctl)"),
    ];

    private static readonly string[] s_panics =
    [
        "Kernel panic", "BUG: ", "Oops: ", "Internal error: ", "general protection fault",
        "Unable to handle kernel", "divide error:", "invalid opcode:", "stack segment:",
    ];

    /// <summary>Time since boot, that in suspension included: by the kernel's clock to the second, else by the last message of its log.</summary>
    public TimeSpan? Uptime { get; private set; }

    /// <summary>The kernel's clock; null if it cannot be read, or does not agree with the time of the crash.</summary>
    public KernelClock? Clock { get; private set; }

    /// <summary>The last line of the log that says that the kernel panicked, or why (oops, BUG).</summary>
    public string? Panic { get; private set; }

    /// <summary>The taints; null if they cannot be read.</summary>
    public IReadOnlyList<KernelTaint>? Taints { get; private set; }

    /// <summary>Tasks that ran or waited to, on average of 1, 5 and 15 minutes, as in /proc/loadavg; null if it cannot be read.</summary>
    public IReadOnlyList<double>? LoadAverage { get; private set; }

    /// <summary>Number of CPUs that were online; a panic may have taken the others off the list.</summary>
    public int? CpusOnline { get; private set; }

    /// <summary>The CPU that panicked, with its task; null if none did, or it is not known.</summary>
    public CpuState? Crashing { get; private set; }

    /// <summary>What could not be found out, one clause each.</summary>
    public IReadOnlyList<Finding> Problems { get; private set; } = [];

    /// <summary>Reads the state.</summary>
    /// <param name="kernel">The kernel.</param>
    public static CrashSummary Read(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var summary = new CrashSummary();
        if (kernel is not { VmcoreInfo: { } info, Memory: { } memory })
            return summary;
        List<string> problems = [];
        TimeSpan? last = summary.ReadLog(info, memory, problems);
        if (kernel.SymbolsProblem is { } problem)
            problems.Add(kernel.Symbols is null ? $"no symbols: {problem}" : problem.ToString());
        if (kernel.Symbols is { } symbols)
            summary.ReadVariables(kernel, symbols, memory);
        summary.Uptime ??= last;
        try
        {
            if (kernel.Symbols is not null)
                summary.Crashing = KernelStacks.Load(kernel).Crashing;
        }
        catch (VmcoreException e)
        {
            problems.Add(e.Message);
        }

        summary.Problems = [.. problems.Select(static p => new Finding(FindingCode.CrashStateUnknown, p))];
        return summary;
    }

    /// <summary>The taints of a kernel; null if they cannot be read.</summary>
    internal static IReadOnlyList<KernelTaint>? TaintsOf(KernelView kernel) =>
        kernel is { Symbols: { } symbols, Memory: { } memory } ? TaintsAt(memory, symbols.Find("tainted_mask")[0]) : null;

    private static IReadOnlyList<KernelTaint>? TaintsAt(IVirtualMemory memory, ulong? mask) =>
        mask is { } address && memory.TryReadUInt64(address, out ulong taints) ? [.. s_taints.Where((_, bit) => (taints >> bit & 1) != 0)] : null;

    // The log is read to its end: the last cause counts.
    private TimeSpan? ReadLog(VmcoreInfo info, IVirtualMemory memory, List<string> problems)
    {
        if (KernelLog.TryOpen(info, memory, out string? problem) is not { } log)
        {
            problems.Add(problem ?? "the log cannot be read");
            return null;
        }

        TimeSpan? last = null;
        foreach (LogRecord record in log.Read())
        {
            if (record.Timestamp is { } time and < long.MaxValue)
                last = TimeSpan.FromTicks((long)(time / 100));
            foreach (string line in Encoding.Latin1.GetString(record.Text.Span).Split('\n'))
            {
                if (Array.Exists(s_panics, p => line.StartsWith(p, StringComparison.Ordinal)))
                    Panic = string.Concat(line.Take(LineCharacters).Select(c => c is >= ' ' and < (char)0x7f ? c : '?'));
            }
        }

        return last;
    }

    private void ReadVariables(KernelView kernel, KernelSymbols symbols, IVirtualMemory memory)
    {
        // All symbols are gone through for it: once.
        ulong?[] found = symbols.Find("tainted_mask", "avenrun");
        Taints = TaintsAt(memory, found[0]);
        if (found[1] is { } averages)
            LoadAverage = ReadLoad(memory, averages);
        if (kernel.PerCpu is { Online.Count: > 0 } cpus)
            CpusOnline = cpus.Online.Count;

        // What is read counts only if it agrees with the time of the crash that vmcoreinfo has from the same clock.
        const long Difference = 60;
        if (KernelClock.TryRead(kernel) is { } clock && (kernel.VmcoreInfo?.CrashTime is not { } time || Math.Abs(time - clock.Now) <= Difference))
            (Clock, Uptime) = (clock, clock.Uptime);
    }

    // Numbers of fixed point with 11 bits behind the point; rounded as the kernel rounds them for /proc/loadavg.
    private static double[]? ReadLoad(IVirtualMemory memory, ulong address)
    {
        const ulong One = 1 << 11, Most = 1UL << 40;
        double[] load = new double[3];
        for (int i = 0; i < load.Length; i++)
        {
            if (!memory.TryReadUInt64(address + (8 * (ulong)i), out ulong value) || value > Most)
                return null;
            load[i] = (value + (One / 200)) * 100 / One / 100.0;
        }

        return load;
    }
}
