using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Summary;
using Vmcore.Kernel.Types;
using Vmcore.Tests.Kernel.Tasks;

namespace Vmcore.Tests.Kernel.Summary;

/// <summary>Errors of the hardware that the kernel counted: hwerr_data of Linux 7.3, with what a machine of pmem may have in it.</summary>
public sealed class RecoveredErrorsTests
{
    private const ulong Address = 0xffff_ffff_81aa_e780;

    [Fact]
    public void EachKindHasItsCountAndItsTime()
    {
        SparseMemory memory = Memory().Put(Address + 16, 844, 4).Put(Address + 24, 1_752_852_018).Put(Address + 48, 2, 4).Put(Address + 56, 1_752_852_019);
        Assert.Equal(["cpu 0 0", "memory 844 1752852018", "pci 0 0", "cxl 2 1752852019", "others 0 0"], Text(RecoveredErrors.Read(Types(), memory, Address)));
    }

    /// <summary>Drafts had a plain number; the time of the error in which the machine died may not be written yet.</summary>
    [Fact]
    public void ACountWithoutAStructAndWithoutItsTimeIsRead()
    {
        SparseMemory memory = Memory().Put(Address + 32, 1, 4);
        Assert.Equal("pci 1 0", Text(RecoveredErrors.Read(Types(isPlain: true), memory, Address))[2]);
    }

    [Theory]
    [InlineData(0, 1_752_852_018)]
    [InlineData(1, -1)]
    public void CountersThatContradictThemselvesAreNotBelieved(ulong count, long time)
    {
        SparseMemory memory = Memory().Put(Address, count, 4).Put(Address + 8, (ulong)time);
        Assert.Contains("contradict", Assert.Throws<KernelObjectException>(() => RecoveredErrors.Read(Types(), memory, Address)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutTypesOrMemoryNothingIsGuessed()
    {
        Assert.Contains("hwerr_info", Assert.Throws<KernelObjectException>(() => RecoveredErrors.Read(TypesByText.Parse("list_head 16: next ptr 0, prev ptr 8"),
            Memory(), Address)).Message, StringComparison.Ordinal);
        Assert.Throws<KernelObjectException>(() => RecoveredErrors.Read(Types(), new SparseMemory(), Address));
        // A kind that lies outside of the array, and a number of kinds that no kernel has.
        Assert.Empty(RecoveredErrors.Read(Types(length: 0), Memory(), Address));
        Assert.Equal(5, RecoveredErrors.Read(Types(length: int.MaxValue), Memory(), Address).Count(static e => e.Kind != "max"));
    }

    private static SparseMemory Memory() => new SparseMemory().Put(Address, 0).Put(Address + 72, 0);

    private static List<string> Text(IReadOnlyList<RecoveredErrors> errors) => [.. errors.Select(static e => $"{e.Kind} {e.Count} {e.Last}")];

    private static KernelTypes Types(bool isPlain = false, int length = 5)
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4), time = builder.Int("long long int", 8);
        uint counter = isPlain ? number : builder.Add(BtfKind.Typedef, "atomic_t", builder.Composite(BtfKind.Struct, "", 4, ("counter", number, 0)));
        builder.Composite(BtfKind.Struct, "hwerr_info", 16, ("count", counter, 0), ("timestamp", builder.Add(BtfKind.Typedef, "time64_t", time), 64));
        builder.Enum("hwerr_error_type", ("HWERR_RECOV_CPU", 0), ("HWERR_RECOV_MEMORY", 1), ("HWERR_RECOV_PCI", 2), ("HWERR_RECOV_CXL", 3),
            ("HWERR_RECOV_OTHERS", 4), ("HWERR_RECOV_MAX", length));
        return KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
    }
}
