namespace Vmcore.Kernel.Lists;

/// <summary>Why a walk over a list or tree of the kernel ended, or what a part of a tree is missing for.</summary>
public enum WalkEnd
{
    /// <summary>Everything was visited: a circular list came back to its head, any other ended in NULL.</summary>
    Complete,

    /// <summary>The walk was given up by the caller, or has not ended yet.</summary>
    Unfinished,

    /// <summary>A link or a node cannot be read: the page is not in the dump, or the pointer leads nowhere.</summary>
    Unreadable,

    /// <summary>A circular list ends in NULL instead of coming back to its head.</summary>
    Null,

    /// <summary>It leads back into itself, but not to its head.</summary>
    Cycle,

    /// <summary>There is more than the caller's limit.</summary>
    Limit,

    /// <summary>A node can be read, but is none: its type, height or depth is impossible.</summary>
    Damaged,
}

/// <summary>A place at which a walk, or one branch of a tree, ended early.</summary>
/// <param name="Reason">Why; never <see cref="WalkEnd.Complete"/>.</param>
/// <param name="Address">Virtual address of the node: the one that cannot be read, that was met twice, or that is one too many.</param>
public sealed record WalkFault(WalkEnd Reason, ulong Address);

/// <summary>
/// What became of one walk. A list ends at its first fault; a tree loses the branch at a fault, and is walked on. The walk fills it in while its entries are
/// taken; before the first and after the last entry it is final.
/// </summary>
public sealed class WalkOutcome
{
    // A damaged tree could have a fault for each of a million nodes.
    private const int ToldFaults = 100;

    private readonly List<WalkFault> _faults = [];

    /// <summary>Why the walk ended: the first fault, if there was any.</summary>
    public WalkEnd End { get; private set; } = WalkEnd.Unfinished;

    /// <summary>Virtual address of the first fault; 0 if there was none.</summary>
    public ulong Address => _faults.Count > 0 ? _faults[0].Address : 0;

    /// <summary>Number of entries that were given.</summary>
    public long Count { get; private set; }

    /// <summary>True if nothing is missing.</summary>
    public bool IsComplete => End == WalkEnd.Complete;

    /// <summary>Where something is missing, in the order of the walk; at most 100.</summary>
    public IReadOnlyList<WalkFault> Faults => _faults;

    /// <summary>A walk starts; the outcome of an earlier one is forgotten.</summary>
    internal void Start()
    {
        _faults.Clear();
        Count = 0;
        End = WalkEnd.Unfinished;
    }

    /// <summary>One more entry is given.</summary>
    internal void Add() => Count++;

    /// <summary>Something is missing.</summary>
    internal void Fail(WalkEnd reason, ulong address)
    {
        if (_faults.Count < ToldFaults)
            _faults.Add(new(reason, address));
    }

    /// <summary>The walk is over.</summary>
    internal void Finish() => End = _faults.Count > 0 ? _faults[0].Reason : WalkEnd.Complete;
}
