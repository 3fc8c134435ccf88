using System.Globalization;

namespace Vmcore.Kernel.Crash;

/// <summary>A function as the log has it: <c>foo+0x12/0x34 [bar]</c>.</summary>
/// <param name="Name">Its name, as the kernel found it.</param>
/// <param name="Offset">Distance from its start in bytes.</param>
/// <param name="Module">The module; null for the kernel's image.</param>
internal sealed record LoggedFunction(string Name, ulong Offset, string? Module)
{
    /// <summary>Reads one; null if the text is none.</summary>
    internal static LoggedFunction? TryParse(ReadOnlySpan<char> text)
    {
        text = text.Trim();
        int plus = text.IndexOf("+0x", StringComparison.Ordinal), slash = text.IndexOf('/');
        if (plus <= 0 || slash <= plus || text[..plus].ContainsAny(' ', '\t')
            || !ulong.TryParse(text[(plus + 3)..slash], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong offset))
            return null;

        // Behind the name of a module may stand what it is built from: [bar 0123…].
        int open = text.IndexOf(" [", StringComparison.Ordinal);
        ReadOnlySpan<char> module = open < 0 ? [] : text[(open + 2)..];
        int end = module.IndexOfAny(' ', ']', '(');
        return new(text[..plus].ToString(), offset, end > 0 ? module[..end].ToString() : null);
    }
}

/// <summary>What the log reports in one go: a line that says what happened, and behind it who, where and how it came there.</summary>
/// <param name="kind">What happened.</param>
/// <param name="line">The line that says it.</param>
/// <param name="number">Number of the line in the log.</param>
/// <param name="time">When it was logged; null if the log does not say.</param>
internal sealed class CrashEpisode(CrashKind kind, string line, int number, TimeSpan? time)
{
    private const int FramesKept = 64;

    private bool _isTrace;
    private bool _isProcess;

    internal CrashKind Kind => kind;

    internal string Line => line;

    internal int Number => number;

    internal TimeSpan? Time => time;

    /// <summary>True if the kernel counted an oops with it.</summary>
    internal bool HasDied { get; set; }

    /// <summary>True if it ended the task that it met, or the kernel.</summary>
    internal bool IsDeath => HasDied || CrashWords.IsDeadly(kind);

    /// <summary>File and line of a BUG or WARNING: <c>fs/inode.c:12</c>; of a file outside of the kernel's tree without its folders.</summary>
    internal string? Source { get; set; } = SourceIn(kind, line);

    /// <summary>The function at the instruction pointer; null if the log has none of the kernel.</summary>
    internal LoggedFunction? Place { get; private set; }

    /// <summary>The line with the code at <see cref="Place"/>; null if there is none. That of a process is never taken.</summary>
    internal string? Code { get; private set; }

    /// <summary>True if the log says that the instruction pointer was in no function.</summary>
    internal bool IsNoCode { get; private set; }

    /// <summary>The functions of the trace that the kernel was sure of, innermost first.</summary>
    internal List<LoggedFunction> Frames { get; } = [];

    /// <summary>Number and name of the task that logged it; null if the log does not say.</summary>
    internal int? Pid { get; private set; }

    /// <inheritdoc cref="Pid"/>
    internal string? TaskName { get; private set; }

    /// <summary>The CPU that logged it.</summary>
    internal int? Cpu { get; private set; }

    /// <summary>The CPU that it is about, where that may be another one.</summary>
    internal int? SubjectCpu { get; private set; } = kind switch
    {
        CrashKind.SoftLockup => NumberAfter(line, "CPU#"),
        CrashKind.HardLockup => NumberAfter(line, "LOCKUP on cpu "),
        _ => null,
    };

    /// <summary>The task that it is about, where that is another one.</summary>
    internal int? SubjectPid { get; private set; } = kind is CrashKind.HungTask ? PidOfHung(line) : null;

    /// <summary>Name of the task that it is about; null if the log does not say.</summary>
    internal string? SubjectName { get; } = kind is CrashKind.HungTask ? NameOfHung(line) : null;

    /// <summary>Takes a further line of the log.</summary>
    internal void Add(string next)
    {
        // Registers and code of the process that was in the kernel stand below the kernel's own.
        _isProcess |= next.StartsWith("RIP: 0033:", StringComparison.Ordinal);
        if (Place is not null && Code is null && !_isProcess && next.StartsWith("Code: ", StringComparison.Ordinal))
            Code = next;
        else if (next.StartsWith("CPU: ", StringComparison.Ordinal))
            AddWho(next);
        else if (next.StartsWith("Call ", StringComparison.Ordinal) && next.EndsWith("race:", StringComparison.Ordinal))
            _isTrace = Frames.Count == 0;
        else if (_isTrace)
            AddFrame(next);
        else if (Place is null && !IsNoCode)
            AddPlace(next);
        if (kind is CrashKind.RcuStall && SubjectCpu is null && SubjectPid is null)
            AddStalled(next);
    }

