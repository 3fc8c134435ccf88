namespace Vmcore.Cli.Reader;

/// <summary>Which stacks <c>vmcore bt</c> is asked for.</summary>
internal sealed class BtRequest
{
    /// <summary>Tasks by number, address or name.</summary>
    internal string[] Words { get; init; } = [];

    /// <summary>All tasks.</summary>
    internal bool All { get; init; }

    /// <summary>The task of each CPU.</summary>
    internal bool Cpus { get; init; }

    /// <summary>The task of one CPU.</summary>
    internal int? Cpu { get; init; }

    /// <summary>Letters of the states that tasks are chosen by; null for none.</summary>
    internal string? States { get; init; }

    /// <summary>Equal stacks once.</summary>
    internal bool Group { get; init; }

    /// <summary>True if every task is asked for, or every one in some states.</summary>
    internal bool IsOfAll => All || States is not null || (Group && Words.Length == 0);

    /// <summary>Refuses what does not go together.</summary>
    /// <exception cref="VmcoreException">The options contradict each other.</exception>
    internal void Check()
    {
        int asked = (All ? 1 : 0) + (Cpus ? 1 : 0) + (Cpu is null ? 0 : 1) + (Words.Length > 0 ? 1 : 0) + (States is null ? 0 : 1);
        if (asked > 1)
            throw new VmcoreException("bt: --all, --cpus, --cpu, --state and tasks that are named are five questions: ask one at a time");
        if (Group && (Cpus || Cpu is not null))
            throw new VmcoreException("bt: --group is of tasks, not of CPUs");
    }
}
