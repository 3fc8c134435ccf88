using Vmcore.IO;
using Vmcore.Ranges;

namespace Vmcore.Memory;

/// <summary>The kernel's memory without what it gave back after its start: whoever goes by the name of what was there must not get what is there now.</summary>
/// <param name="inner">The memory.</param>
/// <param name="freed">What was given back, virtual addresses.</param>
internal sealed class WithoutRange(IVirtualMemory inner, VirtualRange freed) : IVirtualMemory
{
    /// <inheritdoc/>
    public ReadLimits Limits => inner.Limits;

    /// <inheritdoc/>
    public ByteOrder ByteOrder => inner.ByteOrder;

    /// <inheritdoc/>
    public bool IsKernelAddress(ulong address) => inner.IsKernelAddress(address);

    /// <inheritdoc/>
    public MemoryStatus Read(ulong address, Span<byte> buffer) =>
        !buffer.IsEmpty && address < freed.End && address + (ulong)(buffer.Length - 1) >= freed.Start ? MemoryStatus.Freed : inner.Read(address, buffer);
}
