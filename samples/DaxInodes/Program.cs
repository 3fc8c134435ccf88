using Vmcore;
using Vmcore.Kernel.Types;
using Vmcore.Ranges;

// Lists the inodes that have pages on pmem: pages, number, size in bytes. Usage: DaxInodes DUMP

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: DaxInodes DUMP");
    return 2;
}

using CrashDump dump = CrashDump.Open(args[0]);
if (dump.Types is not { } types || dump.Kernel?.Memory is not { } memory || dump.Memmap is not { } memmap)
{
    Console.Error.WriteLine($"{dump.Name}: {dump.TypesProblem ?? dump.ClassificationProblem}");
    return 1;
}

KernelType page = types.Find("struct page")!, space = types.Find("struct address_space")!;
int mappingOffset = (int)(page.FindMember("mapping")!.BitOffset / 8);
var pages = new Dictionary<ulong, int>();
byte[] two = new byte[2 * memmap.StructPageSize];
foreach (ulong pfn in dump.Pmem.UserData.SelectMany(Pfns))
{
    if (!memmap.TryReadPair(pfn, two))
        continue;
    ulong mapping = BitConverter.ToUInt64(two, mappingOffset);

    // The lowest bits say what else it could be; an address of the kernel is a struct address_space.
    if ((mapping & 7) == 0 && mapping >= memory.KernelStart)
        pages[mapping] = pages.GetValueOrDefault(mapping) + 1;
}

foreach ((ulong mapping, int count) in pages.OrderByDescending(p => p.Value))
{
    try
    {
        KernelObject inode = KernelObject.At(memory, space, mapping).Member("host").Dereference();
        Console.WriteLine($"{count,8} pages  inode {inode.Member("i_ino").AsUInt64()}  {inode.Member("i_size").AsUInt64()} bytes");
    }
    catch (KernelObjectException)
    {
        // A struct page that nobody has written says anything.
    }
}

return 0;

static IEnumerable<ulong> Pfns(PfnRange range)
{
    for (ulong pfn = range.Start; pfn < range.End; pfn++)
        yield return pfn;
}
