using System.Buffers.Binary;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Counters;

/// <summary>
/// One array of counters (mm/vmstat.c): a shared part in each zone or node, and for each CPU what it has not added yet. A CPU that went offline has added
/// its part. Which counter is which says the kernel's own enum.
/// </summary>
internal sealed class CounterSum
{
    private readonly IVirtualMemory _memory;
    private readonly string[] _names;
    private readonly long[] _values;

    /// <summary>Gets ready to add.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="names">The enum; null if the kernel's types have none, then nothing has a name.</param>
    internal CounterSum(IVirtualMemory memory, KernelType? names)
    {
        _memory = memory;
        KernelEnumerator[] all = [.. (names?.Enumerators ?? []).Where(e => e.Value >= 0 && e.Value < memory.Limits.Counters)];
        _names = new string[all.Length == 0 ? 0 : all.Max(static e => e.Value) + 1];

        // NR_LRU_BASE and the like are second names: the proper one follows. The last one of all is the number of counters.
        foreach (KernelEnumerator one in all)
            _names[one.Value] = one.Name;
        _values = new long[_names.Length];
    }

    /// <summary>Parts of CPUs that could not be read.</summary>
    internal int PartsUnread { get; private set; }

    /// <summary>The counters, in the kernel's order, as far as the arrays went.</summary>
    internal List<KernelCounter> Counters()
    {
        List<KernelCounter> list = [];
        for (int i = 0; i < Math.Min(_names.Length, Length); i++)
        {
            if (_names[i] is not null)
                list.Add(new(_names[i], Math.Max(0, _values[i])));
        }

        return list;
    }

    private int Length { get; set; }

    /// <summary>Adds the shared part of a zone or node.</summary>
    /// <param name="array">An array of <c>atomic_long_t</c>.</param>
    /// <returns>The part.</returns>
    /// <exception cref="KernelObjectException">It cannot be read.</exception>
    internal long[] Add(KernelObject array)
    {
        ReadOnlySpan<byte> bytes = array.ReadBytes();
        long[] part = new long[Math.Min(bytes.Length / sizeof(long), _values.Length)];
        Length = part.Length;
        for (int i = 0; i < part.Length; i++)
        {
            part[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes[(i * sizeof(long))..]);
            _values[i] += part[i];
        }

        return part;
    }

    /// <summary>Adds what CPUs have not.</summary>
    /// <param name="area">A pointer to what each CPU has for itself.</param>
    /// <param name="member">The array of bytes in it.</param>
    /// <param name="cpus">Where the CPUs have theirs; null if that is not known.</param>
    /// <param name="part">The shared part, to which it is added too.</param>
    internal void AddOfCpus(KernelObject area, string member, PerCpuAreas? cpus, long[] part)
    {
        // A kernel for one CPU has no such array.
        if (area.Type.Underlying().Target.FindMember(member) is not { ByteOffset: { } offset } found)
            return;
        ulong at = area.AsUInt64() + (ulong)offset;
        byte[] bytes = new byte[Math.Clamp(found.Type.Size ?? 0, 0, part.Length)];
        if (cpus is null)
            PartsUnread++;
        foreach (int cpu in cpus?.Possible ?? [])
        {
            if (cpus!.OffsetOf(cpu) is not { } own || _memory.Read(unchecked(at + own), bytes) != MemoryStatus.Ok)
            {
                PartsUnread++;
                continue;
            }

            for (int i = 0; i < bytes.Length; i++)
            {
                _values[i] += (sbyte)bytes[i];
                part[i] += (sbyte)bytes[i];
            }
        }
    }
}
