using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Info;
using Vmcore.Cli.Reader.Code;
using Vmcore.Cli.Reader.Pmem;
using Vmcore.Cli.Reader.Triage;
using Vmcore.Findings;
using Vmcore.Kernel;
using Vmcore.Kernel.Block;
using Vmcore.Kernel.Counters;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Locks;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Scheduling;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Vfs;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memmap;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader.Report;

/// <summary>
/// Puts the report together. Each section stands alone: what keeps one from being answered is noted, and the others come nevertheless. Of memory only what
/// may be shown is read, and none of processes: registers of user mode are left out too.
/// </summary>
/// <param name="dump">The dump.</param>
/// <param name="gap">Is told what is missing.</param>
internal sealed class ReportCollector(CrashDump dump, Action<Finding> gap)
{
    /// <summary>Messages at the end of the log that are shown if nobody says how many.</summary>
    internal const int UsualMessages = 60;

    private const int ShownProcesses = 10;
    private const int ShownRanges = 64;
    private const int ShownRequests = 20;
    private const int KeptStacks = 4096;

    // As the kernel's own line: bytes before and from the instruction on. Multiples of every unit.
    private const int CodeBefore = 40;
    private const int CodeFrom = 24;

    private static readonly string[] s_outOfMemory =
    [
        "Out of memory: ", "Memory cgroup out of memory: ", "oom-kill:", "Out of memory and no killable processes", "System is deadlocked on memory",
    ];

    private readonly KernelView _kernel = dump.KernelView;
    private readonly ReaderContext _plain = new(dump);
    private readonly Dictionary<ulong, TaskStack> _walked = [];
    private readonly ReportCode? _instructions = CodeFeature.IsIncluded ? new(dump) : null;
    private KernelStacks? _stacks;
    private CrashCause? _cause;
    private string _locksText = "", _ioText = "", _workText = "";

    /// <summary>Collects it.</summary>
    /// <param name="messages">Messages of the end of the log.</param>
    internal ReportAnswer Collect(int messages)
    {
        DumpInfo? head = Section("dump", () => InfoCollector.Head(dump));
        Say("crash", head?.Crash?.Problems);
        _stacks = Section("stacks", LoadStacks);
        CauseInfo? cause = Section("crash", Cause);
        LocksAnswer? locks = _stacks is null ? null : Section("locks", Locks);
        IReadOnlyList<StackInfo> cpus = _stacks is null ? [] : Section("stacks", Cpus) ?? [];
        IoAnswer? io = Section("block I/O", Io);
        WorkqueuesAnswer? work = Section("workqueues", Work);
        PmemAnswer? pmem = Section("pmem", Pmem);
        var report = new ReportAnswer
        {
            What = _cause is null ? null : CauseWords.Of(_cause.Kind),
            Cause = cause,
            Died = _cause,
            Machine = head is null ? null : new(head),
            Crash = head?.Crash,
            Code = _stacks is null ? [] : Section("code", Code) ?? [],
            LoggedCode = CodeFeature.IsIncluded && _cause?.Code is { } logged && _instructions!.IsIncluded
                ? Section("code", () => _instructions.OfLog(logged)) : null,
            Cpus = cpus,
            OfflineCpus = [.. _stacks?.OfflineCpus.Select(static c => (ulong)c) ?? []],
            Groups = _stacks is null ? [] : Section("tasks", Groups) ?? [],
            Locks = locks?.Locks,
            LockCycles = locks?.Cycles ?? [],
            LocksText = _locksText,
            Disks = io?.Disks,
            IoText = _ioText,
            WorkerPools = work?.Pools,
            Workqueues = work?.Workqueues,
            WorkText = _workText,
            Memory = Section("memory", Memory),
            Poison = Section("poisoned memory", Poison),
            Modules = Section("modules", Modules),
            Mounts = Section("mounts", Mounts),
            Pmem = pmem is null ? null : Summary(pmem),
            PmemUse = pmem,
            Log = Section("log", () => Log(messages)),
        };

        // Asked last: that pages are missing comes out when they are read.
        if (head is not null && dump is { IsIncomplete: false, Loss: { } loss })
            head = head with { Incomplete = true, Problems = [loss, .. head.Problems] };
        return head is null ? report : report with
        {
            Dump = new(head) { Erased = dump.EraseInfo.Split('\n', StringSplitOptions.RemoveEmptyEntries) },
        };
    }

