using System.Globalization;
using System.Text;
using Vmcore.Cli.Code;
using Vmcore.Cli.Info;
using Vmcore.Cli.Reader.Code;
using Vmcore.Findings;
using Vmcore.Kernel.Counters;
using Vmcore.Kernel.Crash;

namespace Vmcore.Cli.Reader.Report;

/// <summary>What a report says to people, in its order: the same for text and page.</summary>
/// <param name="report">The report.</param>
/// <param name="gaps">What is missing of it.</param>
/// <param name="writer">Where to.</param>
internal sealed class ReportBody(ReportAnswer report, IReadOnlyList<Finding> gaps, ReportWriter writer)
{
    private const string NotKnown = "Not known: the last section says why.";
    private const int ShownLines = 64;
    private const int ShownTasks = 12;
    private const int ShownPlaces = 4;

    /// <summary>Writes it.</summary>
    internal void Write()
    {
        Head();
        Code();
        Cpus();
        Hangs("Locks that tasks slept for", report.LocksText);
        Hangs("Block I/O that was not done", report.IoText);
        Hangs("Workqueues", report.WorkText);
        Tasks();
        Memory();
        Poison();
        Modules();
        Mounts();
        Pmem();
        Log();
        Gaps();
    }

    private void Head()
    {
        DumpInfo? all = report.Machine?.All;
        if (report.Died is { } cause)
            Cause(cause);
        else
            writer.Field("Panic", report.Crash?.Panic ?? "what the kernel died of cannot be told", Tone.Bad);
        writer.Field("Tainted", report.Crash?.Taints is not { } taints ? null
            : taints.Count == 0 ? "no" : string.Join(", ", taints.Select(static t => $"{t.Letter} ({t.Meaning})")));
        writer.Field("Kernel", all?.Release is { } release ? $"{release} on {all.Machine}, {all.Version}" : null);
        writer.Field("Host", all?.NodeName);
        writer.Field("Crashed", all is null ? null : InfoText.CrashedAt(all) + (report.Crash?.UptimeSeconds is { } seconds
            ? $", {InfoText.TimeText(TimeSpan.FromSeconds(seconds))} after the start" : ""));
        writer.Field("Load", report.Crash?.LoadAverage is { } load
            ? string.Join(", ", load.Select(static l => l.ToString("0.00", CultureInfo.InvariantCulture))) + " (1, 5, 15 minutes)" : null);
        if (report.Crash?.HardwareErrors is { } errors && errors.Any(static e => e.Count > 0))
            writer.Field("HW errors", $"recovered from: {HardwareErrorInfo.Text(errors)}", Tone.Warn);
        if (report.Dump?.All is not { } dump)
            return;
        writer.Field("Dump", $"{InfoText.FormatOf(dump)}, {(dump.DumpLevel is { } level ? $"level {level}: {InfoText.LevelOf(level)}" : "nothing left out")}"
            + (report.Redacted ? "" : $" ({report.File})"));
        foreach (Finding problem in dump.Problems)
            writer.Field("Missing", problem.ToString(), Tone.Warn);
        if (report.Dump.Erased.Count > 0)
            writer.Field("Erased", Sizes.Count((ulong)report.Dump.Erased.Count, "thing") + " by rules of whoever wrote the dump");
    }

    private void Cause(CrashCause cause)
    {
        writer.Title(cause.Title);
        writer.Field("What", report.What + (cause.SourceLine is { } line ? $", at {line}" : ""));

        // Whom memory that ran out, a machine check or an NMI strikes is chance.
        bool isChance = cause.Kind is CrashKind.OutOfMemory or CrashKind.MachineCheck or CrashKind.Nmi or CrashKind.InitKilled;
        writer.Field(isChance ? "Noticed in" : "Where", WhereOf(cause));
        writer.Field("Who", cause.Pid is null && cause.Cpu is null ? null
            : (cause.Pid is { } pid ? $"PID {pid} \"{cause.TaskName}\"" : "unknown task") + (cause.Cpu is { } cpu ? $" on CPU {cpu}" : "")
            + (cause.Task is { } task && report.Groups.Count > 0 && TimeOf(task.Pid) is { Length: > 0 } time ? $", {time}" : ""));
        writer.Field("Report", cause.ReportLine == cause.Title ? null : cause.ReportLine);
        writer.Field("Panic", cause.PanicLine);
        writer.Field("Module", cause.SuspectedModule is { } module ? $"{module} is on the stack of the crash: it is suspected, no more" : null);
        foreach (LockCycleInfo cycle in report.LockCycles.Take(ShownPlaces))
            writer.Field("Deadlock", string.Join(", ", cycle.Links.Select(static l => $"PID {l.Pid} \"{l.Name}\" waits for PID {l.OwnerPid}")), Tone.Bad);
        writer.Field("Signature", $"{cause.Signature} ({string.Join(", ", cause.Signature.Frames.Prepend(CrashSignature.NameOf(cause.Kind)))})");
    }

