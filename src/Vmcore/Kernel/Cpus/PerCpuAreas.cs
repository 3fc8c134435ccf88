using System.Buffers.Binary;
using System.Numerics;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Cpus;

/// <summary>Where the variables are that each CPU has for itself: address = symbol + offset of the CPU.</summary>
public sealed class PerCpuAreas
{
    private readonly IVirtualMemory _memory;
    private readonly ulong _offsets;

    private PerCpuAreas(IVirtualMemory memory, ulong offsets, IReadOnlyList<int> possible, IReadOnlyList<int> online)
    {
        _memory = memory;
        _offsets = offsets;
        Possible = possible;
        Online = online;
    }

    /// <summary>Numbers of the CPUs that may ever be online, ascending.</summary>
    public IReadOnlyList<int> Possible { get; }

    /// <summary>Numbers of the CPUs that were online, ascending. A panic may take the others off the list before the dump.</summary>
    public IReadOnlyList<int> Online { get; }

    /// <summary>Reads the masks and finds the table of offsets.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <returns>Null if the kernel has no such symbols or they cannot be read.</returns>
    internal static PerCpuAreas? TryLoad(IVirtualMemory memory, KernelSymbols symbols)
    {
        ArgumentNullException.ThrowIfNull(symbols);
        if (symbols.TryFindInImage("__per_cpu_offset") is not { } offsets || symbols.TryFindInImage("__cpu_possible_mask") is not { } possible)
            return null;
        int count = symbols.TryFindInImage("nr_cpu_ids") is { } ids && memory.TryReadUInt32(ids, out uint n) && n > 0 && n <= memory.Limits.Cpus ? (int)n : 64;
        IReadOnlyList<int> all = Mask(memory, possible, count);
        return all.Count == 0 ? null : new(memory, offsets, all, symbols.TryFindInImage("__cpu_online_mask") is { } online ? Mask(memory, online, count) : []);
    }

    /// <summary>The offset of a CPU's area.</summary>
    /// <param name="cpu">Number of the CPU.</param>
    /// <returns>Null if there is no such CPU, or the table cannot be read.</returns>
    public ulong? OffsetOf(int cpu) => Possible.Contains(cpu) && _memory.TryReadUInt64(_offsets + (8 * (ulong)cpu), out ulong offset) ? offset : null;

    private static List<int> Mask(IVirtualMemory memory, ulong address, int count)
    {
        List<int> set = [];
        byte[] bytes = new byte[(count + 63) / 64 * 8];
        if (memory.Read(address, bytes) != MemoryStatus.Ok)
            return set;
        for (int word = 0; word < bytes.Length / 8; word++)
        {
            for (ulong bits = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(word * 8)); bits != 0; bits &= bits - 1)
                set.Add((word * 64) + BitOperations.TrailingZeroCount(bits));
        }

        return set;
    }
}
