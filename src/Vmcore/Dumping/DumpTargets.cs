using Vmcore.IO;

namespace Vmcore.Dumping;

/// <summary>
/// The file of a dump, or the files of a split one, and what «full» means: one that refuses for lack of room is left alone from then on, and the others go
/// on.
/// </summary>
internal sealed class DumpTargets
{
    private readonly DumpTarget[] _targets;

    /// <summary>Creates the targets.</summary>
    /// <param name="sinks">The files.</param>
    /// <param name="sizeLimit">Most bytes of each; null for no limit.</param>
    internal DumpTargets(IReadOnlyList<IByteSink> sinks, long? sizeLimit) => _targets = [.. sinks.Select(s => new DumpTarget(new(s, sizeLimit)))];

    /// <summary>Number of files.</summary>
    internal int Count => _targets.Length;

    /// <summary>How the dump ends as far as room is concerned: complete, or why the file that refused last did so.</summary>
    internal DumpEnd End { get; private set; }

    /// <summary>True if no file takes anything more.</summary>
    internal bool AreFull => Array.TrueForAll(_targets, static t => t.IsFull);

    /// <summary>One file.</summary>
    internal DumpTarget this[int index] => _targets[index];

    /// <summary>True if no file takes anything more, from one on.</summary>
    internal bool AreFullFrom(int index) => Array.TrueForAll(_targets[index..], static t => t.IsFull);

    /// <summary>Does something with each file that is not full.</summary>
    internal void ForEach(Action<DumpTarget, int> action)
    {
        for (int i = 0; i < _targets.Length; i++)
        {
            int index = i;
            Try(index, target => action(target, index));
        }
    }

    /// <summary>Does something with a file unless it is full.</summary>
    internal void Try(int index, Action<DumpTarget> action)
    {
        DumpTarget target = _targets[index];
        if (target.IsFull)
            return;
        try
        {
            action(target);
        }
        catch (FileAccessException e) when (e.IsNoSpace)
        {
            target.IsFull = true;
            End = LimitedSink.Reason(e);
        }
    }
}

/// <summary>One file that is written.</summary>
internal sealed class DumpTarget(LimitedSink sink)
{
    /// <summary>The file.</summary>
    internal LimitedSink Sink { get; } = sink;

    /// <summary>True once it refused for lack of room.</summary>
    internal bool IsFull { get; set; }
}
