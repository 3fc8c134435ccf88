using Vmcore.Architectures;
using Vmcore.Cli.Info;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader.Code;
using Vmcore.Cli.Reader.Pmem;
using Vmcore.Cli.Reader.Triage;
using Vmcore.Kernel.Crash;

namespace Vmcore.Cli.Reader.Report;

/// <summary>
/// The first report of a crash: what <c>vmcore report --json</c> writes as it stands here, and what its text and its page show. A section is null, or
/// empty, where the dump does not tell; why is among the gaps.
/// </summary>
internal sealed record ReportAnswer : ReaderAnswer
{
    /// <summary>True if host name, addresses, paths and command lines are taken out.</summary>
    public bool Redacted { get; init; }

    /// <summary>What the kernel died of, in words.</summary>
    public string? What { get; init; }

    public CauseInfo? Cause { get; init; }

    public DumpStateInfo? Dump { get; init; }

    public CrashedMachineInfo? Machine { get; init; }

    /// <summary>The panic: line of the log, CPU, task, taints.</summary>
    public CrashInfo? Crash { get; init; }

    /// <summary>The code where the CPU that panicked was, and where it was interrupted.</summary>
    public IReadOnlyList<CodeInfo> Code { get; init; } = [];

    /// <summary>The code where it died as the log has it; null if the log has none, or this executable decodes none.</summary>
    public LoggedCodeInfo? LoggedCode { get; init; }

    /// <summary>The stack of each CPU, that of the one that panicked first.</summary>
    public IReadOnlyList<StackInfo> Cpus { get; init; } = [];

    public IReadOnlyList<ulong> OfflineCpus { get; init; } = [];

    /// <summary>All other tasks, by equal stacks in the kernel: those in state D first, the longest time in front.</summary>
    public IReadOnlyList<StackGroupInfo> Groups { get; init; } = [];

    /// <summary>The locks that tasks waited for, as <c>vmcore locks</c> shows them; null if that cannot be told.</summary>
    public IReadOnlyList<LockInfo>? Locks { get; init; }

    /// <summary>Deadlocks among them.</summary>
    public IReadOnlyList<LockCycleInfo> LockCycles { get; init; } = [];

    /// <summary>The disks that had I/O to do, as <c>vmcore io</c> shows them; null if that cannot be told.</summary>
    public IReadOnlyList<BlockDiskInfo>? Disks { get; init; }

    /// <summary>The pools of workers that had work, as <c>vmcore workqueues</c> shows them; null if that cannot be told.</summary>
    public IReadOnlyList<WorkerPoolInfo>? WorkerPools { get; init; }

    public IReadOnlyList<WorkqueueInfo>? Workqueues { get; init; }

    public MemoryUseInfo? Memory { get; init; }

    public PoisonInfo? Poison { get; init; }

    public IReadOnlyList<ModuleInfo>? Modules { get; init; }

    public IReadOnlyList<MountInfo>? Mounts { get; init; }

    public ReportPmemInfo? Pmem { get; init; }

    /// <summary>The end of the log.</summary>
    public ReportLogInfo? Log { get; init; }

    /// <summary>What the kernel died of, as the library tells it.</summary>
    internal CrashCause? Died { get; init; }

    /// <summary>What <c>vmcore locks</c> shows.</summary>
    internal string LocksText { get; init; } = "";

    /// <summary>What <c>vmcore io</c> shows.</summary>
    internal string IoText { get; init; } = "";

    /// <summary>What <c>vmcore workqueues</c> shows, in brief.</summary>
    internal string WorkText { get; init; } = "";

    /// <summary>What <c>vmcore pmem</c> shows: the words of the report are its own.</summary>
    internal PmemAnswer? PmemUse { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Redacted);
        json.Put(What);
        json.Put(Cause);
        json.Put(Dump);
        json.Put(Machine);
        json.Put(Crash);
        json.Put(Code);
        json.Put(LoggedCode);
        json.Put(Cpus);
        json.Put(OfflineCpus);
        json.Put(Groups);
        json.Put(Locks);
        json.Put(LockCycles);
        json.Put(Disks);
        json.Put(WorkerPools);
        json.Put(Workqueues);
        json.Put(Memory);
        json.Put(Poison);
        json.Put(Modules);
        json.Put(Mounts);
        json.Put(Pmem);
        json.Put(Log);
    }
}

