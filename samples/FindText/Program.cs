using System.Text;
using Vmcore;
using Vmcore.Memory;
using Vmcore.Ranges;

// Finds a text in the memory of a crashed machine: prints the physical address of each hit. Usage: FindText DUMP TEXT

if (args.Length != 2 || args[1].Length == 0)
{
    Console.Error.WriteLine("usage: FindText DUMP TEXT");
    return 2;
}

byte[] wanted = Encoding.UTF8.GetBytes(args[1]);
using CrashDump dump = CrashDump.Open(args[0]);

// What a reader may show: without the user data on pmem, which a raw vmcore has.
CrashMemory memory = dump.Memory;
byte[] page = new byte[memory.PageSize];
ulong[] exists = new ulong[512], present = new ulong[512];
int hits = 0;
foreach (PfnRange range in memory.Extents)
{
    for (ulong first = range.Start & ~63UL; first < range.End; first += 64 * 512)
    {
        memory.GetPages(first, exists, present);
        for (ulong pfn = Math.Max(first, range.Start); pfn < Math.Min(first + (64 * 512), range.End); pfn++)
        {
            bool isThere = (present[(pfn - first) / 64] >> (int)(pfn % 64) & 1) != 0;
            if (!isThere || memory.ReadPage(pfn, page) != MemoryStatus.Ok)
                continue;
            for (int at = 0, next; (next = page.AsSpan(at).IndexOf(wanted)) >= 0; at += next + wanted.Length)
            {
                Console.WriteLine($"0x{(pfn << memory.PageShift) + (ulong)(at + next):x}");
                hits++;
            }
        }
    }
}

return hits > 0 ? 0 : 1;
