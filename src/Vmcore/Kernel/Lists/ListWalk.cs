using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Walks the kernel's lists. Memory may be damaged: a list may lead back into itself, to nowhere, or out of the dump.</summary>
/// <remarks>An entry is given before its own link is read, so that the last one before the damage is not lost.</remarks>
internal static class ListWalk
{
    /// <summary>Follows the links of a circular list (<c>struct list_head</c>) until it comes back to its head.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the head, which is no entry.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="outcome">Receives why it ended.</param>
    /// <param name="link">Offset in bytes of the pointer to the next node: 0 for <c>next</c>, 8 for <c>prev</c>.</param>
    /// <returns>Addresses of the entries' <c>struct list_head</c>.</returns>
    internal static IEnumerable<ulong> Circular(IVirtualMemory memory, ulong head, int limit, WalkOutcome outcome, ulong link = 0) =>
        Run(memory, head, link, [], head, limit, outcome);

    /// <summary>
    /// The entries of a circular list, of one that breaks off those too that its backward links lead to from the head: one page that is not there
    /// costs what was on it, not all behind it. Where the list is broken twice, what lies between is lost.
    /// </summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the head, which is no entry.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="outcome">Receives why the walk forwards ended.</param>
    /// <returns>Addresses of the entries' <c>struct list_head</c>, in the list's order.</returns>
    internal static List<ulong> CircularBothWays(IVirtualMemory memory, ulong head, int limit, WalkOutcome outcome)
    {
        const ulong Previous = 8;
        List<ulong> entries = [.. Circular(memory, head, limit, outcome)];
        if (outcome.End is WalkEnd.Complete or WalkEnd.Limit)
            return entries;
        HashSet<ulong> seen = [.. entries];
        List<ulong> rest = [.. Circular(memory, head, limit, new(), Previous).TakeWhile(seen.Add)];
        rest.Reverse();
        entries.AddRange(rest);
        return entries;
    }

    /// <summary>Follows pointers until NULL: an <c>hlist</c>, or structures of which each points to the next.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the pointer to the first node: of an <c>hlist_head</c>, or of a member.</param>
    /// <param name="link">Offset in bytes, in each node, of the pointer to the next.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="outcome">Receives why it ended.</param>
    /// <returns>Addresses of the nodes.</returns>
    internal static IEnumerable<ulong> Singly(IVirtualMemory memory, ulong head, ulong link, int limit, WalkOutcome outcome) =>
        Run(memory, unchecked(head - link), link, [], 0, limit, outcome);

    /// <summary>Follows pointers from a node, itself the first entry, until NULL or until they come back to it.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="first">Address of the first node.</param>
    /// <param name="link">Offset in bytes, in each node, of the pointer to the next.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="outcome">Receives why it ended.</param>
    /// <returns>Addresses of the nodes.</returns>
    internal static IEnumerable<ulong> Chain(IVirtualMemory memory, ulong first, ulong link, int limit, WalkOutcome outcome) =>
        Run(memory, first, link, [first], first, limit, outcome);

    private static IEnumerable<ulong> Run(
        IVirtualMemory memory, ulong start, ulong link, HashSet<ulong> given, ulong end, int limit, WalkOutcome outcome)
    {
        outcome.Start();
        bool isChain = given.Count > 0, mayBeNull = isChain || end == 0;
        HashSet<ulong> seen = [.. given];
        if (isChain)
        {
            outcome.Add();
            yield return start;
        }

        for (ulong at = start; ;)
        {
            if (!memory.TryReadUInt64(unchecked(at + link), out ulong next))
            {
                outcome.Fail(WalkEnd.Unreadable, at);
                break;
            }

            if (next == end || (next == 0 && mayBeNull))
                break;
            WalkEnd fault = next == 0 ? WalkEnd.Null : seen.Contains(next) ? WalkEnd.Cycle : seen.Count >= limit ? WalkEnd.Limit : WalkEnd.Complete;
            if (fault != WalkEnd.Complete)
            {
                outcome.Fail(fault, next == 0 ? at : next);
                break;
            }

            seen.Add(next);
            outcome.Add();
            yield return next;
            at = next;
        }

        outcome.Finish();
    }
}
