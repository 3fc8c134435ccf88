using System.Buffers.Binary;
using Vmcore.Kernel.Btf;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>
/// Where the tasks of the kernel and their stacks lie: the list of processes from init_task on, and of each the list of its threads
/// (include/linux/sched.h, include/linux/sched/signal.h). What follows from it is only an order: a damaged list makes it worse, not wrong.
/// </summary>
internal sealed class WorthTasks
{
    private const uint LargestTask = 64 << 10;

    /// <summary>Bytes from the lowest of a stack on that are taken for it, twice THREAD_SIZE of most kernels: with a guard page no more is mapped than there
    /// is.</summary>
    private const ulong StackBytes = 32 << 10;

    /// <summary>Bytes of what a task points to: of its mm_struct, up to the counters of resident memory.</summary>
    private const ulong OtherBytes = 1280;

    private readonly IVirtualMemory _memory;
    private readonly byte[] _task;
    private readonly int _tasks;
    private readonly int _node;
    private readonly int _stack;
    private readonly int _signal;
    private readonly int[] _others;
    private readonly int _head;
    private readonly HashSet<ulong> _seen = [];

    private WorthTasks(IVirtualMemory memory, BtfWanted task, BtfWanted signal)
    {
        _memory = memory;
        _task = new byte[task.Size];
        (_tasks, _node, _stack, _signal) = (task.Offsets[0], task.Offsets[1], task.Offsets[2], task.Offsets[3]);
        _others = task.Offsets[4..];
        _head = signal.Offsets[0];
    }

    /// <summary>Learns from BTF how a task looks, and what else is wanted: its types are gone through once.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="start">Address of the BTF.</param>
    /// <param name="stop">One past its last byte.</param>
    /// <param name="others">What else is wanted; receives what is found.</param>
    /// <returns>Null if it does not say.</returns>
    internal static WorthTasks? TryFindLayout(IVirtualMemory memory, ulong start, ulong stop, params BtfWanted[] others)
    {
        var task = new BtfWanted("task_struct", "tasks", "thread_node", "stack", "signal", "mm", "real_cred", "thread_pid", "files", "fs");
        var signal = new BtfWanted("signal_struct", "thread_head");
        return BtfProbe.TryFind(memory, start, stop, [task, signal, .. others]) && task.Size is > 0 and <= LargestTask
            && signal.Offsets[0] >= 0 && task.Offsets[..4].All(o => o >= 0 && o + sizeof(ulong) <= task.Size)
            ? new(memory, task, signal) : null;
    }

    /// <summary>Walks the tasks.</summary>
    /// <param name="first">Address of init_task.</param>
    /// <param name="idle">Addresses of the idle tasks.</param>
    /// <returns>Task structures, stacks, and the beginning of what a task points to.</returns>
    internal IEnumerable<VirtualRange> Walk(ulong first, IReadOnlyList<ulong> idle)
    {
        for (ulong leader = first; _seen.Count < _memory.Limits.WorthTasks && _seen.Add(leader) && TryRead(leader);)
        {
            ulong next = unchecked(Pointer(_tasks) - (ulong)_tasks), signal = Pointer(_signal);
            foreach (VirtualRange range in Parts(leader))
                yield return range;
            yield return new(signal, signal + (uint)_head + sizeof(ulong));
            ulong head = signal + (uint)_head;
            for (ulong node = Next(head); node != head && node != 0 && _seen.Count < _memory.Limits.WorthTasks; node = Pointer(_node))
            {
                ulong thread = unchecked(node - (ulong)_node);
                if ((thread != leader && !_seen.Add(thread)) || !TryRead(thread))
                    break;
                if (thread == leader)
                    continue;
                foreach (VirtualRange range in Parts(thread))
                    yield return range;
            }

            leader = next;
        }

        foreach (ulong task in idle)
        {
            if (!_seen.Add(task) || !TryRead(task))
                continue;
            foreach (VirtualRange range in Parts(task))
                yield return range;
        }
    }

    private IEnumerable<VirtualRange> Parts(ulong task)
    {
        ulong stack = Pointer(_stack);
        ulong[] others = [.. _others.Where(o => o >= 0 && o + sizeof(ulong) <= _task.Length).Select(Pointer)];
        yield return new(task, task + (uint)_task.Length);
        if (_memory.IsKernelAddress(stack))
            yield return new(stack, stack + StackBytes);
        foreach (ulong other in others)
        {
            if (_memory.IsKernelAddress(other))
                yield return new(other, other + OtherBytes);
        }
    }

    private bool TryRead(ulong task) => _memory.IsKernelAddress(task) && _memory.Read(task, _task) == MemoryStatus.Ok;

    private ulong Pointer(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_task.AsSpan(offset));

    private ulong Next(ulong head) => _memory.IsKernelAddress(head) && _memory.TryReadUInt64(head, out ulong next) ? next : 0;
}
