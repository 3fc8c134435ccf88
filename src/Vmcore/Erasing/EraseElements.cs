using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;

namespace Vmcore.Erasing;

/// <summary>
/// What a loop goes over: the elements of an array, structures of which each points to the next, or those of a list. Lists may be cyclic, and lengths
/// absurd: then an error comes behind the last good element, since what is missing is not erased.
/// </summary>
/// <param name="places">Follows the expression that names the list.</param>
internal sealed class EraseElements(ErasePlaces places)
{
    /// <summary>The elements of a loop.</summary>
    /// <exception cref="EraseException">It is no list, or it is damaged.</exception>
    internal IEnumerable<KernelObject> Of(EraseLoop loop)
    {
        if (loop.WithinStruct is not null)
            return List(loop);
        return places.Resolve(loop.List).SelectMany(start => loop.Via is not null ? Chain(loop, start) : Array(loop, start));
    }

    private IEnumerable<KernelObject> Array(EraseLoop loop, KernelObject start)
    {
        KernelType element = start.Type.Underlying();
        if (element.Kind != KernelTypeKind.Array)
            throw new EraseException($"'{loop.List.Text}' is no array; a list needs via or within");
        if (element.KnownSize is null)
            throw new EraseException($"'{loop.List.Text}': the length of the array is not known");

        // C has arrays of arrays; a rule means the elements of them all. That there is an end to them, their size has shown.
        long count = 1;
        while (element.Underlying() is { Kind: KernelTypeKind.Array, Length: { } more } array)
        {
            count = count <= places.Memory.Limits.ErasedElements && more <= places.Memory.Limits.ErasedElements ? count * more : long.MaxValue;
            element = array.Target;
        }

        if (count > places.Memory.Limits.ErasedElements)
            throw new EraseException($"'{loop.List.Text}' has {count} elements, more than {places.Memory.Limits.ErasedElements}");
        long size = element.Size ?? 0;
        for (long i = 0; i < count; i++)
            yield return KernelObject.At(places.Memory, element, unchecked(start.Address!.Value + (ulong)(i * size)));
    }

    private IEnumerable<KernelObject> Chain(EraseLoop loop, KernelObject start)
    {
        if (places.FollowAll(start, loop.List.Text) is not { } node)
            yield break;
        KernelTypeMember next = node.Type.FindPath(loop.Via!) ?? throw new EraseException($"'{loop.List.Text}' has no member '{loop.Via}'");
        if (next.ByteOffset is not { } offset || next.Type.Underlying().Kind != KernelTypeKind.Pointer)
            throw new EraseException($"'{loop.Via}' is no pointer");
        var outcome = new WalkOutcome();
        foreach (ulong at in ListWalk.Chain(places.Memory, node.Address!.Value, (ulong)offset, places.Memory.Limits.ErasedElements, outcome))
            yield return KernelObject.At(places.Memory, node.Type, at);
        if (!outcome.IsComplete)
            throw new EraseException(outcome.End switch
            {
                WalkEnd.Unreadable => places.Unreadable(unchecked(outcome.Address + (ulong)offset), loop.List.Text),
                WalkEnd.Limit => $"the list '{loop.List.Text}' has more than {places.Memory.Limits.ErasedElements} elements",
                _ => $"the list '{loop.List.Text}' is damaged: after {outcome.Count} elements it runs in a circle that leaves out its start",
            });
    }

    private IEnumerable<KernelObject> List(EraseLoop loop)
    {
        string? edge = loop.List.Members is [.., "next" or "prev"] ? loop.List.Members[^1] : null;
        EraseExpression before = edge is null ? loop.List : loop.List with { Members = [.. loop.List.Members.SkipLast(1)] };
        foreach (KernelObject start in places.Resolve(before))
        {
            KernelObject? head = start;
            bool backwards = false;
            if (edge is not null)
            {
                // The member next or prev of a head stands for the head, and says which way to go.
                head = places.FollowAll(start, loop.List.Text);
                if (head is not null && head.Type.Underlying().Name == "list_head")
                    backwards = edge == "prev";
                else if (head is not null)
                    head = places.Member(head, edge, loop.List.Text);
            }

            if (head is null)
                continue;
            foreach (KernelObject element in List(loop, HeadOf(loop, head), backwards))
                yield return element;
        }
    }

    private IEnumerable<KernelObject> List(EraseLoop loop, ulong head, bool backwards)
    {
        if (places.Scope.Types.FindComposite(loop.WithinStruct!, loop.WithinMember!) is not { } type
            || type.FindPath(loop.WithinMember!) is not { ByteOffset: { } offset } link)
            throw new EraseException($"there is no struct {loop.WithinStruct} with a member '{loop.WithinMember}'{places.Because()}");
        bool isSingle = link.Type.Underlying().Name == "hlist_node";
        ulong step = backwards ? 8UL : 0;
        var outcome = new WalkOutcome();
        IEnumerable<ulong> nodes = isSingle ? ListWalk.Singly(places.Memory, unchecked(head + step), step, places.Memory.Limits.ErasedElements, outcome)
            : ListWalk.Circular(places.Memory, head, places.Memory.Limits.ErasedElements, outcome, step);
        foreach (ulong at in nodes)
            yield return KernelObject.At(places.Memory, type, unchecked(at - (ulong)offset));
        if (!outcome.IsComplete)
            throw new EraseException(outcome.End == WalkEnd.Unreadable ? places.Unreadable(unchecked(outcome.Address + step), loop.List.Text)
                : $"the list '{loop.List.Text}' is damaged: "
                + $"after {outcome.Count} elements it {(outcome.End == WalkEnd.Null ? "ends in NULL" : "does not come back to its head")}");
    }

    // The head itself, or a pointer to it.
    private ulong HeadOf(EraseLoop loop, KernelObject start)
    {
        KernelType type = start.Type.Underlying();
        ulong head = IsHead(type) ? start.Address!.Value
            : type.Kind == KernelTypeKind.Pointer && IsHead(type.Target.Underlying()) ? places.ReadPointer(start.Address!.Value, loop.List.Text) : 0;
        return head != 0 ? head : throw new EraseException($"'{loop.List.Text}' is no struct list_head");
    }

    private static bool IsHead(KernelType type) => type is { Kind: KernelTypeKind.Struct, Name: "list_head" or "hlist_head" };
}