    private T? Section<T>(string name, Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (VmcoreException e)
        {
            Say(name, e.Message);
        }
#pragma warning disable CA1031 // One section of a hostile dump must not take the others with it; it is said.
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Say(name, $"internal error: {e.GetType().Name}: {e.Message}; please report it");
        }
#pragma warning restore CA1031
        return null;
    }

    private void Say(string section, IEnumerable<Finding>? what)
    {
        foreach (Finding one in what ?? [])
            Say(section, one.ToString());
    }

    // That it is of this dump need not be said in every line.
    private void Say(string section, string what) => gap(new(FindingCode.SectionIncomplete, section,
        what.StartsWith(dump.Name + ": ", StringComparison.Ordinal) ? what[(dump.Name.Length + 2)..] : what));

    private KernelStacks LoadStacks()
    {
        _ = _kernel.RequireSymbols();
        _ = _kernel.RequireTypes();
        Say("tasks", _kernel.RequireTasks().Problems);
        return KernelStacks.Load(_kernel);
    }

    // Only of a vmlinux that was named: a report must be quick, and the same everywhere.
    private SourceLines? Lines => CodeFeature.IsIncluded ? _kernel.SourceLines : null;

    // Also without stacks: the log tells much.
    private CauseInfo Cause()
    {
        _cause = CrashCause.Read(_kernel, _stacks);
        Say("crash", _cause.Problems);
        return new(dump, _cause);
    }

    private LocksAnswer Locks()
    {
        var waits = LockWaits.Load(_kernel, _stacks, Trace);
        Say("locks", waits.Problems);
        List<KernelLock> locks = [.. waits.Locks.Where(LocksCommand.IsOfInterest)];
        _locksText = LocksCommand.TextOf(_plain, waits, locks);
        return LocksAnswer.From(_plain, waits, locks);
    }

    private IoAnswer Io()
    {
        var disks = BlockDisks.Load(_kernel);
        Say("block I/O", disks.Problems);
        _ioText = IoCommand.TextOf(_plain, disks, ShownRequests);
        return new() { Disks = [.. disks.Disks.Where(static d => d.IsBusy).Select(d => new BlockDiskInfo(_plain, d))] };
    }

    private WorkqueuesAnswer Work()
    {
        var queues = Workqueues.Load(_kernel);
        Say("workqueues", queues.Problems);
        _workText = WorkqueuesCommand.TextOf(_plain, queues, all: false, isBrief: true);
        return WorkqueuesAnswer.From(_plain, queues, all: false);
    }

    // Two sections ask for the stacks of tasks; what is kept of them must fit into a capture kernel.
    private TaskStack Trace(KernelTask task)
    {
        if (_walked.TryGetValue(task.Address, out TaskStack? stack))
            return stack;
        stack = _stacks!.Trace(task);
        if (_walked.Count < KeptStacks)
            _walked.Add(task.Address, stack);
        return stack;
    }

    private List<StackInfo> Cpus()
    {
        List<StackInfo> list = [];
        if (_stacks!.Cpus.Count == 0)
            throw new MissingInformationException("which CPUs there were is not in the dump");
        foreach (CpuState cpu in _stacks.Cpus.OrderBy(static c => !c.IsCrashing))
        {
            TaskStack trace = _stacks.Trace(cpu);
            if (trace.Problem is { } problem)
                Say("stacks", $"CPU {cpu.Number}: {problem}");
            list.Add(Kernel(StackInfo.From(_kernel, cpu.Task, cpu, trace, Lines)));
        }

        return list;
    }

    // All but idle tasks. Those that wait for a disk or a lock first, the longest time in front; then those that wait for a CPU; then what most have in common.
    private List<StackGroupInfo> Groups()
    {
        Say("tasks", _kernel.Times?.Problem is { } problem ? [problem] : null);
        List<StackGroupInfo> list = [];
        int incomplete = 0;
        foreach (Group<char, KernelTask> state in _kernel.RequireTasks().Tasks
            .Where(t => t.Pid != 0 && !_stacks!.Cpus.Any(c => c.Task?.Address == t.Address)).GroupBy(static t => t.State))
        {
            foreach (StackGroup group in _stacks!.Group(state, Trace))
            {
                incomplete += group.Stack.Problem is null ? 0 : group.Tasks.Count;
                list.Add(new([.. group.Tasks.Select(t => TaskInfo.From(_kernel, t)).OrderByDescending(TimeOf)],
                    Kernel(StackInfo.From(_kernel, null, null, group.Stack, Lines))));
            }
        }

        if (incomplete > 0)
            Say("tasks", $"{incomplete} stacks are not complete");
        return [.. list.OrderBy(static g => Rank(g.Tasks[0]))
            .ThenByDescending(static g => g.Tasks[0].State == 'D' ? TimeOf(g.Tasks[0]) : (ulong)g.Tasks.Count)];
    }

    private static int Rank(TaskInfo task) => task.State switch { 'D' => 0, 'R' => 1, _ => 2 };

    private static ulong TimeOf(TaskInfo task) => task.Time?.InStateAtLeast ?? task.Time?.InStateAtMost ?? 0;

    // What a process had in its registers is the process's own.
    private static StackInfo Kernel(StackInfo stack) =>
        stack with { Frames = [.. stack.Frames.Where(static f => !f.IsUser)] };

    // Of the stack on which it happened; of a task that slept there are no registers, then of the CPU that panicked.
    private List<CodeInfo> Code()
    {
        List<CodeInfo> list = [];
        foreach ((CpuRegisters registers, bool isInterrupted) in CodePlaces.Of(_cause, _stacks!))
        {
            ulong address = registers.InstructionPointer;
            if (!_stacks!.IsCode(address))
                list.Add(new(address, null, address, "", 1, isInterrupted, registers));
            else if (CodeAt(registers, isInterrupted) is { } code)
                list.Add(CodeFeature.IsIncluded ? code with { Instructions = _instructions!.Around(address) } : code);
            else
                Say("code", $"the bytes at 0x{address:x} cannot be read");
        }

        return list;
    }

    // Only of code: a wild jump may have led anywhere, also into the memory of a process.
    private CodeInfo? CodeAt(CpuRegisters registers, bool interrupted)
    {
        ulong address = registers.InstructionPointer;
        KernelSymbols symbols = _kernel.RequireSymbols();
        if (!symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset))
            return null;
        int unit = dump.Architecture.InstructionUnit;
        ulong start = address - Math.Min(offset - (offset % (ulong)unit), CodeBefore);
        byte[] bytes = new byte[(int)(address - start) + CodeFrom];
        int have = _kernel.RequireMemory().ReadPrefix(start, bytes);
        if (have <= (int)(address - start))
            return null;
        string name = string.Create(CultureInfo.InvariantCulture,
            $"{symbol.Name}+0x{offset:x}{(symbol.Module is { } module ? $" [{module}]" : "")}");
        return new(address, name, start, Convert.ToHexStringLower(bytes.AsSpan(0, have - (have % unit))), unit, interrupted, registers);
    }

    private MemoryUseInfo Memory()
    {
        MemoryCounters counters = MemoryCounters.Read(_kernel);
        Say("memory", counters.Problems);
        List<KernelTask>? processes = _kernel.Tasks is null ? null
            : [.. _kernel.Tasks.Tasks.Where(static t => t.Pid == t.Tgid && t.ResidentSize is > 0).OrderByDescending(static t => t.ResidentSize ?? 0)];
        return MemoryUseInfo.From(counters) with
        {
            Processes = processes is null ? null : [.. processes.Take(ShownProcesses).Select(t => TaskInfo.From(_kernel, t))],
        };
    }

    private PoisonInfo Poison()
    {
        PoisonedPages pages = dump.Poisoned ?? throw new MissingInformationException("whether memory had failed is not in the dump");
        int shift = dump.Memory.PageShift;
        if (pages.Unreadable > 0)
            Say("poisoned memory", $"of {pages.Unreadable} pages it cannot be told whether they had failed");
        return new(pages.Count, pages.Unreadable == 0,
            [.. pages.Pages.Take(ShownRanges).Select(r => r.ToPhysical(shift)).Select(static r => new BytesInfo(r.Start, r.End))]);
    }

    private List<ModuleInfo> Modules()
    {
        _ = _kernel.RequireSymbols();
        _ = _kernel.RequireTypes();
        ModuleList list = _kernel.Modules ?? throw new MissingInformationException("the modules cannot be found");
        Say("modules", list.Problem is { } problem ? [problem] : null);
        return [.. list.Modules.Select(ModuleInfo.From)];
    }

    private List<MountInfo> Mounts()
    {
        _ = _kernel.RequireSymbols();
        _ = _kernel.RequireTypes();
        KernelVfs vfs = dump.OpenVfs();
        List<MountInfo> mounts = [.. vfs.Mounts.Select(MountInfo.From)];
        Say("mounts", vfs.Problems);
        return mounts;
    }

    private PmemAnswer Pmem()
    {
        PmemAnswer answer = PmemCollector.Collect(dump, dump.CollectPmemUsage());
        Say("pmem", (dump.Pmem.Pages.IsEmpty ? dump.Pmem.Findings : answer.Findings).Where(static f => f.MeansMissing));
        return answer;
    }

    // Where each page of each file is, 'vmcore pmem --ranges' tells.
    private static ReportPmemInfo Summary(PmemAnswer all) => new(all.Regions, all.Namespaces, [.. all.Files.Select(static f => f with
    {
        Ranges = [],
        SharedRanges = [],
        RangesLeftOut = f.RangesLeftOut + (ulong)(f.Ranges.Count + f.SharedRanges.Count),
    })], all.Processes);

    private ReportLogInfo Log(int messages)
    {
        KernelLog log = KernelLog.TryOpen(_kernel.RequireKernel().VmcoreInfo, _kernel.RequireMemory(), out string? problem)
            ?? throw new MissingInformationException(problem ?? "the log cannot be read");
        Queue<LogLine> last = new(), killed = new();
        var processes = new ProcessWords();
        int count = 0;
        foreach (LogRecord record in log.Read())
        {
            if (record.IsDataless)
                continue;
            count++;
            LogLine line = processes.Without(LogLine.From(record));
            Keep(last, line, messages);
            if (Array.Exists(s_outOfMemory, w => line.Text.StartsWith(w, StringComparison.Ordinal)))
                Keep(killed, line, ShownProcesses);
        }

        Say("log", log.Problems);
        if (log.Lost > 0)
            Say("log", [new(FindingCode.LogMessagesLost, log.Lost)]);
        return new([.. last], count, log.Lost, [.. killed]);
    }

    private static void Keep(Queue<LogLine> lines, LogLine line, int most)
    {
        lines.Enqueue(line);
        if (lines.Count > most)
            lines.Dequeue();
    }
}
