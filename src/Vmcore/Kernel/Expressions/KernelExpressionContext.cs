using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Expressions;

/// <summary>What a <see cref="KernelExpression"/> stands on.</summary>
/// <param name="Memory">The kernel's memory.</param>
/// <param name="Types">Its types.</param>
/// <param name="Symbol">Gives the address of a symbol; null if there is none of that name.</param>
/// <param name="PerCpuOffset">Gives the offset of a CPU's area; null if there is no such CPU.</param>
public sealed record KernelExpressionContext(IVirtualMemory Memory, KernelTypes Types, Func<string, ulong?> Symbol, Func<int, ulong?> PerCpuOffset)
{
    /// <summary>Numbers of the CPUs that <c>per_cpu</c> without a CPU goes through.</summary>
    public IReadOnlyList<int> Cpus { get; init; } = [];

    /// <summary>Tells of a symbol and its address whether it is of what each CPU has for itself; null if that is not known.</summary>
    public Func<string, ulong, bool?> IsPerCpu { get; init; } = static (_, _) => null;

    /// <summary>The type of variables of which the dump does not say it; null if that is not known either.</summary>
    public KernelType? Untyped { get; init; }
}
