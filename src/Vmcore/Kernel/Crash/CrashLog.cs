using System.Text;
using Vmcore.Kernel.Log;

namespace Vmcore.Kernel.Crash;

/// <summary>What the log says of the end of a kernel: the panic, and what was reported before it.</summary>
internal sealed class CrashLog
{
    // Between what a report begins with and the line in which the kernel counts the oops stand the page tables and the like.
    private const int LinesToDeath = 16;
    private const int EpisodesKept = 64;
    private const int LineCharacters = 1024;

    private readonly List<CrashEpisode> _episodes = [];
    private CrashEpisode? _open;
    private int _number;

    /// <summary>The panic; null if the log has none.</summary>
    internal CrashEpisode? Panic { get; private set; }

    /// <summary>True if messages are missing: without a panic nobody knows whether its end is the kernel's.</summary>
    internal bool LacksMessages { get; private set; }

    /// <summary>The message of the panic; null without one.</summary>
    internal string? Message => Panic is null ? null : Panic.Line[CrashWords.PanicStart.Length..].TrimStart(':', ' ');

    /// <summary>The last thing that was reported; null if nothing was.</summary>
    internal CrashEpisode? Last => _episodes.Count > 0 ? _episodes[^1] : null;

    /// <summary>When the last message was logged, since boot; null if none says.</summary>
    internal TimeSpan? LastTime { get; private set; }

    /// <summary>Reads a log. What processes wrote into it is no word of the kernel.</summary>
    internal static CrashLog Read(KernelLog log)
    {
        var read = new CrashLog();
        foreach (LogRecord record in log.Read())
        {
            TimeSpan? time = record.Timestamp is { } at and < long.MaxValue ? TimeSpan.FromTicks((long)(at / 100)) : null;
            read.LastTime = time ?? read.LastTime;
            if (record.Facility is > 0)
                continue;
            foreach (string line in Encoding.Latin1.GetString(record.Text.Span).Split('\n'))
                read.Add(time, record.Timestamp is null ? WithoutTime(line) : line);
        }

        read.LacksMessages = log.Lost > 0 || log.IsDamaged;
        return read;
    }

    /// <summary>Takes the next line.</summary>
    /// <param name="time">When it was logged.</param>
    /// <param name="text">The line, without its time.</param>
    internal void Add(TimeSpan? time, string text)
    {
        string line = Clean(text);
        _number++;
        if (Panic is not null)
            Panic.Add(line);
        else if (line.StartsWith(CrashWords.PanicStart, StringComparison.Ordinal))
            Panic = new(CrashWords.OfPanic(line).Kind, line, _number, time);
        else if (CrashWords.OfLine(line) is { } kind && !BelongsToOpen(kind, line))
            Open(new(kind, line, _number, time) { HasDied = CrashWords.IsDeath(line) });
        else
            _open?.Add(line);
    }

    /// <summary>What led to the panic or, without one, to the death that the log ends with; null if the log has nothing of that.</summary>
    internal CrashEpisode? Cause()
    {
        if (Panic is null)
            return _episodes.FindLast(static e => e.IsDeath);
        PanicWords words = CrashWords.OfPanic(Panic.Line);
        int last = _episodes.FindLastIndex(words.Fits);
        if (last < 0 || (words.Kind is CrashKind.InitKilled && _episodes[last].Pid != Panic.Pid))
            return null;

        // The kernel goes on to look for others before it panics: the first that it found in this round.
        if (words.Kind is CrashKind.HungTask)
        {
            while (last > 0 && _episodes[last - 1].Kind is CrashKind.HungTask && IsOneRound(_episodes[last - 1], _episodes[last]))
                last--;
        }

        return _episodes[last];
    }

    private static bool IsOneRound(CrashEpisode first, CrashEpisode second) =>
        first.Time is { } earlier && second.Time is { } later && later - earlier < TimeSpan.FromSeconds(1);

    private void Open(CrashEpisode episode)
    {
        if (_episodes.Count == EpisodesKept)
            _episodes.RemoveAt(0);
        _episodes.Add(episode);
        _open = episode;
    }

    // A list that is found broken is reported before the BUG or WARNING, and those before the line that counts the oops.
    private bool BelongsToOpen(CrashKind kind, string line)
    {
        if (_open is not { HasDied: false } open || _number - open.Number > LinesToDeath)
            return false;
        if (open.Kind is CrashKind.ListCorruption && open.Source is null && kind is CrashKind.KernelBug or CrashKind.Warning)
        {
            open.Source = new CrashEpisode(kind, line, _number, null).Source ?? "";
            return true;
        }

        bool isDeath = CrashWords.IsDeath(line) && (CrashWords.IsDeadly(open.Kind) || open.Kind is CrashKind.ListCorruption or CrashKind.Ubsan);
        open.HasDied |= isDeath;
        return isDeath || (kind == open.Kind && kind is CrashKind.StackOverflow);
    }

    private static string Clean(string text)
    {
        ReadOnlySpan<char> span = text.AsSpan(0, Math.Min(text.Length, LineCharacters)).TrimEnd();
        return string.Create(span.Length, span, static (to, from) =>
        {
            for (int i = 0; i < to.Length; i++)
                to[i] = from[i] is (>= ' ' and < (char)0x7f) or '\t' ? from[i] : '?';
        });
    }

    // A log of plain text has level and time in its lines: "<4>[    1.234567] text".
    private static string WithoutTime(string line)
    {
        ReadOnlySpan<char> text = line;
        if (text is ['<', _, '>', ..])
            text = text[3..];
        return text.StartsWith("[") && text.IndexOf("] ") is > 0 and var end && !text[1..end].ContainsAnyExcept(" .0123456789") ? text[(end + 2)..].ToString()
            : text.ToString();
    }
}
