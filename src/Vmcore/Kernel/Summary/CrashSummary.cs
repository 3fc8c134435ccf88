using Vmcore.Findings;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Summary;

/// <summary>What state the machine was in when it crashed, in a few facts. What the dump does not tell is null, and <see cref="Problems"/> says why.</summary>
public sealed record CrashSummary
{
    /// <summary>Time since boot, that in suspension included: by the kernel's clock to the second, else by the last message of its log.</summary>
    public TimeSpan? Uptime { get; private set; }

    /// <summary>The kernel's clock; null if it cannot be read, or does not agree with the time of the crash.</summary>
    public KernelClock? Clock { get; private set; }

    /// <summary>The line of the log in which the kernel panicked or, where an oops went to the capture kernel without, with which the report of the oops
    /// begins. What processes wrote into the log does not count.</summary>
    public string? Panic { get; private set; }

    /// <summary>The taints; null if they cannot be read.</summary>
    public IReadOnlyList<KernelTaint>? Taints { get; private set; }

    /// <summary>Tasks that ran or waited to, on average of 1, 5 and 15 minutes, as in /proc/loadavg; null if it cannot be read.</summary>
    public IReadOnlyList<double>? LoadAverage { get; private set; }

    /// <summary>Number of CPUs that were online; a panic may have taken the others off the list.</summary>
    public int? CpusOnline { get; private set; }

    /// <summary>Errors of the hardware that the kernel went on from, one for each kind; null if it does not count them (before Linux 6.18), or they cannot
    /// be read.</summary>
    public IReadOnlyList<RecoveredErrors>? HardwareErrors { get; private set; }

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
            summary.ReadVariables(kernel, symbols, memory, problems);
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

    private TimeSpan? ReadLog(VmcoreInfo info, IVirtualMemory memory, List<string> problems)
    {
        if (KernelLog.TryOpen(info, memory, out string? problem) is not { } log)
        {
            problems.Add(problem ?? "the log cannot be read");
            return null;
        }

        CrashLog read = CrashLog.Read(log);
        Panic = read.Panic?.Line ?? read.Cause()?.Line;
        return read.LastTime;
    }

    private void ReadVariables(KernelView kernel, KernelSymbols symbols, IVirtualMemory memory, List<string> problems)
    {
        // All symbols are gone through for it: once.
        ulong?[] found = symbols.Find("tainted_mask", "avenrun", "hwerr_data");
        Taints = KernelTaint.At(memory, found[0]);
        if (found[1] is { } averages)
            LoadAverage = ReadLoad(memory, averages);
        if (found[2] is { } errors)
            ReadHardwareErrors(kernel, memory, errors, problems);
        if (kernel.PerCpu is { Online.Count: > 0 } cpus)
            CpusOnline = cpus.Online.Count;

        // What is read counts only if it agrees with the time of the crash that vmcoreinfo has from the same clock.
        const long Difference = 60;
        if (KernelClock.TryRead(kernel) is { } clock && (kernel.VmcoreInfo?.CrashTime is not { } time || Math.Abs(time - clock.Now) <= Difference))
            (Clock, Uptime) = (clock, clock.Uptime);
    }

    private void ReadHardwareErrors(KernelView kernel, IVirtualMemory memory, ulong address, List<string> problems)
    {
        try
        {
            HardwareErrors = RecoveredErrors.Read(kernel.RequireTypes(), memory, address);
        }
        catch (VmcoreException e)
        {
            problems.Add($"hardware errors that the kernel went on from: {e.Message}");
        }
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
