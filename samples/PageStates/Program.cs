using Vmcore;
using Vmcore.Memmap;
using Vmcore.Ranges;

// Counts the pages of a dump by state, for each region of 128 MiB, as CSV. Usage: PageStates DUMP

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: PageStates DUMP");
    return 2;
}

using CrashDump dump = CrashDump.Open(args[0]);
if (dump.Memmap is null || dump.PageLayout is null)
{
    Console.Error.WriteLine(dump.ClassificationProblem);
    return 1;
}

const ulong Region = 128UL << 20;
var classifier = new PageClassifier(dump.PageLayout, DumpLevel.Cache | DumpLevel.CachePrivate | DumpLevel.User | DumpLevel.Free);
byte[] structs = new byte[2 * dump.Memmap.StructPageSize];
ulong perRegion = Region >> dump.Memory.PageShift;
Console.WriteLine("region," + string.Join(',', Enum.GetNames<PageClass>()));
ulong[] counts = new ulong[Enum.GetValues<PageClass>().Length];
ulong region = ulong.MaxValue;
PageVerdict block = default;
ulong blockEnd = 0;
ulong[] exists = new ulong[512], present = new ulong[512];
foreach (PfnRange range in dump.Coverage.Extents)
{
    for (ulong first = range.Start & ~63UL; first < range.End; first += 64 * 512)
    {
        // Extents of a filtered dump have the machine's holes in them.
        dump.Coverage.GetPages(first, exists, present);
        for (ulong pfn = Math.Max(first, range.Start); pfn < Math.Min(first + (64 * 512), range.End); pfn++)
        {
            if ((exists[(pfn - first) / 64] >> (int)(pfn % 64) & 1) == 0)
                continue;
            if (pfn / perRegion != region)
            {
                Write();
                region = pfn / perRegion;
            }

            counts[(int)ClassOf(pfn)]++;
        }
    }
}

Write();
return 0;

// pmem is decided by range; a block of RAM by the page that it starts with.
PageClass ClassOf(ulong pfn)
{
    if (dump.Pmem.Metadata.Contains(pfn))
        return PageClass.PmemMetadata;
    if (dump.Pmem.UserData.Contains(pfn))
        return PageClass.PmemUserData;
    if (pfn >= blockEnd)
    {
        block = dump.Memmap.TryReadPair(pfn, structs) ? classifier.Classify(pfn, structs) : new(PageClass.Kept, 1);
        blockEnd = pfn + block.Pages;
    }

    return block.Class;
}

void Write()
{
    if (region != ulong.MaxValue)
        Console.WriteLine($"0x{region * Region:x}," + string.Join(',', counts));
    Array.Clear(counts);
}
