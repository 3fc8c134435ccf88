using Vmcore;
using Vmcore.Pmem.Usage;

// Lists the inodes that have pages on pmem, by the struct pages of the pmem itself: pages, number, size in bytes. Usage: DaxInodes DUMP

using CrashDump dump = CrashDump.Open(args[0]);
foreach (PmemFile file in dump.CollectPmemUsage().Files.OrderByDescending(f => f.Pages))
{
    // A struct page that nobody has written says anything; then there is no inode.
    if (file.Inode is { SuperBlock: { } files } inode)
        Console.WriteLine($"{file.Pages,8} pages  inode {inode.Number}  {inode.Size} bytes  {file.Path.Text ?? files.Type}");
}
