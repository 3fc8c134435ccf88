using Vmcore.IO;
using Vmcore.Pmem;
using Vmcore.Pmem.Usage;

namespace Vmcore.Tests.Pmem;

/// <summary>Since 6.15 the files' page trees say which pages are shared, and by how many.</summary>
public class SharedPagesTests
{
    [Fact]
    public void FilesThatNameAPageAreCounted()
    {
        NamespaceUsage usage = Usage((10, 20), (30, 34));
        PmemFile[] files = [File((10, 10), (40, 2)), File((10, 5), (12, 3)), File((15, 5), (90, 100))];
        Assert.True(SharedPages.TrySettle(usage, files, ReadLimits.Default));
        Assert.Equal([new SharedRun(new(10, 12), 2), new(new(12, 15), 3), new(new(15, 20), 2)], usage.Shared);
        Assert.Equal((10UL, 104UL), (usage.Counts.Shared, usage.Counts.Idle));
    }

    [Fact]
    public void APageThatNoFileNamesIsIdle()
    {
        NamespaceUsage usage = Usage((10, 20));
        Assert.True(SharedPages.TrySettle(usage, [], ReadLimits.Default));
        Assert.Empty(usage.Shared);
        Assert.Equal((0UL, 110UL), (usage.Counts.Shared, usage.Counts.Idle));
    }

    [Fact]
    public void NothingIsChangedWhereAFileIsNotKnownInFull()
    {
        foreach (PmemFile file in (PmemFile[])[new(1) { RunsLeftOut = 1 }, new(1) { SharedRunsLeftOut = 1 }])
        {
            NamespaceUsage usage = Usage((10, 20));
            Assert.False(SharedPages.TrySettle(usage, [file], ReadLimits.Default));
            Assert.Equal([new SharedRun(new(10, 20), 0)], usage.Shared);
            Assert.Equal((10UL, 100UL), (usage.Counts.Shared, usage.Counts.Idle));
        }
    }

    private static NamespaceUsage Usage(params (ulong Start, ulong End)[] marked)
    {
        var usage = new NamespaceUsage(new PmemNamespace { Range = new(0, 1000 << 12) }, new(0, 100));
        foreach ((ulong start, ulong end) in marked)
        {
            usage.SharedRuns.Add(new(new(start, end), 0));
            usage.Counts.Shared += end - start;
        }

        usage.Counts.Idle = 100;
        return usage;
    }

    private static PmemFile File(params (ulong Pfn, ulong Pages)[] runs)
    {
        var file = new PmemFile(1);
        file.SharedList.AddRange(runs.Select(r => new DaxRun(0, r.Pfn, r.Pages)));
        return file;
    }
}
