using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader;

/// <summary>
/// Virtual memory in which one object lies at its physical address, so that its bytes come from there and what its pointers point to from where they say.
/// No pointer of the kernel is that low: its half of the addresses begins above all physical memory.
/// </summary>
/// <param name="physical">Physical memory.</param>
/// <param name="kernel">The kernel's virtual memory.</param>
/// <param name="start">Physical address of the object's first byte.</param>
/// <param name="length">Its size in bytes.</param>
internal sealed class PhysicalObjectMemory(IPhysicalMemory physical, IVirtualMemory kernel, ulong start, ulong length) : IVirtualMemory
{
    /// <inheritdoc/>
    public ReadLimits Limits => kernel.Limits;

    /// <inheritdoc/>
    public ByteOrder ByteOrder => kernel.ByteOrder;

    /// <inheritdoc/>
    public bool IsKernelAddress(ulong address) => kernel.IsKernelAddress(address);

    /// <inheritdoc/>
    public MemoryStatus Read(ulong address, Span<byte> buffer) =>
        address >= start && (ulong)buffer.Length <= length && address - start <= length - (ulong)buffer.Length
            ? physical.Read(address, buffer)
            : kernel.Read(address, buffer);
}
