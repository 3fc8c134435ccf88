using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>
/// The kernel's lists and trees as typed objects. Memory may be damaged: each walk ends at what cannot be read, where it leads back into itself, and at a
/// limit. Whoever passes a <see cref="WalkOutcome"/> is told; whoever passes none gets an exception behind the last good entry.
/// </summary>
public static class KernelLists
{
    /// <summary>Most entries of one walk where the caller gives no limit.</summary>
    public const int DefaultLimit = 1 << 20;

    /// <summary>The structures in a list or tree.</summary>
    /// <param name="head">
    /// A <c>struct list_head</c>, <c>hlist_head</c>, <c>llist_head</c>, <c>rb_root</c> or <c>rb_root_cached</c>, or a pointer to one. A list's own head is
    /// no entry.
    /// </param>
    /// <param name="type">The structure that the list is of.</param>
    /// <param name="member">Its member that links it into the list; members of members with dots.</param>
    /// <param name="outcome">Receives why the walk ended; null to have an exception thrown if it is not complete.</param>
    /// <param name="limit">Most entries.</param>
    /// <returns>The structures: of a list in its order, of a tree from left to right.</returns>
    /// <exception cref="KernelObjectException">It is none of these, there is no such member, or the member is no link of such a list; or, without an
    /// outcome, the list is damaged.</exception>
    /// <example><code>foreach (KernelObject block in superBlocks.ListOf(types.Find("struct super_block")!, "s_list"))</code></example>
    public static IEnumerable<KernelObject> ListOf(
        this KernelObject head, KernelType type, string member, WalkOutcome? outcome = null, int limit = DefaultLimit)
    {
        ArgumentNullException.ThrowIfNull(head);
        ArgumentNullException.ThrowIfNull(type);
        KernelObject item = Target(head);
        ulong offset = (ulong)type.OffsetOf(member), address = AddressOf(item);
        CheckLink(item.Type.Underlying().Name, type, member);
        WalkOutcome walk = outcome ?? new();
        IEnumerable<ulong> nodes = item.Type.Underlying().Name switch
        {
            "list_head" => ListWalk.Circular(item.Memory, address, limit, walk),
            "hlist_head" or "llist_head" => ListWalk.Singly(item.Memory, address, 0, limit, walk),
            "rb_root_cached" => Tree(item.Member("rb_root"), limit, walk),
            "rb_root" => Tree(item, limit, walk),
            _ => throw new KernelObjectException($"'{item.Type}' is no head of a list or tree"),
        };
        return Objects(nodes, item.Memory, type, offset, address, limit, walk, mustBeComplete: outcome is null);
    }

    /// <summary>Structures of which each points to the next, this one first.</summary>
    /// <param name="first">The first structure, or a pointer to it; NULL gives none.</param>
    /// <param name="member">The member that points to the next. The chain ends in NULL, or where it comes back to the first.</param>
    /// <param name="outcome">Receives why the walk ended; null to have an exception thrown if it is not complete.</param>
    /// <param name="limit">Most entries.</param>
    /// <exception cref="KernelObjectException">The member is no pointer; or, without an outcome, the chain is damaged.</exception>
    public static IEnumerable<KernelObject> ChainOf(this KernelObject first, string member, WalkOutcome? outcome = null, int limit = DefaultLimit)
    {
        ArgumentNullException.ThrowIfNull(first);
        WalkOutcome walk = outcome ?? new();
        KernelObject item = Target(first);
        if (item.Type.FindPath(member) is not { Type: var next } || next.Underlying().Kind != KernelTypeKind.Pointer)
            throw new KernelObjectException($"'{item.Type}' has no pointer '{member}'");
        ulong address = AddressOf(item), link = (ulong)item.Type.OffsetOf(member);
        if (address == 0)
        {
            walk.Start();
            walk.Finish();
            return [];
        }

        return Objects(ListWalk.Chain(item.Memory, address, link, limit, walk), item.Memory, item.Type, 0, address, limit, walk, outcome is null);
    }

