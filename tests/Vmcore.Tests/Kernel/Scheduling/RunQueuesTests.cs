using System.Globalization;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Scheduling;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Tests.Kernel.Tasks;

namespace Vmcore.Tests.Kernel.Scheduling;

/// <summary>What waits on the run queue of one CPU, by every class of the scheduler; and what RCU waits for.</summary>
public sealed class RunQueuesTests
{
    private const ulong Variables = 0xffff_8880_0000_0000, Queue = 0xffff_8880_1000_0100, Rcu = 0xffff_8880_3000_0000, Second = 1_000_000_000;

    private const string Text = """
        list_head 16: next ptr 0, prev ptr 8
        rb_node 24: color u64 0, rb_right ptr 8, rb_left ptr 16
        sched_entity 32: group_node list_head 0, sched_delayed u8 16, exec_start u64 24
        sched_rt_entity 16: run_list list_head 0
        sched_dl_entity 24: rb_node rb_node 0
        task_struct 256: on_rq u32 0, se sched_entity 64, rt sched_rt_entity 128, dl sched_dl_entity 160, rcu_node_entry list_head 200
        rt_prio_array 48: queue list_head[3] 0
        rt_rq 48: active rt_prio_array 0
        dl_rq 16: root ptr 0
        rq 256: nr_running u32 4, nr_switches u64 8, curr ptr 16, idle ptr 24, stop ptr 32, clock u64 40, cfs_tasks list_head 48, rt rt_rq 64, dl dl_rq 128
        rcu_node 96: gp_seq u64 0, qsmask u64 8, grplo u32 16, grphi u32 20, blkd_tasks list_head 24, gp_tasks ptr 40
        rcu_state 512: node rcu_node[3] 0, level ptr[2] 288, gp_seq u64 304, gp_start u64 312, gp_kthread ptr 320
        """;

    private readonly SparseMemory _memory = new();
    private readonly List<KernelTask> _tasks = [];

    public RunQueuesTests()
    {
        _memory.Put(Variables, 1, 4).Put(Variables + 8, 1).Put(Variables + 16, 1).Put(Variables + 32, Queue - 0x100);
        for (int i = 0; i < 8; i++)
            Add(i);
        _memory.Put(Queue + 4, 5, 4).Put(Queue + 8, 77).Put(Queue + 16, Task(0)).Put(Queue + 24, Task(1)).Put(Queue + 32, Task(2)).Put(Queue + 40, 9 * Second)
            .Link(Queue + 48).Put(Queue + 255, 0, 1);
        for (ulong i = 0; i < 3; i++)
            _memory.Link(Queue + 64 + (16 * i));
    }

    [Fact]
    public void EveryClassOfTasksIsRead()
    {
        // The one that runs is in the list of the fair ones, as is one that sleeps already; the server of the deadlines is no task.
        _memory.Link(Queue + 48, Task(0) + 64, Task(3) + 64, Task(4) + 64).Put(Task(4) + 64 + 16, 1, 1).Put(Task(2), 1, 4);
        _memory.Link(Queue + 64 + 32, Task(5) + 128);
        _memory.Put(Queue + 128, Task(6) + 160).Put(Task(6) + 160 + 16, Queue + 160);
        RunQueues queues = Read(ReadLimits.Default);
        Assert.Empty(queues.Problems);
        RunQueue queue = Assert.Single(queues.Queues);
        Assert.Equal("2 Stop ,6 Deadline ,5 RealTime 2,3 Fair ", string.Join(',', queue.Queued.Select(static q =>
            string.Create(CultureInfo.InvariantCulture, $"{q.Task.Pid} {q.Class} {q.Priority}"))));
        Assert.Equal((0, 5U, 77UL, 9 * Second, 0UL), (queue.Current!.Pid, queue.Running, queue.Switches, queue.Clock, queue.ClockBehind));
        Assert.Equal((null, null), (queue.WatchdogTouched, queue.WatchdogTicks));
    }

    /// <summary>Lists in circles, to nowhere and to what is no task: the walk ends, what is told is right, and it is said.</summary>
    [Theory]
    [InlineData("circle", "leads back into itself")]
    [InlineData("nowhere", "what is no task")]
    [InlineData("tree to nowhere", "what is no task")]
    [InlineData("on two queues", "which is on a queue already")]
    [InlineData("no task", "what is no task")]
    [InlineData("tree in a circle", "leads back into itself")]
    [InlineData("too long", "more than 2 entries")]
    [InlineData("runs what is no task", "what is no task")]
    public void DamageIsSaid(string damage, string words)
    {
        _memory.Link(Queue + 48, Task(3) + 64, Task(4) + 64);
        switch (damage)
        {
            case "circle":
                _memory.Put(Task(4) + 64, Task(3) + 64);
                break;
            case "nowhere":
                _memory.Put(Task(4) + 64, 0xffff_8880_7777_0000);
                break;
            case "tree to nowhere":
                _memory.Put(Queue + 128, 0xffff_8880_7777_0000 - 8);
                break;
            case "on two queues":
                _memory.Link(Queue + 64, Task(4) + 128);
                break;
            case "no task":
                _memory.Link(Queue + 64, Task(5) + 136);
                break;
            case "tree in a circle":
                _memory.Put(Queue + 128, Task(6) + 160).Put(Task(6) + 160 + 16, Task(6) + 160);
                break;
            case "too long":
                _memory.Link(Queue + 48, Task(3) + 64, Task(4) + 64, Task(5) + 64);
                break;
            default:
                _memory.Put(Queue + 16, Task(0) + 8);
                break;
        }

        RunQueues queues = Read(damage == "too long" ? new() { QueuedTasks = 2 } : ReadLimits.Default);
        Assert.Contains(queues.Problems, p => p.Code == FindingCode.RunQueueIncomplete && $"{p}".Contains(words, StringComparison.Ordinal));
        Assert.Equal([3, 4], queues.Queues[0].Queued.Select(static q => q.Task.Pid).Where(static p => p is 3 or 4).Distinct().Order());
    }

