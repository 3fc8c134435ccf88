using Vmcore;
using Vmcore.Findings;

// Says of which slab cache an object of the kernel is. Usage: SlabOf DUMP ADDRESS (hexadecimal)

ulong address = Convert.ToUInt64(args[1], 16);
using CrashDump dump = CrashDump.Open(args[0]);
if (dump.OpenSlabs().Find(address, out Finding? problem) is not { } found)
{
    Console.WriteLine(problem?.ToString() ?? "in no slab");
    return 1;
}

Console.WriteLine($"{found.Cache.Name}: object at 0x{found.Address:x}, {found.Cache.ObjectSize} bytes, +{address - found.Address}");
return 0;
