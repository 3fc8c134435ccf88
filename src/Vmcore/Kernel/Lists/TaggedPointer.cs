using Vmcore.Memory;

namespace Vmcore.Kernel.Lists;

/// <summary>
/// What stands in a slot of an XArray or of a maple tree (include/linux/xarray.h): the two lowest bits tell a pointer, a number and a node apart.
/// </summary>
internal static class TaggedPointer
{
    /// <summary>
    /// True for a node of the tree: tagged 2, and no small number, which is a sibling of an entry that spans several slots, or marks an empty one.
    /// </summary>
    internal static bool IsNode(IVirtualMemory memory, ulong entry) => (entry & 3) == 2 && memory.IsKernelAddress(entry);
}
