using System.Globalization;
using System.Text;
using Vmcore.Findings;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Resources;

/// <summary>
/// The crashed kernel's resource tree, read out of the dump: what its /proc/iomem showed, with persistent memory,
/// namespaces, dax devices and the crash kernel by name. Immutable once loaded.
/// </summary>
public sealed class ResourceTree
{
    // /proc/iomem indents no further, and has this many hex digits at least.
    private const int DeepestIndent = 5;
    private const int MinDigits = 8;

    /// <summary>The symbol of the root.</summary>
    internal const string RootSymbol = "iomem_resource";

    private ResourceTree(KernelResource root, Finding? problem)
    {
        Root = root;
        Problem = problem;
    }

    /// <summary>The root, the whole physical address space; /proc/iomem does not show it.</summary>
    public KernelResource Root { get; }

    /// <summary>False if damage cut the tree short: what is there is right, but there was more.</summary>
    public bool IsComplete => Problem is null;

    /// <summary>What cut the tree short; null if nothing did.</summary>
    public Finding? Problem { get; }

    /// <summary>Reads the tree.</summary>
    /// <param name="symbols">The kernel's symbols; the one needed is data, so the kernel must be built with CONFIG_KALLSYMS_ALL.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="types">The kernel's types; null to take the layout of struct resource that all 64-bit kernels share.</param>
    /// <param name="problem">One clause for the operator: why there is no tree, or what cut it short; null if it is whole.</param>
    /// <returns>The tree, maybe cut short (<see cref="IsComplete"/>); null if nothing of it can be read.</returns>
    internal static ResourceTree? TryLoad(KernelSymbols symbols, IVirtualMemory memory, KernelTypes? types, out string? problem)
    {
        if (symbols.TryFindInImage(RootSymbol) is { } address)
            return TryLoad(address, memory, types, out problem);
        problem = symbols.Lacks(RootSymbol);
        return null;
    }

    /// <summary>Reads the tree below a root whose address is known.</summary>
    /// <param name="address">Virtual address of <c>iomem_resource</c>.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="types">The kernel's types; null to take the layout of struct resource that all 64-bit kernels share.</param>
    /// <param name="problem">One clause for the operator: why there is no tree, or what cut it short; null if it is whole.</param>
    /// <returns>The tree, maybe cut short (<see cref="IsComplete"/>); null if nothing of it can be read.</returns>
    internal static ResourceTree? TryLoad(ulong address, IVirtualMemory memory, KernelTypes? types, out string? problem)
    {
        var walk = new ResourceWalk(memory, ResourceLayout.From(types));
        KernelResource? root = walk.Run(address);
        problem = walk.Problem;

        // A tree without a single line means that the layout is not what was taken for it.
        if (root is null || (root.Children.Count == 0 && problem is not null))
            return null;
        return new(root, problem is null ? null : new(FindingCode.ResourcesCutShort, problem));
    }

    /// <summary>All nodes but the root, depth first: the lines of /proc/iomem in their order.</summary>
    public IEnumerable<KernelResource> All() => Root.SelfAndDescendants().Skip(1);

    /// <summary>The ranges of persistent memory in ascending order: the outermost nodes that are such. What is made of them is below each.</summary>
    public IEnumerable<KernelResource> PersistentMemory() => All().Where(node => node is { IsPersistentMemory: true, Parent.IsPersistentMemory: false });

    /// <summary>The tree as /proc/iomem shows it to root: last addresses inclusive, two blanks a level.</summary>
    public string ToIomem()
    {
        var text = new StringBuilder();
        foreach (KernelResource node in All())
        {
            ulong last = node.End == ulong.MaxValue ? node.End : node.End - 1;
            text.Append(' ', 2 * Math.Min(node.Depth - 1, DeepestIndent));
            text.Append(CultureInfo.InvariantCulture, $"{Hex(node.Start)}-{Hex(last)} : {node.Name}\n");
        }

        return text.ToString();
    }

    private static string Hex(ulong address) => address.ToString("x", CultureInfo.InvariantCulture).PadLeft(MinDigits, '0');
}
