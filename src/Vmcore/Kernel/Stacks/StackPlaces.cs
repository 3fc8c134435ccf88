using Vmcore.Architectures;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Kernel.Stacks;

/// <summary>Where stacks are: those of tasks, and those that each CPU has for interrupts and exceptions.</summary>
internal sealed class StackPlaces
{
    private const ulong Grain = 4 << 10;

    private readonly Architecture _architecture;
    private readonly IVirtualMemory _memory;
    private readonly KernelTypes _types;
    private readonly PerCpuAreas? _perCpu;
    private readonly ulong?[] _variables;
    private readonly Dictionary<int, List<VirtualRange>> _ofCpu = [];
    private readonly Dictionary<ulong, string> _names = [];

    /// <summary>Finds the variables.</summary>
    /// <param name="architecture">The machine's architecture.</param>
    /// <param name="pageShift">log2 of the page size.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">The kernel's types.</param>
    /// <param name="perCpu">Where the variables of each CPU are; null if that is not known.</param>
    internal StackPlaces(
        Architecture architecture, int pageShift, IVirtualMemory memory, KernelSymbols symbols, KernelTypes types, PerCpuAreas? perCpu)
    {
        (_architecture, _memory, _types, _perCpu) = (architecture, memory, types, perCpu);
        _variables = symbols.FindInImage(Array.ConvertAll(architecture.CpuStacks, s => s.Variable));

        // KASAN doubles stacks.
        Size = types.FindNamed(KernelTypeKind.Union, "thread_union")?.Size is { } size and > 0 && (ulong)size <= _memory.Limits.StackBytes
            ? (ulong)size : (ulong)architecture.StackSize(pageShift);
    }

    /// <summary>Bytes of a task's stack (THREAD_SIZE).</summary>
    internal ulong Size { get; }

    /// <summary>The stack of a task; null if it cannot be read where it is.</summary>
    internal VirtualRange? OfTask(KernelTask task)
    {
        try
        {
            ulong start = task.Object.Member("stack").AsUInt64();
            return _memory.IsKernelAddress(start) && start <= ulong.MaxValue - Size ? new(start, start + Size) : null;
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    /// <summary>The stacks that a CPU has beside that of its task; none that cannot be read where it is.</summary>
    internal IReadOnlyList<VirtualRange> OfCpu(int cpu)
    {
        if (_ofCpu.TryGetValue(cpu, out List<VirtualRange>? known))
            return known;
        List<VirtualRange> found = [];
        _ofCpu.Add(cpu, found);
        if (_perCpu?.OffsetOf(cpu) is not { } offset)
            return found;
        for (int i = 0; i < _variables.Length; i++)
        {
            if (_variables[i] is not { } symbol)
                continue;
            try
            {
                Add(found, _architecture.CpuStacks[i], unchecked(symbol + offset));
            }
            catch (KernelObjectException)
            {
                // Of another shape than any that is known: then the walk ends where it would enter that stack.
            }
        }

        return found;
    }

    /// <summary>What the kernel calls a stack of a CPU.</summary>
    internal string? NameOf(VirtualRange stack) => _names.GetValueOrDefault(stack.Start);

    private void Add(List<VirtualRange> found, CpuStackVariable variable, ulong at)
    {
        if (variable.Within is { } within)
            at = KernelObject.At(_memory, Need(within.Type), at).Member(within.Member).Address ?? 0;
        ulong pointer = at, size = variable.Size == 0 ? Size : (ulong)variable.Size;
        if (variable.Kind != CpuStackKind.Itself && (!_memory.TryReadUInt64(at, out pointer) || !_memory.IsKernelAddress(pointer)))
            return;
        switch (variable.Kind)
        {
            case CpuStackKind.End:
                // Since 5.11 the last word, before that the end.
                ulong end = (pointer + sizeof(ulong)) / Grain * Grain;
                Put(found, variable.Within?.Member ?? variable.Variable, end - size, size);
                break;
            case CpuStackKind.Members:
                foreach (KernelTypeMember member in Need(variable.Type).Members)
                {
                    if (!member.Name.Contains("guard", StringComparison.Ordinal))
                        Put(found, member.Name, pointer + (ulong)(member.BitOffset / 8), (ulong)(member.Type.Size ?? 0));
                }

                if (variable.Outer is { } outer && Need(outer.Type) is var whole && whole.FindMember(outer.Member) is { } inner
                    && whole.FindMember(outer.Stack) is { } stack)
                {
                    Put(found, outer.Stack, unchecked(pointer - (ulong)(inner.BitOffset / 8) + (ulong)(stack.BitOffset / 8)), (ulong)(stack.Type.Size ?? 0));
                }

                break;
            default:
                Put(found, variable.Variable, pointer, size);
                break;
        }
    }

    private void Put(List<VirtualRange> found, string name, ulong start, ulong size)
    {
        if (size == 0 || size > _memory.Limits.StackBytes || start > ulong.MaxValue - size)
            return;
        found.Add(new(start, start + size));
        _names[start] = name;
    }

    private KernelType Need(string name) =>
        _types.FindNamed(KernelTypeKind.Struct, name) ?? throw new KernelObjectException($"the kernel's types have no struct {name}");
}
