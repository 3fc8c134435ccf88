using Vmcore.Findings;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Pmem;

/// <summary>The kernel's own list is a hint: whatever it says, the page tables decide.</summary>
public sealed class KernelListTests
{
    private const ulong MiB = Machines.MiB, Next = 0, Start = 16, End = 24;

    private readonly SyntheticMachine _machine;
    private readonly CoreImage _core;
    private readonly SyntheticNamespace[] _spaces;
    private readonly CoreWalker _walker;
    private readonly ulong _head;
    private readonly ulong _first;
    private readonly ulong _second;

    public KernelListTests()
    {
        (_machine, PmemRegion region) = Machines.WithPmem(384 * MiB, new() { RfcList = true });
        _spaces = [region.AddNamespace(0, 128 * MiB), region.AddNamespace(128 * MiB, 128 * MiB, new() { Mode = SyntheticPmemMode.DevDax })];
        _core = _machine.Core();
        _walker = new(_core);
        _head = _walker.Hex("SYMBOL(devm_memmap_vmcore_head)");
        _first = _walker.VirtualWord(_head);
        _second = _walker.VirtualWord(_first);
    }

    [Fact]
    public void TheRightListAgrees() => Assert.Empty(Findings(new(_core)));

    [Fact]
    public void LoopsEnd()
    {
        Assert.Contains(Findings(Edit(_first + Next, _first)),
            f => f.ToString().Contains("damaged", StringComparison.Ordinal)
            && f.ToString().Contains($"0x{_first:x}", StringComparison.Ordinal));
        Assert.Contains(Findings(Edit(_second + Next, _first)), f => f.ToString().Contains("damaged", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0x1000ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0xdead000000000100ul)]
    [InlineData(0xffffc90000001000ul)]
    public void DanglingLinksEndTheList(ulong link)
    {
        Assert.Contains(Findings(Edit(_first + Next, link)), f => f.ToString().Contains("cannot be read", StringComparison.Ordinal));
        Assert.Contains(Findings(Edit(_head + Next, link)), f => f.ToString().Contains("cannot be read", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0ul, ulong.MaxValue)]
    [InlineData(5ul, 5ul)]
    [InlineData(9ul, 3ul)]
    [InlineData(ulong.MaxValue, 1ul)]
    [InlineData(0ul, (1ul << 44) + 1)]
    public void AbsurdEntriesAreIgnored(ulong start, ulong end)
    {
        EditedCore edited = Edit(_first + Start, start);
        edited.WritePhysical64(_walker.Walk(_first + End)!.Value, end);
        Assert.Contains(Findings(edited), f => f.ToString().Contains("no range", StringComparison.Ordinal)
            && f.ToString().Contains($"0x{_first:x}", StringComparison.Ordinal));
    }

    /// <summary>Both values are in the finding.</summary>
    [Fact]
    public void DisagreementsAreReportedWithBothValues()
    {
        ulong start = _walker.VirtualWord(_first + Start), end = _walker.VirtualWord(_first + End);
        foreach (ulong wrong in new[] { end + 1, end + 512, start + 0x8000 })
        {
            IReadOnlyList<Finding> findings = Findings(Edit(_first + End, wrong));
            Assert.Contains(findings,
                f => f.ToString().Contains($"0x{start:x} - 0x{wrong:x}", StringComparison.Ordinal)
                    && f.ToString().Contains($"0x{start:x} - 0x{end:x}", StringComparison.Ordinal));
        }

        // An entry may end before the area does, but not before the memmap.
        foreach (ulong wrong in new[] { end - 512, end - 1, start + 1 })
            Assert.Contains(Findings(Edit(_first + End, wrong)),
                f => f.ToString().Contains("does not name it", StringComparison.Ordinal) && f.ToString().Contains($"0x{end:x}", StringComparison.Ordinal));
        IReadOnlyList<Finding> elsewhere = Findings(Edit(_first + Start, 0x100));
        Assert.NotEmpty(elsewhere);
    }

    [Fact]
    public void EntriesWithoutANamespaceAreReported()
    {
        EditedCore edited = Edit(_first + Start, 0x200);
        edited.WritePhysical64(_walker.Walk(_first + End)!.Value, 0x400);
        IReadOnlyList<Finding> findings = Findings(edited);
        Assert.Contains(findings, f => f.ToString().Contains("[0x200 - 0x400)", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.ToString().Contains($"0x{_spaces[1].Start:x}", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.ToString().Contains("does not name it", StringComparison.Ordinal));
    }

    private EditedCore Edit(ulong virtualAddress, ulong value) => new EditedCore(_core).WritePhysical64(_walker.Walk(virtualAddress)!.Value, value);

    /// <summary>The findings; the pmem and its metadata are right whatever they are.</summary>
    private IReadOnlyList<Finding> Findings(EditedCore core)
    {
        using CrashDump dump = CrashDump.Open(core);
        Assert.Equal(_machine.PmemMetadataPfns, dump.Pmem.Metadata.SelectMany(r => Enumerable.Range(0, (int)r.Count).Select(i => r.Start + (ulong)i)));
        Assert.Equal(384ul * 256, dump.Pmem.Pages.PageCount);
        Assert.Equal(2, dump.Pmem.Namespaces.Count);
        return dump.Pmem.Findings;
    }
}
