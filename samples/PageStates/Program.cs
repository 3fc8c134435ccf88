using Vmcore;
using Vmcore.Picture;

// Counts the pages of a dump by state, piece by piece of the memory, as CSV. Usage: PageStates DUMP

using CrashDump dump = CrashDump.Open(args[0]);
PictureClass[] states = Enum.GetValues<PictureClass>();
Console.WriteLine("start,pages," + string.Join(',', states));
foreach (PictureRegion region in PictureBuilder.Build(dump).Regions)
{
    for (int cell = 0; cell < region.CellCount; cell++)
    {
        ulong start = region.Pages.Start + ((ulong)cell << region.CellShift);
        Console.WriteLine($"0x{start << dump.Memory.PageShift:x},{1 << region.CellShift}," + string.Join(',', states.Select(s => region[cell, s])));
    }
}
