using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Summary;

/// <summary>
/// Errors of the hardware of one kind that the kernel went on from: how many since the boot, and when the last one was. It counts them for whoever reads the
/// dump (kernel/vmcore_info.c: hwerr_data, Linux 6.18 and later).
/// </summary>
public sealed class RecoveredErrors
{
    private const string Prefix = "HWERR_RECOV_", End = "MAX";
    private const ulong LatestSecond = 1UL << 33;

    private RecoveredErrors(string kind, uint count, long last) => (Kind, Count, Last) = (kind, count, last);

    /// <summary>What failed, as the kernel's enum has it, in small letters: <c>cpu</c>, <c>memory</c>, <c>pci</c>, <c>cxl</c>, <c>others</c>.</summary>
    public string Kind { get; }

    /// <summary>How many.</summary>
    public uint Count { get; }

    /// <summary>When the last one was, in seconds since 1970; 0 if there was none.</summary>
    public long Last { get; }

    /// <summary>Reads the counters.</summary>
    /// <param name="types">The kernel's types.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Of hwerr_data.</param>
    /// <returns>One for each kind, also of those of which there was none, in the kernel's order.</returns>
    /// <exception cref="KernelObjectException">The types are not there, or the counters cannot be read, or are none.</exception>
    internal static IReadOnlyList<RecoveredErrors> Read(KernelTypes types, IVirtualMemory memory, ulong address)
    {
        if (types.FindNamed(KernelTypeKind.Enum, "hwerr_error_type") is not { } kinds
            || types.FindNamed(KernelTypeKind.Struct, "hwerr_info") is not { Size: > 0 and <= 256 and { } size } type)
            throw new KernelObjectException("the kernel's types have no struct hwerr_info, or no enum hwerr_error_type");
        long length = types.EnumValue("hwerr_error_type", Prefix + End) ?? 0;
        List<RecoveredErrors> list = [];
        foreach (KernelEnumerator kind in kinds.Enumerators)
        {
            if (kind.Value < 0 || kind.Value >= Math.Min(length, memory.Limits.Counters) || !kind.Name.StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            KernelObject item = KernelObject.At(memory, type, unchecked(address + ((ulong)kind.Value * (ulong)size)));
            KernelObject counter = item.Member("count");
            uint count = (uint)(counter.Type.Underlying().IsComposite ? counter.Member("counter") : counter).AsUInt64();
            ulong last = item.Member("timestamp").AsUInt64();

            // The count comes first, so that of the very last error the time may be missing.
            if (last > LatestSecond || (count == 0 && last > 0))
                throw new KernelObjectException("the counters of hwerr_data contradict themselves");
            list.Add(new(kind.Name[Prefix.Length..].ToLowerInvariant(), count, (long)last));
        }

        return list;
    }
}
