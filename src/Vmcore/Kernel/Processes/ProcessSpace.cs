using Vmcore.Architectures;
using Vmcore.Kernel.Tasks;
using Vmcore.Memory;

namespace Vmcore.Kernel.Processes;

/// <summary>The address space of a process.</summary>
public static class ProcessSpace
{
    /// <summary>Finds its page tables.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="task">The process, or a thread of it.</param>
    /// <exception cref="VmcoreException">It has no memory of its own, or its page tables cannot be found.</exception>
    public static KernelAddressSpace Of(KernelView kernel, KernelTask task)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(task);
        if (task.IsKernelThread || task.VirtualSize is null)
            throw new VmcoreException($"{kernel.Name}: task {task.Pid} ({task.Name}) has no memory of its own");
        ulong root = task.Object.Member("mm").Member("pgd").AsUInt64();
        Translation at = kernel.RequireMemory().Translate(root);
        return at.Status == MemoryStatus.Ok ? kernel.RequireMemory().ForProcess(at.PhysicalAddress)
            : throw new VmcoreException($"{kernel.Name}: the page tables of task {task.Pid} at 0x{root:x} cannot be found: {MemoryStatusText.Of(at.Status)}");
    }
}
