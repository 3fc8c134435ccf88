using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Expressions;

/// <summary>One of the values that an expression stands for.</summary>
public sealed class ExpressionValue
{
    internal ExpressionValue(KernelObject? item, KernelObject? element, int? cpu, string? problem) =>
        (Item, Element, Cpu, Problem) = (item, element, cpu, problem);

    /// <summary>The value; null if it cannot be calculated (see <see cref="Problem"/>).</summary>
    public KernelObject? Item { get; }

    /// <summary>What of a list or tree it was calculated of: a pointer to the structure, or the variable of a CPU. Null if it is of none.</summary>
    public KernelObject? Element { get; }

    /// <summary>The CPU that it is of; null if it is of none.</summary>
    public int? Cpu { get; }

    /// <summary>Why there is no <see cref="Item"/>, as one clause that names the part of the expression; null if there is.</summary>
    public string? Problem { get; }
}
