using Vmcore.Dumping;
using Vmcore.Memmap;
using Vmcore.Ranges;
using Vmcore.Testing;

namespace Vmcore.Tests.Dumping;

/// <summary>Blocks larger than a window, and windows that start in the middle of one.</summary>
public sealed class DumpBlockTests
{
    private const ulong Huge = 0x40000, HugePages = 1ul << 18;

    [Theory]
    [InlineData(KernelEra.V5_10)]
    [InlineData(KernelEra.V6_6)]
    [InlineData(KernelEra.V6_12)]
    public void GibibytePagesSpanEightWindows(KernelEra era)
    {
        SyntheticMachine machine = Machine(era, PageKind.Hugetlb);
        CoreImage core = machine.Core();
        foreach (int level in new[] { 8, 31 })
        {
            WrittenDump dump = WrittenDump.Of(core, level);
            new DumpOracle(machine, core, level).CheckKdump(dump);
        }
    }

    /// <summary>A window may be asked for without those before it.</summary>
    [Fact]
    public void WindowsInAnyOrderSayTheSame()
    {
        SyntheticMachine machine = Machine(KernelEra.V6_1, PageKind.Hugetlb);
        CoreImage core = machine.Core();
        using CrashDump dump = CrashDump.Open(new CoreSource(core));
        var window = new PlanWindow();
        foreach ((DumpLevel level, bool goes) in new[] { (DumpLevel.User, true), (DumpLevel.Free | DumpLevel.CachePrivate, false) })
        {
            var plan = new DumpRequest(dump, new() { Level = level });
            ulong[] windows = [.. plan.Windows()];
            ulong excluded = 0;
            foreach (ulong number in windows.Reverse())
            {
                new Classifiers(plan).Create().Classify(number, window);
                excluded += window.Excluded[PageClass.User];
                if (number is >= 8 and < 16)
                    Assert.Equal(goes ? 0 : PlanWindow.Pages, PageBits.Count(window.Kept));
            }

            Assert.Equal(goes ? HugePages + 8 : 0, excluded);
        }
    }

    /// <summary>The head of the block is not in the core: then nobody knows what its tails are, and they stay.</summary>
    [Fact]
    public void TailsWhoseHeadIsNotThereStay()
    {
        SyntheticMachine machine = Machine(KernelEra.V6_1, PageKind.AnonHuge);
        CoreImage core = machine.Core();
        EditedCore edited = new EditedCore(core).Hole(Huge << 12, (Huge << 12) + 4096);
        using CrashDump dump = CrashDump.Open(edited);
        var window = new PlanWindow();
        WindowClassifier classifier = new Classifiers(new DumpRequest(dump, new() { Level = DumpLevel.User })).Create();
        for (ulong number = 8; number < 16; number++)
        {
            classifier.Classify(number, window);
            Assert.Equal(number == 8 ? PlanWindow.Pages - 1 : PlanWindow.Pages, PageBits.Count(window.Kept));
        }
    }

    private static SyntheticMachine Machine(KernelEra era, PageKind kind)
    {
        var machine = new SyntheticMachine(new() { Era = era });
        machine.AddRam(0x100000, 63 * Machines.MiB).AddRam(Machines.GiB, Machines.GiB + (64 * Machines.MiB));
        return machine.Place(Huge, kind, 18).PlaceMany(Huge + HugePages, 8, PageKind.Anonymous);
    }
}
