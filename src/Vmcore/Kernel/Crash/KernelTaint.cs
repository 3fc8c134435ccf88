using Vmcore.Memory;

namespace Vmcore.Kernel.Crash;

/// <summary>A taint of the kernel.</summary>
/// <param name="Letter">The letter that the kernel prints for it.</param>
/// <param name="Meaning">What it says, in words.</param>
public sealed record KernelTaint(char Letter, string Meaning)
{
    // Bit 0 and so on; source: Documentation/admin-guide/tainted-kernels.rst.
    private static readonly KernelTaint[] s_taints =
    [
        new('P', "a proprietary module was loaded"),
        new('F', "a module was loaded by force"),
        new('S', "the kernel ran out of its specification"),
        new('R', "a module was unloaded by force"),
        new('M', "a processor reported a machine check"),
        new('B', "a page was in a bad state"),
        new('U', "user space asked for it"),
        new('D', "the kernel has died before (oops or BUG)"),
        new('A', "an ACPI table was overridden"),
        new('W', "the kernel warned"),
        new('C', "a staging driver was loaded"),
        new('I', "a bug of the firmware is worked around"),
        new('O', "a module from outside of the kernel's tree was loaded"),
        new('E', "an unsigned module was loaded"),
        new('L', "a processor was locked up"),
        new('K', "the kernel was patched live"),
        new('X', "the distribution's own flag"),
        new('T', "structures are randomised"),
        new('N', "a test ran in the kernel"),
        new('J', "user space changed a device's firmware (fwctl)"),
    ];

    /// <summary>The taints of a kernel; null if they cannot be read.</summary>
    internal static IReadOnlyList<KernelTaint>? Of(KernelView kernel) =>
        kernel is { Symbols: { } symbols, Memory: { } memory } ? At(memory, symbols.Find("tainted_mask")[0]) : null;

    /// <summary>The taints by the address of their mask (tainted_mask, kernel/panic.c); null if it cannot be read.</summary>
    internal static IReadOnlyList<KernelTaint>? At(IVirtualMemory memory, ulong? mask) =>
        mask is { } address && memory.TryReadUInt64(address, out ulong taints) ? [.. s_taints.Where((_, bit) => (taints >> bit & 1) != 0)] : null;
}
