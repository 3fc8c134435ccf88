using System.Globalization;
using Vmcore.Testing;

namespace Vmcore.Benchmarks;

/// <summary>
/// Writes sparse vmcores of machines that nobody has at hand: real page tables, sections and memmap, and as much RAM or pmem as is asked for. The
/// memmap of RAM beyond 64 GiB is shared by all of it, so the file is small; it needs a file system that takes long files (tmpfs does).
/// </summary>
internal static class SyntheticInput
{
    private const ulong GiB = 1ul << 30;

    /// <summary>Runs <c>synthetic FILE RAM-GIB [PMEM-GIB [NAMESPACE-GIB]]</c>; of the
    /// pmem 2 GiB are a namespace with struct pages unless said otherwise.</summary>
    /// <param name="arguments">What follows the word.</param>
    /// <returns>An exit status.</returns>
    internal static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length is < 2 or > 4 || !ulong.TryParse(arguments[1], CultureInfo.InvariantCulture, out ulong ram)
            || ram is < 1 or (> 16 and < 64) || (ram >= 64 && ram % 64 != 0))
        {
            Console.Error.WriteLine("synthetic FILE RAM-GIB [PMEM-GIB [NAMESPACE-GIB]]: RAM is 1 to 16 or a multiple of 64");
            return 2;
        }

        ulong pmem = arguments.Length >= 3 ? ulong.Parse(arguments[2], CultureInfo.InvariantCulture) : 0;
        ulong mapped = arguments.Length == 4 ? ulong.Parse(arguments[3], CultureInfo.InvariantCulture) : Math.Min(pmem, 2);
        Create(ram, pmem, mapped).Core(new() { Pmem = PmemSegments.WholeRegions })
            .WriteSparse(arguments[0], s => s.IsRepeated ? 0 : s.IsPmem ? Math.Min(s.FileSize, mapped > 2 ? 4 * GiB : 64 << 20) : s.FileSize);
        return 0;
    }

    private static SyntheticMachine Create(ulong ram, ulong pmem, ulong mapped)
    {
        var machine = new SyntheticMachine(new() { Levels = 5, GigabyteDirectMap = true });
        // Also the large ones have some RAM that is described page by page.
        ulong own = Math.Min(ram, 16) == ram ? ram : 1;
        machine.AddRam(0x100000, (own * GiB) - 0x100000);
        // In turn, what fills a machine; the kernel's own part is what its layout takes, and 1 page in 64.
        for (ulong pfn = 0x10000; pfn + 1024 <= own * GiB >> 12; pfn += 1024)
        {
            switch (pfn >> 10 & 3)
            {
                case 0 when (pfn >> 10 & 15) == 0:
                    machine.PlaceMany(pfn, 256, PageKind.KernelData);
                    break;
                case 1:
                    machine.PlaceMany(pfn, 512, PageKind.PageCache);
                    break;
                case 2:
                    machine.PlaceMany(pfn, 512, PageKind.Anonymous);
                    break;
                default:
                    break;
            }
        }

        if (ram >= 64)
            machine.AddRepeatedRam(64 * GiB, ram * GiB, PageKind.Free, PageKind.Anonymous, PageKind.PageCache, PageKind.Anonymous);
        if (pmem > 0)
        {
            ulong start = 64 * GiB + (ram >= 64 ? ram * GiB : 0);
            machine.AddPmem(start, pmem * GiB).AddNamespace(0, mapped * GiB, new() { WrittenStructs = mapped > 2 ? 1 << 20 : null });
        }

        return machine;
    }
}
