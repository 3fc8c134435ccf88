using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;

namespace Vmcore.Kernel.Crash;

/// <summary>
/// What a kernel died of: kind, title, signature, where and who. The log says what happened; where is taken from the registers and stacks in the dump, and
/// from the log only where the dump does not have them (<see cref="CrashPlace.Source"/> says which). What is not known is null, and
/// <see cref="Problems"/> says why.
/// </summary>
public sealed class CrashCause
{
    private readonly List<Finding> _problems = [];

    private CrashCause(KernelView kernel) => Taints = KernelTaint.Of(kernel);

    /// <summary>What happened.</summary>
    public CrashKind Kind { get; private set; }

    /// <summary>What happened where, in one line as people write it: <c>BUG: unable to handle page fault in foo [bar]</c>.</summary>
    public string Title { get; private set; } = "";

    /// <summary>What crashes of the same cause have in common.</summary>
    public CrashSignature Signature { get; private set; } = null!;

    /// <summary>The line of the log in which the kernel panicked, printable ASCII; null if there is none: an oops may go to the capture kernel
    /// without.</summary>
    public string? PanicLine { get; private set; }

    /// <summary>The line of the log with which the report of the cause begins, printable ASCII; null if there is none but the panic itself.</summary>
    public string? ReportLine { get; private set; }

    /// <summary>File and line of a BUG or WARNING as the kernel was built; null for other kinds.</summary>
    public string? SourceLine { get; private set; }

    /// <summary>The functions from the place of the crash outward, innermost first, up to where what the kernel did began (a system call, an interrupt, a
    /// thread). The first is where it happened. Empty if it is not known, or was not in the kernel.</summary>
    public IReadOnlyList<CrashPlace> Path { get; private set; } = [];

    /// <summary>The innermost function of <see cref="Path"/> that may be to blame: helpers (memcpy, locks, checks) and, of a task that hangs, its waiting are
    /// passed over. Null if it is not known, or the place is chance.</summary>
    public CrashPlace? Function { get; private set; }

    /// <summary>What a hung task waits for, by the functions in which it waits: <c>mutex</c>, <c>rwsem</c>, <c>percpu_rwsem</c>, <c>semaphore</c>,
    /// <c>spinlock</c>, <c>completion</c>, <c>page</c>, <c>bit</c>, <c>request</c>, <c>io</c>. Null if they do not say, and for other kinds.</summary>
    public string? WaitsFor { get; private set; }

    /// <summary>The first module on <see cref="Path"/>: it is suspected, no more. Null if there is none.</summary>
    public string? SuspectedModule { get; private set; }

    /// <summary>The task that it happened to: of a hung task that, else what ran on <see cref="Cpu"/>. Null if it is not known.</summary>
    public KernelTask? Task { get; private set; }

    /// <summary>Number of the task that it happened to; from the log if <see cref="Task"/> is null. Null if neither knows it.</summary>
    public int? Pid { get; private set; }

    /// <summary>Name of the task, as <see cref="Pid"/>.</summary>
    public string? TaskName { get; private set; }

    /// <summary>The CPU that it happened on: of a lockup the one that was locked up. Null for a task that slept, or if it is not known.</summary>
    public int? Cpu { get; private set; }

    /// <summary>The CPU that panicked; null if none did, or it is not known.</summary>
    public CpuState? Crashing { get; private set; }

    /// <summary>The stack on which <see cref="Path"/> is; null if the log told of it.</summary>
    public TaskStack? Stack { get; private set; }

    /// <summary>Index in <see cref="Stack"/> of the frame where it happened.</summary>
    public int StackStart { get; private set; }

    /// <summary>The code at the instruction that it died at, as the log has it; null if the log has none of the kernel.</summary>
    public LoggedCode? Code { get; private set; }

    /// <summary>Why the kernel was tainted; null if that cannot be read.</summary>
    public IReadOnlyList<KernelTaint>? Taints { get; }

    /// <summary>What could not be found out, or is in doubt.</summary>
    public IReadOnlyList<Finding> Problems => _problems;