    [Fact]
    public void RcuNamesTheCpusAndReadersThatItWaitsFor()
    {
        // One leaf has CPUs 0 to 15, another 16 to 31 and is of an older grace period.
        _memory.Put(Rcu + 288, Rcu).Put(Rcu + 296, Rcu + 96).Put(Rcu + 304, 0x1235).Put(Rcu + 312, 1000)
            .Put(Variables + 48, 1500).Put(Variables + 56, 4_000_000)
            .Put(Rcu + 96, 0x1235).Put(Rcu + 104, 0x8002).Put(Rcu + 112, 0, 4).Put(Rcu + 116, 15, 4)
            .Link(Rcu + 120, Task(3) + 200, Task(4) + 200, Task(5) + 200).Put(Rcu + 136, Task(4) + 200)
            .Put(Rcu + 192, 0x1231).Put(Rcu + 200, 0xff).Put(Rcu + 208, 16, 4).Put(Rcu + 212, 31, 4);
        RcuState state = RcuState.TryRead(_memory, Symbols(), TypesByText.Parse(Text), _tasks)!;
        Assert.True(state.IsRunning);
        Assert.Equal([1, 15], state.Cpus);
        Assert.Equal([4, 5], state.Tasks.Select(static t => t.Pid));
        Assert.Equal((500UL, 2 * Second), (state.Ticks, state.Age));

        _memory.Put(Rcu + 304, 0x1234);
        state = RcuState.TryRead(_memory, Symbols(), TypesByText.Parse(Text), _tasks)!;
        Assert.False(state.IsRunning);
        Assert.Empty(state.Cpus);

        // A level that points out of the nodes names no CPU; a list in a circle ends.
        _memory.Put(Rcu + 304, 0x1235).Put(Task(5) + 200, Task(4) + 200);
        Assert.Equal([4, 5], RcuState.TryRead(_memory, Symbols(), TypesByText.Parse(Text), _tasks)!.Tasks.Select(static t => t.Pid));
        _memory.Put(Rcu + 296, Rcu + 97);
        Assert.Empty(RcuState.TryRead(_memory, Symbols(), TypesByText.Parse(Text), _tasks)!.Cpus);

        // Its own thread, which is what is waited for where nobody else is.
        Assert.Null(state.Thread);
        _memory.Put(Rcu + 320, Task(6));
        Assert.Equal(6, RcuState.TryRead(_memory, Symbols(), TypesByText.Parse(Text), _tasks)!.Thread?.Pid);
    }

    private static ulong Task(int number) => 0xffff_8880_2000_0000 + ((ulong)number * 0x1000);

    private void Add(int number)
    {
        _memory.Put(Task(number), 0);
        _tasks.Add(new()
        {
            Object = KernelObject.At(_memory, KernelType.Void, Task(number)),
            Pid = number,
            Tgid = number,
            ParentPid = 0,
            Name = "task",
            State = 'R',
            StateText = "waiting for a CPU",
            IsHung = false,
            Cpu = 0,
            IsOnCpu = number == 0,
            IsKernelThread = true,
        });
    }

    private static KernelSymbols Symbols() => KernelSymbols.Of(new NamedSymbols(new()
    {
        ["nr_cpu_ids"] = Variables,
        ["__cpu_possible_mask"] = Variables + 8,
        ["__cpu_online_mask"] = Variables + 16,
        ["__per_cpu_offset"] = Variables + 32,
        ["jiffies_64"] = Variables + 48,
        ["tick_nsec"] = Variables + 56,
        ["runqueues"] = 0x100,
        ["rcu_state"] = Rcu,
    }));

    private RunQueues Read(ReadLimits limits)
    {
        _memory.Limits = limits;
        KernelTypes types = TypesByText.Parse(Text);
        var perCpu = PerCpuAreas.TryLoad(_memory, Symbols());
        return RunQueues.Load(_memory, Symbols(), types, perCpu, _tasks, TaskTimes.Load(_memory, Symbols(), types, perCpu));
    }
}