    private void AddWho(string next)
    {
        if (Pid is not null)
            return;
        (Cpu, Pid) = (NumberAfter(next, "CPU: "), NumberAfter(next, "PID: "));
        int comm = next.IndexOf("Comm: ", StringComparison.Ordinal);
        if (comm < 0)
            return;
        string rest = next[(comm + 6)..];
        int end = rest.Length;
        foreach (string behind in (ReadOnlySpan<string>)[" Kdump: ", " Not tainted", " Tainted: "])
        {
            int at = rest.IndexOf(behind, StringComparison.Ordinal);
            end = at >= 0 ? Math.Min(at, end) : end;
        }

        TaskName = rest[..end];
    }

    // "? foo+0x1/0x2" is a guess of the kernel; <TASK> and the like stand between frames.
    private void AddFrame(string next)
    {
        string text = next.Trim();
        if (text.StartsWith('[') && text.IndexOf("] ", StringComparison.Ordinal) is > 0 and var end)
            text = text[(end + 2)..];
        if (text.StartsWith('<') || text.StartsWith("? ", StringComparison.Ordinal))
            return;
        if (LoggedFunction.TryParse(text) is { } found && Frames.Count < FramesKept)
            Frames.Add(found);
        else
            _isTrace = false;
    }

    private void AddPlace(string next)
    {
        string? text = null;
        foreach (string start in (ReadOnlySpan<string>)["RIP: 0010:", "pc : ", "epc : "])
        {
            if (next.StartsWith(start, StringComparison.Ordinal))
                text = next[start.Length..];
        }

        if (text is null)
            return;
        Place = LoggedFunction.TryParse(text);
        IsNoCode = Place is null && text.StartsWith("0x", StringComparison.Ordinal);
    }

    // "rcu: \t1-...0: (…)" is a CPU, "rcu: \tTasks blocked on level-0 rcu_node (CPUs 0-1): P123/1:b..l" a task.
    private void AddStalled(string next)
    {
        string text = next.StartsWith("rcu: ", StringComparison.Ordinal) ? next[5..].TrimStart() : next.TrimStart();
        if (text.Length > 0 && char.IsAsciiDigit(text[0]) && NumberAfter(text, "") is { } cpu && text.AsSpan().TrimStart("0123456789").StartsWith("-"))
            SubjectCpu = cpu;
        else if (text.StartsWith("Tasks blocked on ", StringComparison.Ordinal))
            SubjectPid = NumberAfter(text, ": P");
    }

    private static int? NumberAfter(string text, string before)
    {
        int at = text.IndexOf(before, StringComparison.Ordinal);
        if (at < 0)
            return null;
        int start = at + before.Length, end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        return int.TryParse(text.AsSpan(start, end - start), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : null;
    }

    // "INFO: task kworker/1:2:123 blocked for more than 120 seconds.": the last colon stands before the number.
    private static int? PidOfHung(string line) => ColonOfHung(line) is > 0 and var colon ? NumberAfter(line[colon..], ":") : null;

    private static string? NameOfHung(string line)
    {
        const string Start = "INFO: task ";
        return ColonOfHung(line) is var colon && colon > Start.Length ? line[Start.Length..colon] : null;
    }

    private static int ColonOfHung(string line)
    {
        int blocked = line.LastIndexOf(" blocked ", StringComparison.Ordinal);
        return blocked > 0 ? line.LastIndexOf(':', blocked) : -1;
    }

    // "kernel BUG at fs/inode.c:12!", "WARNING: CPU: 0 PID: 1 at fs/inode.c:12 foo+0x1/0x2", since 6.18 "WARNING: fs/inode.c:12 at foo+0x1/0x2, CPU#0: …".
    private static string? SourceIn(CrashKind kind, string line)
    {
        if (kind is not (CrashKind.KernelBug or CrashKind.Warning))
            return null;
        foreach (string word in line.Split(' '))
        {
            string text = word.TrimEnd('!');
            int colon = text.LastIndexOf(':');
            if (colon > 0 && text.Length > colon + 1 && !text.AsSpan(colon + 1).ContainsAnyExceptInRange('0', '9') && text.AsSpan(0, colon).Contains('.'))
                return text[0] is '/' or '.' ? text[(text.LastIndexOf('/') + 1)..] : text;
        }

        return null;
    }
}
