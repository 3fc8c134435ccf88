using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Dumping;

/// <summary>Finds the zero pages among those that are kept, by reading all of them.</summary>
internal sealed class ZeroPageFilter(CrashMemory memory)
{
    private readonly byte[] _block = new byte[1 << 20];

    /// <summary>Takes the zero pages out of a window's kept pages.</summary>
    /// <returns>Number of pages taken out.</returns>
    internal ulong Clear(PlanWindow window)
    {
        ulong cleared = 0;
        int pageSize = memory.PageSize, most = _block.Length / pageSize;
        for (int at = 0; (at = PageBits.NextSet(window.Kept, at)) < PlanWindow.Pages;)
        {
            int run = Math.Min(PageBits.NextClear(window.Kept, at) - at, most);
            int read = memory.ReadPages(window.FirstPfn + (ulong)at, _block.AsSpan(0, run * pageSize));
            bool good = read > 0 || memory.ReadPage(window.FirstPfn + (ulong)at, _block.AsSpan(0, pageSize)) == MemoryStatus.Ok;
            read = Math.Max(read, 1);
            for (int i = 0; good && i < read; i++)
            {
                if (ZeroPage.IsZero(_block.AsSpan(i * pageSize, pageSize)))
                    cleared += (ulong)PageBits.Clear(window.Kept, at + i, 1);
            }

            at += read;
        }

        return cleared;
    }
}
