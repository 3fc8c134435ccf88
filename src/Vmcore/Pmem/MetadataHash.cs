using Vmcore.Hashing;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem;

/// <summary>SHA-256 of metadata, for comparing what the dump has with what the first kernel had.</summary>
public static class MetadataHash
{
    /// <summary>
    /// Hashes what a namespace keeps for itself at its beginning: info block and memmap, as far as the kernel used them; the rest, which may be user
    /// data, is taken for zero. This is the <c>metadata_sha256</c> of <c>vmcore info --json</c>.
    /// </summary>
    /// <param name="memory">The dump's memory.</param>
    /// <param name="item">The namespace.</param>
    /// <returns>64 hex digits; null if the namespace has no info block, or not all of its metadata is in the dump.</returns>
    public static string? Compute(CrashMemory memory, PmemNamespace item)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(item);
        if (item.InfoBlock is not { } block || item.MetadataPresent < item.Metadata.PageCount)
            return null;
        var reserved = new PhysicalRange(item.Range.Start, item.Range.Start + block.StartPad + block.DataOffset);
        return Compute(memory, reserved.ToPfns(memory.PageShift), item.Metadata);
    }

    /// <summary>Hashes the pages of a range.</summary>
    /// <param name="memory">The dump.</param>
    /// <param name="range">The pages.</param>
    /// <returns>64 hex digits; null if a page is not in the dump or cannot be read.</returns>
    public static string? Compute(CrashMemory memory, PfnRange range)
    {
        ArgumentNullException.ThrowIfNull(memory);
        return Compute(memory, range, PfnRangeSet.From([range]));
    }

    /// <summary>Hashes a range of which only some pages count: the others, user data, are taken for zero.</summary>
    /// <param name="memory">The dump.</param>
    /// <param name="range">The pages, for example all that an info block reserves.</param>
    /// <param name="counted">The pages that count.</param>
    /// <returns>64 hex digits; null if a counted page is not in the dump or cannot be read.</returns>
    internal static string? Compute(CrashMemory memory, PfnRange range, PfnRangeSet counted)
    {
        var hash = new Sha256();
        byte[] page = new byte[memory.PageSize];
        byte[] zero = new byte[memory.PageSize];
        for (ulong pfn = range.Start; pfn < range.End; pfn++)
        {
            bool counts = counted.Contains(pfn);
            if (counts && memory.ReadPage(pfn, page) != MemoryStatus.Ok)
                return null;
            hash.Append(counts ? page : zero);
        }

        return Convert.ToHexStringLower(hash.Finish());
    }
}
