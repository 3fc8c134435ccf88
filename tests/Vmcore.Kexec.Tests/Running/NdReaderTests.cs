using Vmcore.Kexec.Tests.Layout;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class NdReaderTests
{
    [Fact]
    public void StockMachineHasAnFsdaxAndADevdaxNamespaceOnMedia()
    {
        using TestTree tree = TestTree.Stock();
        IReadOnlyList<NdNamespace> spaces = RunningSystemReader.Read(tree.Root).Namespaces;
        Assert.Equal(2, spaces.Count);
        Assert.Equal(("namespace0.0 (fsdax, pmem0)", MemmapPlace.Media), (spaces[0].Title, spaces[0].Memmap));
        Assert.Equal(new PhysicalRange(0x100000000, 0x110000000), spaces[0].Range);
        Assert.Equal(new PhysicalRange(0x100000000, 0x100600000), spaces[0].Metadata);
        Assert.Equal(("namespace0.1 (devdax, dax0.1)", MemmapPlace.Media), (spaces[1].Title, spaces[1].Memmap));
        Assert.Equal(new PhysicalRange(0x110000000, 0x110400000), spaces[1].Metadata);
    }

    [Fact]
    public void MapMemHasItsMemmapInRam()
    {
        using TestTree tree = TestTree.Rfc();
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.Equal([MemmapPlace.Media, MemmapPlace.Media, MemmapPlace.Ram], system.Namespaces.Select(static n => n.Memmap));
        Assert.Equal(2, system.NamespacesOnMedia.Count());
        Assert.True(system.Namespaces[2].Metadata.IsEmpty);
    }

    [Fact]
    public void ANamespaceWhoseClaimIsNotBoundHasNoMemmap()
    {
        using TestTree tree = TestTree.Stock()
            .Delete("/sys/bus/nd/devices/pfn0.0/resource").Delete("/sys/bus/nd/devices/pfn0.0/size").Delete("/sys/bus/nd/devices/pfn0.0/block");
        NdNamespace space = RunningSystemReader.Read(tree.Root).Namespaces[0];
        Assert.Equal(MemmapPlace.None, space.Memmap);
        Assert.Contains("not active", space.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("btt0.0", "safe", "sector")]
    [InlineData("", "raw", "raw")]
    [InlineData("../../../etc", "raw", "raw")]
    public void SectorAndRawHaveNone(string holder, string mode, string expected)
    {
        using TestTree tree = TestTree.Stock().File("/sys/bus/nd/devices/namespace0.0/holder", holder + "\n")
            .File("/sys/bus/nd/devices/namespace0.0/mode", mode + "\n");
        NdNamespace space = RunningSystemReader.Read(tree.Root).Namespaces[0];
        Assert.Equal((MemmapPlace.None, expected), (space.Memmap, space.Mode));
    }

    /// <summary>What the kernel knows to be bad is in no PT_LOAD: the capture kernel would stop there.</summary>
    [Theory]
    [InlineData("", "100000-100600 110000-110400", 0)]
    // The second page, one sector of the fifth, user data, and the end of the region and beyond.
    [InlineData("8 8\n33 1\n200000 16\n913407 99999999\n", "100000-100001 100002-100004 100005-100600 110000-110400", 2)]
    [InlineData("0 18446744073709551615\n", "", 0x600)]
    [InlineData("99999999999 1\nx y\n-1 5\n5\n8 0\n", "100000-100600 110000-110400", 0)]
    public void BadPagesAreLeftOutAndSaid(string badblocks, string expected, int pages)
    {
        TestTree tree = TestTree.Stock().File("/sys/bus/nd/devices/region0/badblocks", badblocks);
        LoadPlan plan = LoadPlannerTests.Plan(tree, new() { Syscall = LoadSyscall.Load });
        Assert.Equal(expected,
            string.Join(' ', plan.Layout!.Headers.Where(static h => h.IsPmem).Select(static h => $"{h.Memory.Start >> 12:x}-{h.Memory.End >> 12:x}")));
        string said = string.Join('\n', plan.Warnings);
        Assert.Equal(pages > 0, said.Contains($"namespace0.0 (fsdax, pmem0): {pages} pages of its memmap cannot be read", StringComparison.Ordinal));
        Assert.DoesNotContain(": 0 pages", said, StringComparison.Ordinal);
    }

    [Fact]
    public void OfAPatchedKernelThatDescribesBadPagesItIsSaid()
    {
        TestTree tree = TestTree.Stock().File("/sys/bus/nd/devices/region0/badblocks", "8 8\n")
            .File("/sys/module/crash_pmem/parameters/headers", "memmap\n");
        Assert.Contains("may stop at them", Assert.Single(LoadPlannerTests.Plan(tree, new() { Syscall = LoadSyscall.FileLoad }).FileWarnings),
            StringComparison.Ordinal);
    }

    [Fact]
    public void LegacyPmemWithoutAnInfoBlockHasItsMemmapInRam()
    {
        using TestTree tree = Legacy();
        NdNamespace space = Assert.Single(RunningSystemReader.Read(tree.Root).Namespaces);
        Assert.Equal(MemmapPlace.Ram, space.Memmap);
        Assert.Equal("namespace0.0 (fsdax, pmem0)", space.Title);
    }

    [Fact]
    public void LegacyPmemMadeRawByForceHasNone()
    {
        using TestTree tree = Legacy().File("/sys/bus/nd/devices/namespace0.0/force_raw", "1\n");
        Assert.Equal(MemmapPlace.None, Assert.Single(RunningSystemReader.Read(tree.Root).Namespaces).Memmap);
    }

    [Fact]
    public void MemoryGivenToTheSystemIsRamAndNoPmem()
    {
        using TestTree tree = Kmem();
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.Equal(("system-ram", MemmapPlace.SystemRam), (system.Namespaces[1].Mode, system.Namespaces[1].Memmap));
        Assert.True(system.HasKmem);
        Assert.True(system.Iomem.SystemRam(12).Contains(0x118000));
        Assert.False(system.Pmem.Contains(0x118000));
        Assert.True(system.Pmem.Contains(0x110000));
    }

    [Fact]
    public void DataOutsideTheNamespaceIsNotBelieved()
    {
        using TestTree tree = TestTree.Stock().File("/sys/bus/nd/devices/pfn0.0/resource", "0x90000000\n");
        Assert.Equal(MemmapPlace.None, RunningSystemReader.Read(tree.Root).Namespaces[0].Memmap);
    }

    /// <summary>The stock machine with the devdax namespace bound to kmem.</summary>
    internal static TestTree Kmem() => TestTree.Stock()
        .Delete("/sys/bus/dax/devices/dax0.1/driver")
        .Link("/sys/bus/dax/devices/dax0.1/driver", "../../drivers/kmem")
        .File("/proc/iomem", Stock612.Iomem.Replace(
            "  110400000-117ffffff : dax0.1", "  110400000-117ffffff : dax0.1\n    118000000-11fffffff : System RAM (kmem)", StringComparison.Ordinal) + "\n");

    private static TestTree Legacy() => TestTree.Machine(
            """
            00001000-0009fbff : System RAM
            00100000-bfffffff : System RAM
              20000000-2fffffff : Crash kernel
            240000000-2ffffffff : Persistent Memory (legacy)
              240000000-2ffffffff : namespace0.0
            """,
            "0x13728000 1024", 0xffff888000000000, 0xffffffff81000000, 0x1000000, 0x2000000)
        .Devices("/sys/bus/nd/devices",
            "namespace0.0/resource=0x240000000\nnamespace0.0/size=3221225472\nnamespace0.0/mode=memory\nnamespace0.0/holder=\nnamespace0.0/force_raw=0")
        .File("/sys/bus/nd/devices/namespace0.0/block/pmem0/size", "0");
}
