namespace Vmcore.Kernel.Symbols;

/// <summary>One symbol of the crashed kernel's image.</summary>
/// <param name="Address">Run-time virtual address; for a per-cpu variable (<see cref="Type"/> <c>A</c>) maybe the offset in the per-cpu area.</param>
/// <param name="Type">Letter in the style of nm: <c>T</c> text, <c>D</c> data, <c>R</c> read-only, <c>B</c> bss, small if local.</param>
/// <param name="Name">Name; bytes that are no printable ASCII are <c>?</c>.</param>
/// <param name="Module">The module that it belongs to; null for the kernel's image.</param>
public readonly record struct KernelSymbol(ulong Address, char Type, string Name, string? Module = null);
