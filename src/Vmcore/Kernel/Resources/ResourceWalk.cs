using Vmcore.Memory;

namespace Vmcore.Kernel.Resources;

/// <summary>One walk over the resource tree. It trusts no pointer: each node must name its parent, lie inside it and behind its elder sibling.</summary>
internal sealed class ResourceWalk(IVirtualMemory memory, ResourceLayout layout)
{
    private readonly HashSet<ulong> _seen = [];

    /// <summary>The first thing that cut the tree short; null if nothing did.</summary>
    public string? Problem { get; private set; }

    /// <summary>Walks the tree below a root; null if the root itself is none.</summary>
    public KernelResource? Run(ulong rootAddress)
    {
        if (!layout.TryRead(memory, rootAddress, out RawResource raw))
        {
            Problem = $"iomem_resource at 0x{rootAddress:x} cannot be read";
            return null;
        }

        if (raw.Start != 0 || raw.Last == 0 || raw.Parent != 0 || raw.Sibling != 0)
        {
            Problem = $"iomem_resource at 0x{rootAddress:x} is no root: "
                + $"start 0x{raw.Start:x}, end 0x{raw.Last:x}, parent 0x{raw.Parent:x}, sibling 0x{raw.Sibling:x}";
            return null;
        }

        _seen.Add(rootAddress);
        KernelResource root = Node(null, raw);
        var pending = new Stack<(KernelResource Parent, ulong ParentAddress, ulong Next)>();
        pending.Push((root, rootAddress, raw.Child));
        while (pending.TryPop(out var at))
        {
            if (at.Next == 0 || !TryTake(at.Parent, at.ParentAddress, at.Next, out raw))
                continue;
            KernelResource node = Node(at.Parent, raw);
            at.Parent.Add(node);
            pending.Push((at.Parent, at.ParentAddress, raw.Sibling));
            if (raw.Child == 0)
                continue;
            if (node.Depth >= memory.Limits.ResourceDepth)
                Report($"deeper than {memory.Limits.ResourceDepth} levels", at.Next);
            else
                pending.Push((node, at.Next, raw.Child));
        }

        return root;
    }

    private bool TryTake(KernelResource parent, ulong parentAddress, ulong address, out RawResource raw)
    {
        raw = default;
        if (_seen.Count > memory.Limits.Resources)
            return Report($"more than {memory.Limits.Resources} nodes", address);
        if (!_seen.Add(address))
            return Report("a cycle", address);
        if (!layout.TryRead(memory, address, out raw))
            return Report("cannot be read", address);
        if (raw.Parent != parentAddress)
            return Report($"has the parent 0x{raw.Parent:x}, expected 0x{parentAddress:x}", address);
        if (raw.Last < raw.Start || raw.Start < parent.Start || HalfOpen(raw.Last) > parent.End)
            return Report($"0x{raw.Start:x} to 0x{raw.Last:x} does not lie in its parent {parent.Range}", address);
        if (parent.Children is [.., var elder] && raw.Start < elder.End)
            return Report($"0x{raw.Start:x} to 0x{raw.Last:x} is not behind its sibling {elder.Range}", address);
        return true;
    }

    private bool Report(string what, ulong address)
    {
        Problem ??= $"resource at 0x{address:x}: {what}";
        return false;
    }

    private KernelResource Node(KernelResource? parent, RawResource raw)
    {
        // The names of resources of unloaded modules may dangle.
        if (raw.Name == 0 || !memory.TryReadCString(raw.Name, memory.Limits.NameBytes, out string name))
            name = "";
        return new(parent, raw.Start, HalfOpen(raw.Last), name, raw.Flags, raw.Descriptor);
    }

    private static ulong HalfOpen(ulong last) => last == ulong.MaxValue ? last : last + 1;
}