    // The function that may be to blame, and what called it; of a place that is chance, where the kernel noticed.
    private static string? WhereOf(CrashCause cause)
    {
        int first = 0;
        while (first + 1 < cause.Path.Count && cause.Function is { } function && !ReferenceEquals(cause.Path[first], function))
            first++;
        string[] places = [.. cause.Path.Skip(first).Take(ShownPlaces).Select(static p => p.ToString())];
        return places.Length == 0 ? null : string.Join(" < ", places) + (cause.Path.Count > first + ShownPlaces ? " < …" : "")
            + (cause.Path[first].Source == CrashSource.Log ? " (by the log)" : "");
    }

    private string? TimeOf(int pid)
    {
        foreach (StackGroupInfo group in report.Groups)
        {
            foreach (TaskInfo task in group.Tasks)
            {
                if (task.Pid == pid)
                    return Durations.InState(task.Time, isProse: true) is { Length: > 0 } time ? $"{task.StateText} for {time}" : task.StateText;
            }
        }

        return null;
    }

    private void Code()
    {
        writer.Section("Code and registers");
        if (report.Code.Count == 0)
            writer.Say("Not known where the kernel was: it did not panic, or the last section says why.");
        foreach (CodeInfo code in report.Code)
        {
            writer.Say($"{(code.Interrupted ? "An exception or interrupt came at" : "The CPU was at")} {code.Symbol ?? Sizes.Hex(code.Address)}"
                + (code.Symbol is null ? ", which is no code of the kernel: a wrong pointer led there" : ""));
            var text = new StringBuilder();
            if (CodeFeature.IsIncluded && code.Instructions is { Count: > 0 } instructions)
                CodeText.Append(text, new() { Address = code.Address, Lines = instructions }, TextStyle.Plain);
            else if (code.Bytes.Length > 0)
                text.Append(CodeLine(code)).Append('\n');
            StackText.AppendRegisters(text, code.Registers);
            writer.Lines(text.ToString());
        }

        if (CodeFeature.IsIncluded)
            LoggedCode();
    }

    // Worth a place only if the dump does not have the same.
    private void LoggedCode()
    {
        if (report.LoggedCode is not { SameAsDump: not true, Instructions: { } lines } logged)
            return;
        writer.Say(logged.SameAsDump == false ? $"The log has other bytes at {logged.Symbol} than the dump:"
            : $"By the log, at {logged.Symbol} (before the marked instruction, as they fit):", logged.SameAsDump == false ? Tone.Warn : Tone.Plain);
        var text = new StringBuilder();
        CodeText.Append(text, new() { Lines = lines }, TextStyle.Plain);
        writer.Lines(text.ToString());
    }

    // As the kernel's own line: the instruction in angle brackets.
    private static string CodeLine(CodeInfo code)
    {
        var text = new StringBuilder("Code:");
        int digits = code.Unit * 2;
        for (int at = 0; at + digits <= code.Bytes.Length; at += digits)
        {
            // Words of little-endian machines, as people read them.
            string unit = "";
            for (int i = digits - 2; i >= 0; i -= 2)
                unit += code.Bytes.Substring(at + i, 2);
            bool isMarked = (ulong)(at / 2) == code.Address - code.Start;
            text.Append(isMarked ? " <" : " ").Append(unit).Append(isMarked ? ">" : "");
        }

        return text.ToString();
    }

