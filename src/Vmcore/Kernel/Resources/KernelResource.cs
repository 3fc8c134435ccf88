using Vmcore.Ranges;

namespace Vmcore.Kernel.Resources;

/// <summary>One node of the crashed kernel's resource tree: a line of its /proc/iomem.</summary>
public sealed class KernelResource
{
    // include/linux/ioport.h, fixed since these exist.
    private const ulong SystemRamFlags = 0x01000200;
    private const uint PersistentMemory = 4;
    private const uint PersistentMemoryLegacy = 5;

    private readonly List<KernelResource> _children = [];

    internal KernelResource(KernelResource? parent, ulong start, ulong end, string name, ulong flags, uint descriptor)
    {
        Parent = parent;
        Depth = parent is null ? 0 : parent.Depth + 1;
        Start = start;
        End = end;
        Name = name;
        Flags = flags;
        Descriptor = descriptor;
    }

    /// <summary>The node around this one; null for the root.</summary>
    public KernelResource? Parent { get; }

    /// <summary>Number of nodes around this one: 0 for the root, 1 for the outermost lines of /proc/iomem.</summary>
    public int Depth { get; }

    /// <summary>First physical address.</summary>
    public ulong Start { get; }

    /// <summary>One past the last physical address; 2^64 − 1 also stands for a range that reaches the end of the address space.</summary>
    public ulong End { get; }

    /// <summary>The addresses: [<see cref="Start"/>, <see cref="End"/>).</summary>
    public PhysicalRange Range => new(Start, End);

    /// <summary>Name, for example <c>System RAM</c>; empty if it is not in the dump. Bytes that are no printable ASCII are <c>?</c>.</summary>
    public string Name { get; }

    /// <summary>The kernel's IORESOURCE_* flags.</summary>
    public ulong Flags { get; }

    /// <summary>The kernel's IORES_DESC_* number.</summary>
    public uint Descriptor { get; }

    /// <summary>The nodes directly inside, in ascending order.</summary>
    public IReadOnlyList<KernelResource> Children => _children;

    /// <summary>True for a range of persistent memory and for what is made of it: the
    /// kernel hands the number on to namespaces, devices and kmem below.</summary>
    public bool IsPersistentMemory => Descriptor is PersistentMemory or PersistentMemoryLegacy;

    /// <summary>True for memory that the kernel uses as RAM, be it DRAM or persistent memory given to it
    /// (<c>System RAM (kmem)</c>), and for what lies in it: kernel code, crash kernel.</summary>
    public bool IsSystemRam => (Flags & SystemRamFlags) == SystemRamFlags;

    internal void Add(KernelResource child) => _children.Add(child);

    /// <summary>This node and all below it, depth first: the order of /proc/iomem.</summary>
    public IEnumerable<KernelResource> SelfAndDescendants()
    {
        var pending = new Stack<KernelResource>();
        pending.Push(this);
        while (pending.TryPop(out KernelResource? node))
        {
            yield return node;
            for (int i = node._children.Count - 1; i >= 0; i--)
                pending.Push(node._children[i]);
        }
    }

    /// <summary>The node as <c>[0x… - 0x…) name</c>.</summary>
    public override string ToString() => $"{Range} {Name}";
}
