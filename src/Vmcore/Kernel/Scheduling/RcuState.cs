using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Scheduling;

/// <summary>What RCU waited for: the grace period that ran, since when, and which CPUs and tasks kept it from ending.</summary>
/// <remarks>Source: kernel/rcu/tree.h (struct rcu_state, struct rcu_node). The lowest two bits of a sequence number tell whether a grace period runs.</remarks>
public sealed class RcuState
{
    private const ulong RunningMask = 3;
    private const int BitsOfMask = 64;

    /// <summary>Number of the grace period as the kernel counts them, with its two bits of state.</summary>
    public required ulong Sequence { get; init; }

    /// <summary>True if a grace period ran.</summary>
    public bool IsRunning => (Sequence & RunningMask) != 0;

    /// <summary>Ticks (jiffies) since it started; null if none ran, or that is not known.</summary>
    public ulong? Ticks { get; init; }

    /// <summary>Length of a tick in nanoseconds; null if the kernel does not say.</summary>
    public ulong? TickLength { get; init; }

    /// <summary>Since when it ran, in nanoseconds; null if none ran, or that is not known.</summary>
    public ulong? Age => Ticks * TickLength;

    /// <summary>Numbers of the CPUs that had not been seen outside of RCU's critical sections since; empty if none ran.</summary>
    public IReadOnlyList<int> Cpus { get; init; } = [];

    /// <summary>Tasks that were preempted in a critical section, and keep it from ending.</summary>
    public IReadOnlyList<KernelTask> Tasks { get; init; } = [];

    /// <summary>The thread that drives grace periods: one that waits for neither CPU nor task waits for this thread. Null if it is not known.</summary>
    public KernelTask? Thread { get; init; }

    /// <summary>Reads it.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <returns>Null if the kernel has no RCU of this kind (tiny RCU), or it cannot be read.</returns>
    public static RcuState? TryRead(KernelView kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel is { Memory: { } memory, Symbols: { } symbols, Types: { } types } ? TryRead(memory, symbols, types, kernel.Tasks?.Tasks ?? []) : null;
    }

    /// <summary>Reads it.</summary>
    internal static RcuState? TryRead(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, IEnumerable<KernelTask> tasks)
    {
        ulong?[] found = symbols.FindInImage("rcu_state", "jiffies_64", "tick_nsec");
        if (found[0] is not { } address || types.FindNamed(KernelTypeKind.Struct, "rcu_state") is not { } type)
            return null;
        try
        {
            KernelObject state = KernelObject.At(memory, type, address);
            ulong sequence = state.Member("gp_seq").AsUInt64(), driver = state.Member("gp_kthread").AsUInt64();
            KernelTask? thread = tasks.FirstOrDefault(t => t.Address == driver);
            if ((sequence & RunningMask) == 0)
                return new() { Sequence = sequence, Thread = thread };
            ulong? ticks = found[1] is { } jiffies && memory.TryReadUInt64(jiffies, out ulong now) && now >= state.Member("gp_start").AsUInt64()
                ? now - state.Member("gp_start").AsUInt64() : null;
            List<int> cpus = [];
            List<KernelTask> blocked = [];
            ReadNodes(memory, types, state, sequence, cpus, tasks, blocked);
            return new() { Sequence = sequence, Ticks = ticks, TickLength = TickOf(memory, found[2]), Cpus = cpus, Tasks = blocked, Thread = thread };
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    /// <summary>The length of a tick in nanoseconds; null if what is there is none.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of tick_nsec; null if there is none.</param>
    internal static ulong? TickOf(IVirtualMemory memory, ulong? address) =>

        // NTP makes ticks a little longer or shorter; a kernel has 24 to 2000 a second.
        address is { } at && memory.TryReadUInt64(at, out ulong length) && length is >= 500_000 and <= 50_000_000 ? length : null;

    // The leaves are those nodes whose CPUs no other node has: they have the lowest level that is told, and come last.
    private static void ReadNodes(IVirtualMemory memory, KernelTypes types, KernelObject state, ulong sequence, List<int> cpus,
        IEnumerable<KernelTask> tasks, List<KernelTask> blocked)
    {
        int levels = (int)(state.Member("level").Type.Underlying().Length ?? 0);
        ulong first = 0;
        for (int i = 0; i < levels && i < BitsOfMask; i++)
            first = state.Member("level").Element(i).AsUInt64() is var start and not 0 ? start : first;
        KernelObject nodes = state.Member("node");
        if (first == 0 || nodes.Address is not { } array || nodes.Type.Underlying() is not { Length: { } count, Target: { Size: > 0 and { } size } node }
            || first < array || (first - array) % (ulong)size != 0 || first - array >= (ulong)(count * size))
            return;
        Dictionary<ulong, KernelTask> byEntry = [];
        ulong? entry = (ulong?)types.MemberOffset("task_struct", "rcu_node_entry");
        if (entry is not null)
        {
            foreach (KernelTask task in tasks)
                byEntry[task.Address + entry.Value] = task;
        }

        // Nodes of CPUs that there may never be are of a machine with more; they have no CPU that is waited for.
        for (ulong at = first; at < array + (ulong)(count * size); at += (ulong)size)
        {
            KernelObject leaf = KernelObject.At(memory, node, at);
            if (leaf.Member("gp_seq").AsUInt64() != sequence)
                continue;
            ulong mask = leaf.Member("qsmask").AsUInt64(), low = leaf.Member("grplo").AsUInt64(), high = leaf.Member("grphi").AsUInt64();
            for (int bit = 0; bit < BitsOfMask && low + (ulong)bit <= high && high < (ulong)memory.Limits.Cpus; bit++)
            {
                if ((mask >> bit & 1) != 0)
                    cpus.Add((int)low + bit);
            }

            AddBlocked(memory, leaf, byEntry, blocked);
        }
    }

    // From gp_tasks to the end of the list are those that this grace period waits for.
    private static void AddBlocked(IVirtualMemory memory, KernelObject leaf, Dictionary<ulong, KernelTask> byEntry, List<KernelTask> blocked)
    {
        ulong from = leaf.Type.FindMember("gp_tasks") is null ? 0 : leaf.Member("gp_tasks").AsUInt64();
        if (from == 0)
            return;
        ulong head = leaf.Member("blkd_tasks").Address ?? 0;
        foreach (ulong entry in ListWalk.Chain(memory, from, 0, memory.Limits.QueuedTasks, new()))
        {
            // Each task is in one list.
            if (entry == head || !byEntry.Remove(entry, out KernelTask? task))
                break;
            blocked.Add(task);
        }
    }
}