    /// <summary>The structures that a maple tree or an XArray points to, by ascending index; numbers and tagged pointers are passed over.</summary>
    /// <param name="tree">A <c>struct maple_tree</c> (6.1 and later) or <c>struct xarray</c>, or a pointer to one.</param>
    /// <param name="types">The kernel's types, which say how nodes look.</param>
    /// <param name="type">The structure that is pointed to.</param>
    /// <param name="outcome">Receives which branches are missing; null to have an exception thrown if any is.</param>
    /// <param name="limit">Most entries.</param>
    /// <exception cref="KernelObjectException">It is neither; or, without an outcome, the tree is damaged.</exception>
    /// <exception cref="MissingInformationException">The types lack the nodes.</exception>
    /// <example><code>foreach (KernelObject area in task.Object["mm"]["mm_mt"].EntriesOf(types, types.Find("struct vm_area_struct")!))</code></example>
    public static IEnumerable<KernelObject> EntriesOf(
        this KernelObject tree, KernelTypes types, KernelType type, WalkOutcome? outcome = null, int limit = DefaultLimit)
    {
        ArgumentNullException.ThrowIfNull(tree);
        ArgumentNullException.ThrowIfNull(types);
        ArgumentNullException.ThrowIfNull(type);
        WalkOutcome walk = outcome ?? new();
        KernelObject item = Target(tree);
        var members = new StructMembers(types);
        ulong address = AddressOf(item);
        IEnumerable<ulong> pointers = item.Type.Underlying().Name switch
        {
            "maple_tree" => MapleWalk.Run(item.Memory, address + (ulong)item.Type.OffsetOf("ma_root"), new(members), walk),
            "xarray" => Pointers(item.Memory, XArrayWalk.Run(item.Memory, address,
                XArrayLayout.From(members) ?? throw new MissingInformationException("the kernel's types have no xa_node.slots"), walk)),
            _ => throw new KernelObjectException($"'{item.Type}' is neither a maple tree nor an XArray"),
        };
        return Objects(Within(pointers, address, limit, walk), item.Memory, type, 0, address, limit, walk, outcome is null);
    }

    // By a member that is no link of such a list each structure would be looked for at a wrong place, and something be found there.
    private static void CheckLink(string head, KernelType type, string member)
    {
        string? link = head switch
        {
            "list_head" => "list_head",
            "hlist_head" => "hlist_node",
            "llist_head" => "llist_node",
            "rb_root" or "rb_root_cached" => "rb_node",
            _ => null,
        };
        KernelType? own = type.FindPath(member)?.Type, plain = own?.Underlying();
        if (plain is { Kind: KernelTypeKind.Array })
            plain = plain.Target.Underlying();
        if (link is not null && plain is not null && plain.Name != link)
            throw new KernelObjectException($"'{member}' of '{type}' is a '{own}', and links it into no such list: that takes a 'struct {link}'");
    }

    private static KernelObject Target(KernelObject item) => item.Type.Underlying().Kind == KernelTypeKind.Pointer ? item.Dereference() : item;

    private static ulong AddressOf(KernelObject item) => item.Address ?? throw new KernelObjectException("a computed value is no list");

    private static IEnumerable<ulong> Tree(KernelObject root, int limit, WalkOutcome walk)
    {
        KernelType node = root.Type.FindMember("rb_node")?.Type.Underlying().Target ?? KernelType.Void;
        return RedBlackWalk.Run(root.Memory, AddressOf(root), new((int)node.OffsetOf("rb_left"), (int)node.OffsetOf("rb_right")), limit, walk);
    }

    // A number has the lowest bit set; a pointer that its user has tagged cannot be told from one.
    private static IEnumerable<ulong> Pointers(IVirtualMemory memory, IEnumerable<XArrayEntry> entries)
    {
        foreach (XArrayEntry entry in entries)
        {
            if (memory.IsKernelAddress(entry.Entry) && (entry.Entry & 3) == 0)
                yield return entry.Entry;
        }
    }

    private static IEnumerable<ulong> Within(IEnumerable<ulong> pointers, ulong tree, int limit, WalkOutcome walk)
    {
        int count = 0;
        foreach (ulong pointer in pointers)
        {
            if (count++ == limit)
            {
                walk.Fail(WalkEnd.Limit, tree);
                walk.Finish();
                yield break;
            }

            yield return pointer;
        }
    }

    private static IEnumerable<KernelObject> Objects(
        IEnumerable<ulong> nodes, IVirtualMemory memory, KernelType type, ulong offset, ulong head, int limit, WalkOutcome walk, bool mustBeComplete)
    {
        foreach (ulong node in nodes)
            yield return KernelObject.At(memory, type, unchecked(node - offset));
        if (mustBeComplete && WalkText.OfAny(walk, head, limit) is { } problem)
            throw new KernelObjectException(problem);
    }
}