/// <summary>What the file is, and what is missing of it.</summary>
internal sealed record DumpStateInfo(DumpInfo All) : IJsonItem
{
    /// <summary>What was erased by its name: one line each.</summary>
    public IReadOnlyList<string> Erased { get; init; } = [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(All.Format);
        json.Put(All.Flattened);
        json.Put(All.Compression);
        json.Put(All.DumpLevel);
        json.Put(All.Incomplete);
        json.Put(All.LostPages);
        json.Put(Erased);
        json.Put(All.Problems);
    }
}

/// <summary>Whose crash it was.</summary>
internal sealed record CrashedMachineInfo(DumpInfo All) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(All.Release);
        json.Put(All.Version);
        json.Put(All.Machine, "machine");
        json.Put(All.NodeName);
        json.Put(All.BuildId);
        json.Put(All.CrashTime);
        json.Put(All.PageSize);
    }
}

/// <summary>Bytes of the kernel's code.</summary>
/// <param name="Address">Where the CPU was.</param>
/// <param name="Symbol">The same, named.</param>
/// <param name="Start">Address of the first byte.</param>
/// <param name="Bytes">The bytes, in hexadecimal, two digits each.</param>
/// <param name="Unit">Bytes of an instruction where all have the same length; 1 where not.</param>
/// <param name="Registers">The registers there.</param>
/// <param name="Interrupted">False for where the registers were taken, true for code that an exception or an interrupt left.</param>
internal sealed record CodeInfo(ulong Address, string? Symbol, ulong Start, string Bytes, int Unit, bool Interrupted, CpuRegisters Registers) : IJsonItem
{
    /// <summary>The instructions around; null if this executable decodes none.</summary>
    public IReadOnlyList<CodeLineInfo>? Instructions { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Symbol);
        json.PutAddress(Start);
        json.Put(Bytes);
        json.Put(Address - Start, "mark");
        json.Put(Interrupted);
        json.Put(Registers.Names, key => $"0x{Registers[key]:x}", "registers");
        json.Put(Instructions);
    }
}

/// <summary>The log's line of code.</summary>
/// <param name="Symbol">The instruction's place, as the log has it.</param>
/// <param name="Bytes">The bytes, in hexadecimal.</param>
/// <param name="Mark">Offset of the instruction in them.</param>
/// <param name="SameAsDump">Whether the dump has the same bytes there; null if it has not all of them.</param>
/// <param name="Instructions">The instructions; those before the marked one as they fit. Null if it is not known where the function was.</param>
internal sealed record LoggedCodeInfo(string Symbol, string Bytes, int Mark, bool? SameAsDump, IReadOnlyList<CodeLineInfo>? Instructions) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Symbol);
        json.Put(Bytes);
        json.Put(Mark);
        json.Put(SameAsDump);
        json.Put(Instructions);
    }
}

/// <summary>Pages that failed.</summary>
/// <param name="Count">Their number.</param>
/// <param name="IsKnown">False if there may be more: of pages whose structures cannot be read it is not known.</param>
/// <param name="Ranges">The first of them.</param>
internal sealed record PoisonInfo(ulong Count, bool IsKnown, IReadOnlyList<BytesInfo> Ranges) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Count);
        json.Put(IsKnown);
        json.Put(Ranges);
    }
}

/// <summary>What the pmem was used for: of files only the sums.</summary>
internal sealed record ReportPmemInfo(
    IReadOnlyList<PmemRegionInfo> Regions,
    IReadOnlyList<PmemNamespaceInfo> Namespaces,
    IReadOnlyList<PmemFileInfo> Files,
    IReadOnlyList<PmemProcessInfo> Processes) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Regions);
        json.Put(Namespaces);
        json.Put(Files);
        json.Put(Processes);
    }
}

/// <summary>The end of the kernel's log.</summary>
/// <param name="Messages">The last ones.</param>
/// <param name="Count">Number of all that the dump has.</param>
/// <param name="Lost">Number of those that could not be read.</param>
/// <param name="OutOfMemory">The last ones of those, anywhere in the log, in which the kernel says that memory ran out.</param>
internal sealed record ReportLogInfo(IReadOnlyList<LogLine> Messages, int Count, int Lost, IReadOnlyList<LogLine> OutOfMemory) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Messages);
        json.Put(Count);
        json.Put(Lost);
        json.Put(OutOfMemory);
    }
}
