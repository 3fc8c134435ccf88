using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>Walks the kernel's lists. Memory may be damaged: a list may lead back into itself, to nowhere, or out of the dump.</summary>
internal static class ListWalk
{
    /// <summary>Follows the <c>next</c> pointers of a <c>struct list_head</c>.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="head">Address of the head, which is no entry.</param>
    /// <param name="limit">Most entries.</param>
    /// <param name="problem">One clause on what ended the walk early; null if it came back to the head.</param>
    /// <returns>Addresses of the entries' <c>struct list_head</c>.</returns>
    internal static List<ulong> Run(IVirtualMemory memory, ulong head, int limit, out string? problem)
    {
        List<ulong> entries = [];
        HashSet<ulong> seen = [head];
        problem = null;
        for (ulong at = head; ;)
        {
            if (!memory.TryReadUInt64(at, out ulong next))
            {
                problem = $"the list at 0x{head:x} breaks off at 0x{at:x}, which cannot be read";
                break;
            }

            if (next == head)
                break;
            if (!seen.Add(next))
            {
                problem = $"the list at 0x{head:x} leads back into itself at 0x{next:x}";
                break;
            }

            if (entries.Count == limit)
            {
                problem = $"the list at 0x{head:x} has more than {limit} entries";
                break;
            }

            entries.Add(next);
            at = next;
        }

        return entries;
    }
}
