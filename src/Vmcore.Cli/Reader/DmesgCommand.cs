using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Summary;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore dmesg FILE</c></summary>
internal static class DmesgCommand
{
    private const int Warning = 4;
    private const int Error = 3;

    private static readonly string[] s_levels = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

    internal static Command Create()
    {
        var level = new Option<string?>("--level", "-l")
        {
            Description = "Only these levels: names or numbers with commas (err,warn), or one with a + behind it for it and all that matter more (warn+).",
            HelpName = "LEVELS",
        };
        var time = new Option<string>("--time", "-t")
        {
            Description = "Times: seconds (since boot), ctime (date and time in UTC, as far as the time of the crash is known), none.",
            DefaultValueFactory = _ => "seconds",
            HelpName = "FORMAT",
        };
        time.AcceptOnlyFromAmong("seconds", "ctime", "none");
        var human = new Option<bool>("-T") { Description = "The same as --time ctime." };
        var decode = new Option<bool>("--decode", "-x") { Description = "Show the level of each message." };
        var caller = new Option<bool>("--caller") { Description = "Show who logged each message, task (T1) or CPU (C0), and of which device." };
        var tail = NumberOption.Create("--tail", "N", "Only the last N messages.", int.MaxValue, "-n");
        return new ReaderCommand("dmesg", "Show the log of the kernel that crashed.", context => Run(
            context,
            context.Parsed.GetValue(level),
            TimeFormat(context.Parsed.GetValue(human), context.Parsed.GetResult(time), context.Parsed.GetRequiredValue(time)),
            context.Parsed.GetValue(decode),
            context.Parsed.GetValue(tail),
            context.Parsed.GetValue(caller))) { level, time, human, decode, tail, caller };
    }

    private static string TimeFormat(bool isHuman, OptionResult? given, string format) => !isHuman || format == "ctime" ? format
        : given is { Implicit: false } ? throw new VmcoreException($"-T and --time {format} contradict each other") : "ctime";

    private static int Run(ReaderContext context, string? levels, string time, bool decode, int? tail, bool showsCaller)
    {
        HashSet<int>? wanted = levels is null ? null : Levels(levels);
        KernelLog log = KernelLog.TryOpen(context.Kernel.VmcoreInfo, context.Memory, out string? problem)
            ?? throw new MissingInformationException($"{context.Dump.Name}: {problem}");
        List<LogLine> lines = [];
        ulong? newest = null;
        foreach (LogRecord record in log.Read())
        {
            if (!record.IsDataless)
                newest = record.Timestamp;
            if (!record.IsDataless && (wanted is null || (record.Level is { } l && wanted.Contains(l))))
                lines.Add(LogLine.From(record) with
                {
                    HasCaller = true,
                    Caller = record.CallerId is { } id
                        ? string.Create(CultureInfo.InvariantCulture, $"{((id & LogRecord.CallerIsCpu) != 0 ? 'C' : 'T')}{id & ~LogRecord.CallerIsCpu}") : null,
                    Device = (showsCaller || context.IsJson) && context.Dump.Types is { } types ? LogDevice.TryRead(types, context.Memory, record) : null,
                });
        }

        if (tail is { } count)
            lines = [.. lines.TakeLast(count)];
        context.Gap(log.Problems);
        if (log.Lost > 0)
            context.Gap(new Finding(FindingCode.LogMessagesLost, log.Lost));
        if (context.IsJson)
        {
            context.WriteJson(new DmesgAnswer { Messages = lines, Lost = log.Lost, Problems = log.Problems });
            return 0;
        }

        // The log counts from boot; the clock of the crash belongs to its last message, whether that one is shown or not.
        DateTimeOffset? boot = context.Dump.VmcoreInfo?.CrashTime is { } crash and > 0 and < 1L << 36 && newest is { } last
            ? DateTimeOffset.FromUnixTimeSeconds(crash).AddTicks(-(long)(last / 100))
            : time == "ctime" && KernelClock.TryRead(context.Dump.KernelView) is { } clock ? DateTimeOffset.FromUnixTimeSeconds(clock.Boot) : null;
        if (time == "ctime" && boot is null)
            context.Gap(new Finding(FindingCode.LogTimesRelative));
        var text = new StringBuilder();
        foreach (LogLine line in lines)
        {
            if (showsCaller)
                text.Append(line.Caller?.PadLeft(8) ?? "       ?").Append(' ');
            text.Append(Format(context.Style, line, time, boot, decode));
            if (showsCaller && line.Device is { } device)
                text.Append(context.Style.Dim($"  ({device.Subsystem} {device.Name})"));
            text.Append('\n');
        }

        ReaderContext.Write(text.ToString());
        return 0;
    }

