using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Expressions;

/// <summary>What a part of an expression is.</summary>
internal enum ExpressionKind
{
    /// <summary>A number, also of sizeof and offsetof.</summary>
    Number,

    /// <summary>A variable or another symbol.</summary>
    Symbol,

    /// <summary>An operator before its operand.</summary>
    Unary,

    /// <summary>An operator between operands.</summary>
    Binary,

    /// <summary>A member by its name.</summary>
    Member,

    /// <summary>An element by its index.</summary>
    Index,

    /// <summary>A cast.</summary>
    Cast,

    /// <summary>container_of(pointer, type, member).</summary>
    Container,

    /// <summary>per_cpu(variable, cpu), or of all CPUs.</summary>
    PerCpu,

    /// <summary>per_cpu_ptr(pointer, cpu), or of all CPUs.</summary>
    PerCpuPointer,

    /// <summary>All structures of a list or tree.</summary>
    Walk,
}

/// <summary>A part of an expression.</summary>
/// <param name="kind">What it is.</param>
/// <param name="name">Its operator, member or symbol; of a walk its function.</param>
/// <param name="left">Its operand, or the first of two.</param>
/// <param name="right">The second.</param>
/// <param name="isSource">True if it stands for several values, one after the other.</param>
internal sealed class ExpressionNode(
    ExpressionKind kind, string name, ExpressionNode? left = null, ExpressionNode? right = null, bool isSource = false)
{
    internal ExpressionKind Kind => kind;

    internal string Name => name;

    internal ExpressionNode? Left => left;

    internal ExpressionNode? Right => right;

    /// <summary>The type of a number or a cast, of what a walk finds, or of a variable as far as it is known.</summary>
    internal KernelType? Type { get; init; }

    /// <summary>A number, or the address of a symbol.</summary>
    internal ulong Value { get; init; }

    /// <summary>The first character in the text.</summary>
    internal int Start { get; init; }

    /// <summary>One behind the last.</summary>
    internal int End { get; init; }

    /// <summary>True if it stands for several values, one after the other.</summary>
    internal bool IsSource => isSource;

    /// <summary>The part that stands for several values: this one or the first below; null if this has one value.</summary>
    internal ExpressionNode? Source => isSource ? this : left?.Source ?? right?.Source;

    /// <summary>Parts inside each other.</summary>
    internal int Depth { get; } = 1 + Math.Max(left?.Depth ?? 0, right?.Depth ?? 0);
}
