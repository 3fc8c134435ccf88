using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>A poisoned line under the memmap on pmem, read from /proc/vmcore of a capture kernel: the page is lost, and the dump goes on.</summary>
public sealed class PoisonedMetadataTests
{
    [Theory]
    [InlineData(PmemSegments.MetadataOnly)]
    [InlineData(PmemSegments.WholeRegions)]
    public void OnlyThatPageIsLost(PmemSegments segments)
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace();
        CoreImage core = machine.Core(new() { Pmem = segments });
        ulong lost = space.MemmapPfns[space.MemmapPfns.Count / 2];
        WrittenDump written = WrittenDump.Of(new UnreadablePagesTests.Failing(core, [new(lost, lost + 1)]), new() { Level = (DumpLevel)31, Threads = 1 });
        Assert.Equal([new PfnRange(lost, lost + 1)], written.Report.UnreadableRanges);
        using CrashDump whole = CrashDump.Open(new CoreSource(core)), dump = written.Open();
        Assert.True(dump.IsIncomplete);
        byte[] page = new byte[4096], expected = new byte[4096];
        foreach (ulong pfn in space.MemmapPfns)
        {
            MemoryStatus status = dump.Memory.ReadPage(pfn, page);
            Assert.Equal(pfn != lost, status == MemoryStatus.Ok);
            whole.Memory.ReadPage(pfn, expected);
            Assert.True(pfn == lost || expected.AsSpan().SequenceEqual(page));
        }

        // The pages whose structures it held are user data all the same.
        Assert.Equal(whole.Pmem.UserData, dump.Pmem.UserData);
        WrittenDump.ForEachPage(dump, (pfn, _) => Assert.False(whole.Pmem.UserData.Contains(pfn)));
    }
}
