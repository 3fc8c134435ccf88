using Vmcore.Architectures;
using Vmcore.Kernel.Locks;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Ranges;
using Vmcore.Tests.Kernel.Tasks;

namespace Vmcore.Tests.Kernel.Locks;

/// <summary>
/// Tasks that sleep in a function that a test names, each with a stack of three frames: the scheduler's at 0x1000 of it, that function's at 0x1100 to 0x1200,
/// and that of its caller up to 0x1300. A waiter lies at 0x1140.
/// </summary>
internal sealed class LockImage
{
    internal const ulong Stacks = 0xffff_c900_0000_0000, StackSize = 0x4000, Structs = 0xffff_8880_0000_0000, Code = 0xffff_ffff_8100_0000;
    internal const ulong Waiter = 0x1140;

    internal const string Common = """
        list_head 16: next ptr 0, prev ptr 8
        atomic 8: counter u64 0
        swait_queue 24: task ptr 0, task_list list_head 8
        swait_queue_head 24: lock u32 0, task_list list_head 8
        completion 32: done u32 0, wait swait_queue_head 8
        wait_queue_entry 40: flags u32 0, private ptr 8, func ptr 16, entry list_head 24
        wait_queue_head 24: lock u32 0, head list_head 8
        mutex_waiter 32: list list_head 0, task ptr 16
        rwsem_waiter 48: list list_head 0, task ptr 16, type u32 24
        semaphore_waiter 32: list list_head 0, task ptr 16
        rt_mutex_base 32: waiters u64 8, owner ptr 24
        rt_mutex_waiter 64: task ptr 48, lock ptr 56
        task_struct 64: pi_blocked_on ptr 0, blocked_on ptr 8

        """;

    internal const string WithHeads = Common + """
        mutex 32: owner atomic 0, wait_list list_head 16
        rw_semaphore 40: count atomic 0, owner atomic 8, wait_list list_head 24
        semaphore 24: lock u32 0, count u32 4, wait_list list_head 8
        """;

    internal const string WithoutHeads = Common + """
        mutex 24: owner atomic 0, first_waiter ptr 16
        rw_semaphore 32: count atomic 0, owner atomic 8, first_waiter ptr 24
        semaphore 16: lock u32 0, count u32 4, first_waiter ptr 8
        """;

    private readonly List<(KernelTask Task, string Function)> _tasks = [];
    private readonly string _types;

    internal LockImage(string types = WithHeads) => _types = types;

    internal SparseMemory Memory { get; } = new();

    /// <summary>A task that was made when another slept already.</summary>
    internal ulong Younger { get; set; }

    /// <summary>That other.</summary>
    internal ulong Sleeper { get; set; }

    /// <summary>Adds a task that sleeps in a function, and gives its address.</summary>
    internal ulong Add(string function, char state = 'D')
    {
        ulong address = Structs + ((ulong)_tasks.Count * 0x1000);
        for (ulong at = 0; at < StackSize; at += 0x1000)
            Memory.Put(StackOf(address) + at, 0);
        Memory.Put(address, 0);
        _tasks.Add((new()
        {
            Object = KernelObject.At(Memory, KernelType.Void, address),
            Pid = 100 + _tasks.Count,
            Tgid = 100 + _tasks.Count,
            ParentPid = 2,
            Name = $"task{_tasks.Count}",
            State = state,
            StateText = "uninterruptible",
            IsHung = state == 'D',
            Cpu = 0,
            IsOnCpu = false,
            IsKernelThread = true,
        }, function));
        return address;
    }

    /// <summary>Where a task's waiter is.</summary>
    internal static ulong WaiterOf(ulong task) => StackOf(task) + Waiter;

    internal static ulong StackOf(ulong task) => Stacks + ((task - Structs) / 0x1000 * StackSize);

    /// <summary>Puts the waiters of tasks into the list of a lock; of mutex, rw_semaphore and semaphore.</summary>
    internal void Wait(ulong head, params ulong[] tasks)
    {
        foreach (ulong task in tasks)
            Memory.Put(WaiterOf(task) + 16, task);
        Memory.Link(head, [.. tasks.Select(WaiterOf)]);
    }

    internal LockWaits Read() => LockWaits.Of(
        new()
        {
            Memory = Memory,
            TaskAt = a => _tasks.Find(t => t.Task.Address == a).Task,
            StackOf = t => new VirtualRange(StackOf(t.Address), StackOf(t.Address) + StackSize),
            IsCode = static a => a is >= Code and < Code + 0x10000,
            FunctionAt = a => a == Code - 1 ? "__schedule" : _tasks.ElementAtOrDefault((int)((a + 1 - Code) / 16) - 1).Function,
            IsYounger = (task, sleeper) => Younger == task.Address && Sleeper == sleeper.Address,
        },
        TypesByText.Parse(_types), _tasks.Select(static t => t.Task), StackOfTask);

    private TaskStack StackOfTask(KernelTask task)
    {
        int index = _tasks.FindIndex(t => t.Task == task);
        ulong stack = StackOf(task.Address), code = Code + ((ulong)(index + 1) * 16);
        return new(StackMethod.Orc,
        [
            new() { Address = Code, StackPointer = stack + 0x1000 },
            new() { Address = code, StackPointer = stack + 0x1100 },
            new() { Address = Code + 0x8000, StackPointer = stack + 0x1200 },
            new() { Address = Code + 0x8000, StackPointer = stack + 0x1300 },
        ], null);
    }
}
