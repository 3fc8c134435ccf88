using Vmcore.Formats.Notes;
using Vmcore.Memmap;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>What a dump that is filtered again says of the pages that the first filter left out.</summary>
public sealed class FilteredAgainTests
{
    [Theory]
    [InlineData(31, 31)]
    [InlineData(1, 31)]
    [InlineData(31, 1)]
    [InlineData(16, 8)]
    public void TheCountsAreThoseOfBothFilters(int first, int second)
    {
        WrittenDump once = WrittenDump.Of(Machines.WithPmem(384 * Machines.MiB).Machine.Core(), first);
        WrittenDump twice = WrittenDump.Of(new KdumpBytes(once.Bytes, "once"), new() { Level = (DumpLevel)second });
        CountsNote noted = NoteOf(once), again = NoteOf(twice);
        Assert.Equal((uint)(first | second), again.Level);
        Assert.Contains(noted.LeftOut, static pages => pages > 0);
        for (int i = 0; i < noted.LeftOut.Count; i++)
            Assert.Equal((i, noted.LeftOut[i] + twice.Report.Excluded[PageClass.Zero + i]), (i, again.LeftOut[i]));
    }

    private static CountsNote NoteOf(WrittenDump written)
    {
        using CrashDump dump = written.Open();
        return CountsNote.TryRead(dump.NoteArea.Span, dump.Notes)!;
    }
}