    private void Cpus()
    {
        writer.Section("CPUs");
        if (report.Cpus.Count == 0)
            writer.Say(NotKnown);
        List<StackInfo> left = [.. report.Cpus];
        while (left.Count > 0)
        {
            StackInfo first = left[0];
            string key = KeyOf(first);
            List<StackInfo> same = first.Panicked ? [first] : left.FindAll(s => !s.Panicked && KeyOf(s) == key);
            left.RemoveAll(same.Contains);
            string tasks = same.Count == 1 ? TaskOf(first) : string.Join(", ", same.Take(8).Select(TaskOf)) + (same.Count > 8 ? " …" : "");
            var text = new StringBuilder();
            StackText.AppendFrames(text, first, TextStyle.Plain, isBrief: true);
            writer.Fold($"CPU {string.Join(", ", same.Select(static s => s.Cpu))}: {tasks}{(first.Panicked ? ", panicked here" : "")}",
                text.ToString(), first.Panicked ? Tone.Bad : Tone.Plain);
        }

        if (report.OfflineCpus.Count > 0)
            writer.Say($"Offline: CPU {string.Join(", ", report.OfflineCpus)}");
    }

    private static string KeyOf(StackInfo stack) =>
        string.Join(' ', stack.Frames.Select(static f => (f.Reliable ? "" : "?") + f.Address.ToString("x", CultureInfo.InvariantCulture)));

    private static string TaskOf(StackInfo stack) => stack.Task is { } task ? $"PID {task.Pid} \"{task.Name}\"" : "unknown task";

    private void Hangs(string title, string text)
    {
        if (text.Length == 0)
            return;
        writer.Section(title);
        writer.Lines(text);
    }

    private void Tasks()
    {
        if (report.Groups.Count == 0)
            return;
        writer.Section("Other tasks");
        foreach (StackGroupInfo group in report.Groups)
        {
            bool isBlocked = group.Tasks[0].State == 'D';
            var names = new StringBuilder();
            foreach (TaskInfo task in group.Tasks.Take(isBlocked ? ShownLines : ShownTasks))
            {
                names.Append(CultureInfo.InvariantCulture, $"{(names.Length > 0 ? ", " : "")}{task.Pid} \"{task.Name}\"");
                if (isBlocked && Durations.InState(task.Time, isProse: true) is { Length: > 0 } time)
                    names.Append(" for ").Append(time);
            }

            var text = new StringBuilder();
            StackText.AppendFrames(text, group.Stack, TextStyle.Plain, isBrief: true);
            writer.Fold($"{Sizes.Count((ulong)group.Tasks.Count, "task")}, {group.Tasks[0].StateText}: PID {names}"
                + (group.Tasks.Count > (isBlocked ? ShownLines : ShownTasks) ? " …" : ""), text.ToString(), isBlocked ? Tone.Warn : Tone.Plain);
        }
    }

    private void Memory()
    {
        writer.Section("Memory");
        if (report.Memory is not { } memory)
        {
            writer.Say(NotKnown);
            return;
        }

        OutOfMemory();
        writer.Field("All", Sizes.Text(memory.Managed) + (memory.Exact ? "" : " (these counters are a little too low or too high)"));
        writer.Field("Free", Size(memory.Free));
        writer.Field("Page cache", memory.File is null ? null
            : $"{Size(memory.File)}{With(memory.Shared, "tmpfs and shared memory")}{With(memory.Dirty, "dirty")}{With(memory.Writeback, "being written")}");
        writer.Field("Anonymous", Size(memory.Anonymous));
        writer.Field("Slab", memory.SlabUnreclaimable is null ? null
            : $"{Size(memory.SlabReclaimable + memory.SlabUnreclaimable)}, {Size(memory.SlabUnreclaimable)} of it cannot be reclaimed");
        writer.Field("Page tables", Size(memory.PageTables));
        writer.Field("Stacks", Size(memory.KernelStacks));
        writer.Field("Swap", memory.SwapTotal is > 0 ? $"{Size(memory.SwapTotal)}, {Size(memory.SwapFree)} free" : null);
        foreach (HugePages huge in memory.HugePages)
            writer.Field("Huge pages", $"{huge.Total} of {Sizes.Text(huge.PageBytes)}, {huge.Free} free");
        ulong size = (ulong)memory.PageSize;
        writer.Table(["ZONE", ">NODE", ">MANAGED", ">FREE", ">MIN", ">LOW", ">HIGH"], memory.Zones.Select(zone => (string[])
        [
            zone.Name, Number(zone.Node), Sizes.Text(zone.Managed * size), Sizes.Text(zone.Free * size),
            .. zone.Watermarks.Count == 3 ? zone.Watermarks.Select(w => Sizes.Text(w * size)) : ["?", "?", "?"],
        ]));
        if (memory.Processes is { Count: > 0 } processes)
            writer.Table([">PID", ">RESIDENT", "LARGEST PROCESSES"],
                processes.Select(static p => (string[])[Number(p.Pid), Sizes.Text(p.ResidentSize ?? 0), p.Name]));
    }

