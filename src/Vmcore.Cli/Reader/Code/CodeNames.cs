using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Cli.Reader.Code;

/// <summary>Names of addresses in code.</summary>
/// <param name="symbols">The kernel's symbols; null if there are none.</param>
internal sealed class CodeNames(KernelSymbols? symbols)
{
    private List<KernelSymbol>? _perCpu;

    /// <summary>The symbol that an address belongs to, with its distance; null if none has it.</summary>
    /// <param name="address">A virtual address.</param>
    internal string? Of(ulong address)
    {
        if (symbols is null || !symbols.TryResolve(address, out KernelSymbol symbol, out ulong offset))
            return null;
        return Text(symbol, offset);
    }

    /// <summary>The symbol of what an instruction refers to.</summary>
    /// <param name="instruction">The instruction.</param>
    internal string? OfOperand(DecodedInstruction instruction) => instruction.Operand is not { } operand ? null
        : instruction.IsPerCpu ? OfPerCpu(operand) : Of(operand);

    private static string Text(KernelSymbol symbol, ulong offset) => string.Create(CultureInfo.InvariantCulture,
        $"{symbol.Name}{(offset > 0 ? $"+0x{offset:x}" : "")}{(symbol.Module is { } module ? $" [{module}]" : "")}");

    // Offsets into the area of a CPU are symbols like any others, but without a place in memory.
    private string? OfPerCpu(ulong offset)
    {
        if (_perCpu is null)
        {
            _perCpu = [];
            if (symbols?.Find("__per_cpu_start", "__per_cpu_end") is [{ } start, { } end])
            {
                foreach (KernelSymbol symbol in symbols.All())
                {
                    if (symbol.Address >= start && symbol.Address < end && symbol.Name != "__per_cpu_start")
                        _perCpu.Add(symbol);
                }
            }
        }

        KernelSymbol? best = null;
        foreach (KernelSymbol symbol in _perCpu)
        {
            if (symbol.Address <= offset && (best is null || symbol.Address > best.Value.Address))
                best = symbol;
        }

        const ulong Farthest = 1 << 16; // No variable of a CPU is larger.
        return best is { } found && offset - found.Address < Farthest ? Text(found, offset - found.Address) : null;
    }
}
