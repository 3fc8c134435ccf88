using System.Text;
using Vmcore;
using Vmcore.Memory;

// Finds a text in the memory of a crashed machine: prints the physical address of each hit. Usage: FindText DUMP TEXT

byte[] wanted = Encoding.UTF8.GetBytes(args[1]);
using CrashDump dump = CrashDump.Open(args[0]);
byte[] page = new byte[dump.Memory.PageSize];
int hits = 0;
foreach (ulong pfn in dump.Memory.PresentPages())
{
    if (dump.Memory.ReadPage(pfn, page) != MemoryStatus.Ok)
        continue;
    for (int at = 0, next; (next = page.AsSpan(at).IndexOf(wanted)) >= 0; at += next + wanted.Length, hits++)
        Console.WriteLine($"0x{(pfn << dump.Memory.PageShift) + (ulong)(at + next):x}");
}

return hits > 0 ? 0 : 1;