    /// <summary>Finds it out.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="stacks">Its stacks, if they are loaded already.</param>
    public static CrashCause Read(KernelView kernel, KernelStacks? stacks = null)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        var cause = new CrashCause(kernel);
        CrashLog log = cause.ReadLog(kernel);
        try
        {
            stacks ??= KernelStacks.Load(kernel);
        }
        catch (VmcoreException e)
        {
            cause._problems.Add(new(FindingCode.CrashStateUnknown, e.Message));
        }

        cause.Find(kernel, stacks, log);
        return cause;
    }

    private CrashLog ReadLog(KernelView kernel)
    {
        string? problem = kernel.KernelProblem?.ToString();
        KernelLog? log = kernel is { VmcoreInfo: { } info, Memory: { } memory } ? KernelLog.TryOpen(info, memory, out problem) : null;
        if (log is not null)
        {
            CrashLog read = CrashLog.Read(log);
            _problems.AddRange(log.Problems);
            return read;
        }

        _problems.Add(new(FindingCode.CrashStateUnknown, problem ?? "the kernel's log cannot be found"));
        return new();
    }

    private void Find(KernelView kernel, KernelStacks? stacks, CrashLog log)
    {
        CrashEpisode? episode = log.Cause();
        Crashing = stacks?.Crashing;
        PanicLine = log.Panic?.Line;
        bool isNoPanic = log.Panic is null && stacks is { DidPanic: false };
        Kind = isNoPanic ? CrashKind.NoPanic : episode?.Kind ?? log.Panic?.Kind ?? CrashKind.Unknown;
        ReportLine = isNoPanic ? log.Last?.Line : episode?.Line;
        SourceLine = isNoPanic || episode?.Source is not { Length: > 0 } source ? null : source;
        if (!isNoPanic && episode is { Code: { } code, Place: { } at })
            Code = LoggedCode.TryParse(code, at, kernel.Memory?.ByteOrder ?? ByteOrder.LittleEndian);
        string? problem = null;
        CrashPath? path = isNoPanic ? null : FromStacks(kernel, stacks, episode, ref problem);
        if (path is null && !isNoPanic)
        {
            path = CrashPath.TryFrom(log, episode, Kind, kernel.Symbols);
            if (path is not null && problem is not null)
                _problems.Add(new(FindingCode.CrashPathFromLog, problem));
            CrashEpisode? who = Kind is CrashKind.HungTask ? null : episode ?? log.Panic;
            (Pid, TaskName, Cpu) = (Pid ?? episode?.SubjectPid ?? who?.Pid, TaskName ?? who?.TaskName, Cpu ?? episode?.SubjectCpu ?? who?.Cpu);
        }

        Path = path?.Places ?? [];
        StackStart = path?.Start ?? 0;
        problem = isNoPanic ? "the kernel did not panic"
            : path is null ? problem ?? "where it happened is not known"
            : Disagreement(episode) ?? path.Problem ?? (IsEndUnknown(log) ? "messages of the log are missing, maybe its end" : null);
        Conclude(log, episode, problem);
    }

    private static bool IsEndUnknown(CrashLog log) => log is { Panic: null, LacksMessages: true };

    // The stack that it happened on, and its functions; null if it is not in the dump, with the reason.
    private CrashPath? FromStacks(KernelView kernel, KernelStacks? stacks, CrashEpisode? episode, ref string? problem)
    {
        if (stacks is null || kernel.Symbols is not { } symbols)
        {
            problem ??= "the dump has no stacks";
            return null;
        }

        int? pid = episode?.SubjectPid;
        if (Kind is CrashKind.HungTask || pid is not null)
        {
            Task = pid is null ? null : kernel.Tasks?.Tasks.FirstOrDefault(t => t.Pid == pid);
            (Pid, TaskName) = (pid, Task?.Name);
            problem = pid is null ? "the log does not say which task hangs" : $"the task that the log names, PID {pid}, is not among the tasks";
            if (Task is not null && episode!.SubjectName is { } name && (name != Task.Name || Task.State != 'D'))
            {
                // Numbers are given again, and a task may have gone on before the others were found.
                problem = $"PID {pid} does not hang any more: it is {Task.Name} in state {Task.State}";
                (Task, TaskName) = (null, name);
            }

            Stack = Task is null ? null : stacks.Trace(Task);
        }
        else
        {
            CpuState? cpu = episode?.SubjectCpu is { } number ? stacks.Cpus.FirstOrDefault(c => c.Number == number) : Crashing;
            (Task, Cpu) = (cpu?.Task, cpu?.Number);
            (Pid, TaskName) = (Task?.Pid, Task?.Name);
            problem = cpu is null ? "which CPU panicked is not in the dump" : cpu.Problem?.ToString();
            Stack = cpu?.Registers is null ? null : stacks.Trace(cpu);
        }

        CrashPath? path = Stack is null ? null : CrashPath.TryFrom(Stack, symbols, Kind, waits: Kind is CrashKind.HungTask);
        if (path is not null)
            return path;
        if (Stack is not null)
            problem = Stack.Problem?.ToString() ?? "the stack in the dump is not that of the report in the log";
        Stack = null;
        return null;
    }

    // The log's own word of where it happened, if it is of the same registers.
    private string? Disagreement(CrashEpisode? episode)
    {
        if (Stack is null || Path.Count == 0 || episode is not { Place: { } logged } || !CrashWords.StrikesFromOutside(Kind) || Cpu != Crashing?.Number
            || FrameNames.Normalise(logged.Name, logged.Module) == Path[0].Name || logged.Offset == Path[0].Offset)
            return null;
        var finding = new Finding(FindingCode.CrashLogDisagrees, logged.Name, $"{Path[0]}");
        _problems.Add(finding);
        return finding.ToString();
    }

    private void Conclude(CrashLog log, CrashEpisode? episode, string? problem)
    {
        List<CrashPlace> places = [.. Path];
        bool waits = Kind is CrashKind.HungTask or CrashKind.SchedulingWhileAtomic;
        while (places.Count > 1 && places[0].Function is not null && (FrameNames.IsHelper(places[0].Name) || (waits && FrameNames.IsWait(places[0].Name))))
        {
            // The outermost that says it: a lock is made of others.
            WaitsFor = Kind is CrashKind.HungTask ? FrameNames.ThingOf(places[0].Name) ?? WaitsFor : null;
            places.RemoveAt(0);
        }

        List<string> names = [];
        foreach (CrashPlace place in places)
        {
            if (!names.Contains(place.Name) && names.Count < CrashSignature.FramesUsed)
                names.Add(place.Name);
        }

        if (names.Contains("sysrq_handle_crash"))
            Kind = CrashKind.Sysrq;
        if (Kind is CrashKind.Unknown)
            problem ??= "the log does not say why the kernel died";
        bool isChance = CrashWords.PlaceIsChance(Kind);
        bool isWhole = isChance || (Kind is not CrashKind.Unknown && Path.Count > 0 && Stack is not null
            && names.Count == CrashSignature.FramesUsed && !IsEndUnknown(log) && _problems.TrueForAll(static p => p.Code != FindingCode.CrashLogDisagrees));
        if (Kind is CrashKind.Unknown)
            _problems.Add(new(FindingCode.CrashCauseUnknown, problem!));
        Finding? partial = isWhole || problem is null ? null : new(FindingCode.SignaturePartial, problem);
        if (partial is not null)
            _problems.Add(partial);
        Function = isChance ? null : places.Find(static p => p.Function is not null);
        foreach (CrashPlace place in Path)
            SuspectedModule ??= isChance ? null : place.Module;
        Signature = new(Kind, isChance ? [] : names, Kind is CrashKind.InitKilled ? ExitCode(log.Message) : WaitsFor, partial);
        bool isNoCode = !isChance && places.Count > 1 && places[0].Function is null;
        Title = CrashTitle.Of(Kind, ReportLine, log.Message, episode?.Source is { Length: > 0 } source ? source : null, Function, isNoCode)
            + (WaitsFor is null ? "" : $", waiting for {(WaitsFor is "io" ? "I/O" : WaitsFor is "rwsem" ? "an rwsem" : $"a {WaitsFor}")}");
    }

    // "Attempted to kill init! exitcode=0x0000000b": the signal that it died of.
    private static string? ExitCode(string? message)
    {
        int at = message?.IndexOf("exitcode=", StringComparison.Ordinal) ?? -1;
        return at < 0 ? null : message![at..].TrimEnd();
    }
}