    /// <summary>A message for people.</summary>
    internal static string Format(TextStyle style, LogLine line, string time, DateTimeOffset? boot, bool decode)
    {
        string stamp = line.Timestamp is not { } ns || time == "none" ? ""
            : time == "ctime" && boot is { } start
                ? start.AddTicks((long)(ns / 100)).ToString("'['ddd MMM d HH:mm:ss yyyy' UTC] '", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"[{ns / 1_000_000_000,5}.{ns % 1_000_000_000 / 1000:000000}] ");
        string level = decode && line.Level is >= 0 and <= 7 ? $"{s_levels[line.Level.Value],-6}: " : "";
        string text = line.Text.Replace("\n", "\n" + new string(' ', stamp.Length + level.Length), StringComparison.Ordinal);
        return level + style.Dim(stamp) + (line.Level switch { <= Error => style.Red(text), Warning => style.Yellow(text), _ => text });
    }

    private static HashSet<int> Levels(string text)
    {
        HashSet<int> levels = [];
        foreach (string word in text.Split(','))
        {
            bool andMore = word.EndsWith('+');
            string name = word.TrimEnd('+');
            int level = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : Array.IndexOf(s_levels, name);
            if (level is < 0 or > 7)
                throw new VmcoreException($"'{word}' is no log level: expected {string.Join(", ", s_levels)} or 0 to 7");
            for (int i = andMore ? 0 : level; i <= level; i++)
                levels.Add(i);
        }

        return levels;
    }
}

/// <summary>The answer of <c>vmcore dmesg --json</c>.</summary>
internal sealed record DmesgAnswer : ReaderAnswer
{
    public IReadOnlyList<LogLine> Messages { get; init; } = [];

    /// <summary>Messages that could not be read.</summary>
    public int Lost { get; init; }

    public IReadOnlyList<Finding> Problems { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Messages);
        json.Put(Lost);
        json.Put(Problems);
    }
}

/// <summary>A message; the time in nanoseconds since boot.</summary>
internal sealed record LogLine(ulong Sequence, ulong? Timestamp, int? Level, int? Facility, string Text) : IJsonItem
{
    /// <summary>Copies a record.</summary>
    internal static LogLine From(LogRecord record) => new(record.Sequence, record.Timestamp, record.Level, record.Facility, TextOf(record.Text.Span));

    /// <summary>True if it is told who logged it.</summary>
    internal bool HasCaller { get; init; }

    /// <summary>The task (<c>T1</c>) or CPU (<c>C0</c>) that logged it; null if the log does not keep it.</summary>
    internal string? Caller { get; init; }

    /// <summary>The device that it is about; null if there is none.</summary>
    internal LogDevice? Device { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Sequence);
        json.Put(Timestamp);
        json.Put(Level);
        json.Put(Facility);
        json.Put(Text);
        if (!HasCaller)
            return;
        json.Put(Caller);
        json.Put(Device?.Subsystem, "subsystem");
        json.Put(Device?.Name, "device");
    }

    // What a terminal would act on is shown as its number.
    private static string TextOf(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (byte b in bytes)
            _ = b is >= 0x20 and < 0x7f or (byte)'\n' or (byte)'\t' ? text.Append((char)b) : text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        return text.ToString();
    }
}