    private void OutOfMemory()
    {
        if (report.Log is not { OutOfMemory: { Count: > 0 } lines })
            return;
        writer.Say("Memory ran out:", Tone.Bad);
        writer.Lines(string.Join('\n', lines.Select(Line)));
    }

    private void Poison()
    {
        if (report.Poison is not { } poison || (poison.Count == 0 && poison.IsKnown))
            return;
        writer.Section("Failed memory");
        writer.Say($"{(poison.IsKnown ? "" : "At least ")}{Sizes.Count(poison.Count, "page")} had failed (PG_hwpoison)", Tone.Bad);
        writer.Lines(string.Join('\n', poison.Ranges.Select(static r => $"{Sizes.Hex(r.Start)}-{Sizes.Hex(r.End)}")));
    }

    private void Modules()
    {
        if (report.Modules is not { Count: > 0 } modules)
            return;
        writer.Section("Modules");
        List<ModuleInfo> tainted = [.. modules.Where(static m => m.Taints.Length > 0)];
        if (tainted.Count > 0)
            writer.Field("Taint", string.Join(", ", tainted.Select(static m => $"{m.Name} ({m.Taints})")), Tone.Warn);
        writer.Field("Others", string.Join(", ", modules.Where(static m => m.Taints.Length == 0).Select(static m => m.Name)));
    }

    private void Mounts()
    {
        if (report.Mounts is not { Count: > 0 } mounts)
            return;
        writer.Section("Mounts");
        writer.Table(["SOURCE", "MOUNT POINT", "TYPE", "OPTIONS"], mounts.Take(ShownLines).Select(static m =>
            (string[])[m.Source, m.Target ?? "?", m.Type, m.Options + (m.Dax ? ",dax" : "")]));
        if (mounts.Count > ShownLines)
            writer.Say($"and {mounts.Count - ShownLines} more (--json has them)");
    }

    private void Pmem()
    {
        if (report.PmemUse is not { Regions.Count: > 0 } pmem)
            return;
        writer.Section("Persistent memory");
        writer.Lines(Reader.Pmem.PmemText.Build(pmem, TextStyle.Plain, ranges: false));
    }

    private void Log()
    {
        writer.Section("End of the log");
        if (report.Log is not { } log)
            return;
        if (log.Messages.Count < log.Count)
            writer.Say(string.Create(CultureInfo.InvariantCulture, $"{log.Messages.Count} of {log.Count} messages ('vmcore dmesg' shows all)"));
        writer.Lines(string.Join('\n', log.Messages.Select(Line)));
    }

    private void Gaps()
    {
        writer.Section("What could not be answered");
        if (gaps.Count == 0)
            writer.Say("Nothing: each section is whole.");
        foreach (Finding gap in gaps)
            writer.Say(gap.ToString(), Tone.Warn);
    }

    private static string Line(LogLine line) => DmesgCommand.Format(TextStyle.Plain, line, "seconds", null, decode: false);

    private static string? Size(ulong? bytes) => bytes is { } b ? Sizes.Text(b) : null;

    private static string With(ulong? bytes, string what) => bytes is > 0 ? $", {Size(bytes)} {what}" : "";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
