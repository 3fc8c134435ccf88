using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Summary;

/// <summary>
/// The kernel's own clock (kernel/time/timekeeping.c): what time it was when the dump was taken, as the machine had it. Of a dump that a hypervisor took it
/// is all that says so: CRASHTIME is written by a kernel that crashes.
/// </summary>
public sealed class KernelClock
{
    private const long LatestSecond = 1L << 33, Second = 1_000_000_000;

    private KernelClock(long now, long boot, TimeSpan uptime, ulong monotonic) => (Now, Boot, Uptime, Monotonic) = (now, boot, uptime, monotonic);

    /// <summary>Seconds since 1970, of the last tick.</summary>
    public long Now { get; }

    /// <summary>Seconds since 1970 at which the log's clock began.</summary>
    public long Boot { get; }

    /// <summary>Time since the start, time asleep included.</summary>
    public TimeSpan Uptime { get; }

    /// <summary>Nanoseconds since the start, time asleep not included (CLOCK_MONOTONIC), of the last tick: what the kernel notes starts of tasks by.</summary>
    public ulong Monotonic { get; }

    /// <summary>Reads it.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <returns>Null without symbols or types, or if what is there is no clock.</returns>
    public static KernelClock? TryRead(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (kernel is not { Memory: { } memory, Symbols: { } symbols, Types: { } types }
            || types.FindNamed(KernelTypeKind.Struct, "timekeeper") is not { } type)
            return null;
        ulong?[] found = symbols.Find("tk_core", "timekeeper_data");
        return (found[0] ?? found[1]) is { } address ? TryRead(memory, types, type, address) : null;
    }

    // The clock is behind a sequence counter, in a structure that has a name only since 6.13.
    private static KernelClock? TryRead(IVirtualMemory memory, KernelTypes types, KernelType type, ulong address)
    {
        ulong offset = types.FindNamed(KernelTypeKind.Struct, "tk_data")?.FindMember("timekeeper")?.BitOffset is { } bits ? (ulong)bits / 8 : 8;
        try
        {
            KernelObject item = KernelObject.At(memory, type, unchecked(address + offset));
            long seconds = (long)item.Member("xtime_sec").AsUInt64(), toMonotonic = (long)item.Member("wall_to_monotonic").Member("tv_sec").AsUInt64();
            long suspended = (long)item.Member("offs_boot").AsUInt64() / Second;
            if (seconds is <= 0 or > LatestSecond || toMonotonic is < -LatestSecond or > LatestSecond || suspended is < 0 or > LatestSecond
                || seconds + toMonotonic < 0)
                return null;

            // Parts of a second are counted in units of 2^-shift nanoseconds, and may be a second and some.
            KernelObject reader = item.Member("tkr_mono");
            int shift = (int)(reader.Member("shift").AsUInt64() & 63);
            long nanoseconds = (long)(reader.Member("xtime_nsec").AsUInt64() >> shift) + (long)item.Member("wall_to_monotonic").Member("tv_nsec").AsUInt64();
            if (nanoseconds is < 0 or > 4 * Second)
                return null;
            return new(seconds, -toMonotonic, TimeSpan.FromSeconds(seconds + toMonotonic + suspended),
                (ulong)(((seconds + toMonotonic) * Second) + nanoseconds));
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }
}
