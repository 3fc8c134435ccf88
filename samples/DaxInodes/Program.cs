using System.Buffers.Binary;
using Vmcore;
using Vmcore.Kernel.Vfs;

// Lists the inodes that have pages on pmem, by the struct pages of the pmem itself: pages, number, size in bytes. Usage: DaxInodes DUMP

using CrashDump dump = CrashDump.Open(args[0]);
KernelVfs vfs = dump.OpenVfs();
int mappingOffset = (int)(dump.Types!.Find("struct page")!.FindMember("mapping")!.BitOffset / 8);
var pages = new Dictionary<ulong, int>();
byte[] two = new byte[2 * dump.Memmap!.StructPageSize];
foreach (var range in dump.Pmem.UserData)
{
    for (ulong pfn = range.Start; pfn < range.End; pfn++)
    {
        // The lowest bits of the member say what else it could be; an address is that of a struct address_space.
        if (dump.Memmap.TryReadPair(pfn, two) && BinaryPrimitives.ReadUInt64LittleEndian(two.AsSpan(mappingOffset)) is var mapping and not 0)
            pages[mapping] = pages.GetValueOrDefault(mapping) + 1;
    }
}

foreach ((ulong mapping, int count) in pages.OrderByDescending(p => p.Value))
{
    // A struct page that nobody has written says anything; then there is no inode.
    if (vfs.InodeOfMapping(mapping) is { SuperBlock: { } files } inode)
        Console.WriteLine($"{count,8} pages  inode {inode.Number}  {inode.Size} bytes  {vfs.PathOf(inode).Text ?? files.Type}");
}
