using System.Text;
using Vmcore.Architectures;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Architectures;

/// <summary>Dumps of every page size and every width of virtual addresses, from the vmcore to the filtered file and what is read out of that.</summary>
public sealed class SmallMachineTests
{
    private const ulong LowRam = 1UL << 30;

    public static TheoryData<int, int, int, ulong> Arm64 => new()
    {
        { 12, 39, 39, LowRam },
        { 12, 48, 48, LowRam },
        { 12, 52, 48, LowRam },
        { 12, 52, 52, LowRam },
        { 12, 52, 52, (1UL << 50) + LowRam },
        { 14, 36, 36, LowRam },
        { 14, 47, 47, LowRam },
        { 14, 48, 48, LowRam },
        { 14, 52, 47, LowRam },
        { 14, 52, 52, LowRam },
        { 14, 52, 52, (3UL << 50) + LowRam },
        { 16, 42, 42, LowRam },
        { 16, 48, 48, LowRam },
        { 16, 52, 48, LowRam },
        { 16, 52, 52, LowRam },
        { 16, 52, 52, (5UL << 48) + LowRam },
    };

    [Theory]
    [MemberData(nameof(Arm64))]
    public void Arm64IsReadAndFiltered(int pageShift, int built, int actual, ulong ram)
    {
        SmallMachine machine = SmallMachine.Arm64(pageShift, built, actual, ram, out string keys);
        Check(machine, keys, "aarch64");

        // A kernel that does not say what its CPU does: only the right tables read its names.
        Check(machine, keys.Replace("NUMBER(TCR_EL1_T1SZ)", "NUMBER(unknown)", StringComparison.Ordinal), "aarch64");
        if (built == actual)
            Check(machine, keys.Replace("NUMBER(TCR_EL1_T1SZ)", "NUMBER(unknown)", StringComparison.Ordinal)
                .Replace("NUMBER(VA_BITS)", "NUMBER(unknown)", StringComparison.Ordinal), "aarch64");
    }

    [Theory]
    [InlineData(39)]
    [InlineData(48)]
    [InlineData(57)]
    public void Riscv64IsReadAndFiltered(int bits)
    {
        SmallMachine machine = SmallMachine.Riscv64(bits, out string keys);
        Check(machine, keys, "riscv64");
        Check(machine, keys.Replace("NUMBER(VA_BITS)", "NUMBER(unknown)", StringComparison.Ordinal), "riscv64");
    }

    private static void Check(SmallMachine machine, string keys, string name)
    {
        byte[] core = machine.ToElf(keys);
        using CrashDump dump = CrashDump.Open(new KdumpBytes(core, "small"));
        Assert.Equal(name, dump.Architecture.Name);
        Assert.Empty(dump.Problems);
        Assert.Null(dump.ClassificationProblem);
        Assert.True(dump.Kernel!.IsVerified);
        Assert.Equal((int)machine.PageSize, dump.Memory.PageSize);
        CheckWalk(dump.Kernel.Memory, machine);

        // A file of this format begins with two bits for every page below.
        if (machine.Ram >> 44 != 0)
            return;
        WrittenDump written = WrittenDump.Of(dump, new() { Level = (DumpLevel)31, Threads = 1 });
        ulong quarter = (machine.PageCount - (9UL * machine.PageCount / 16)) / 4;
        foreach (PageClass left in (PageClass[])[PageClass.Free, PageClass.User, PageClass.Cache])
            Assert.Equal(quarter, written.Report.Excluded[left]);
        Assert.Equal(machine.PageCount - (3 * quarter), written.Report.Remaining);
        using CrashDump again = written.Open();
        Assert.True(again.Kernel!.IsVerified);
        Assert.Equal(name, again.Kdump!.Header.Utsname.Machine);
        byte[] page = new byte[machine.PageSize];
        for (ulong i = 0; i < machine.PageCount; i++)
        {
            MemoryStatus status = again.Memory.ReadPage((machine.Ram >> dump.Memory.PageShift) + i, page);
            Assert.Equal(machine.KindOf(i) == 0 ? MemoryStatus.Ok : MemoryStatus.Excluded, status);
            Assert.True(machine.KindOf(i) != 0 || page.AsSpan().SequenceEqual(machine.Page(i)));
        }
    }

    private static void CheckWalk(KernelAddressSpace space, SmallMachine machine)
    {
        Translation found = space.Translate(machine.ImageVa + 0x123);
        Assert.Equal((MemoryStatus.Ok, unchecked(machine.ImageVa + 0x123 - machine.ImageOffset)), (found.Status, found.PhysicalAddress));
        IReadOnlyList<PageTableStep> steps = space.Walk(machine.ImageVa);
        Assert.Equal(space.Levels, steps.Count);
        Assert.All(steps, s => Assert.Equal(MemoryStatus.Ok, s.Status));
        Assert.Equal("PTE", steps[^1].Level);
        Assert.NotEmpty(space.FlagsOf(steps[^1]));
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(0x1000).Status);
        Assert.True(space.IsKernelAddress(machine.ImageVa));
        Assert.False(space.IsKernelAddress(0x7fff_1234_5678));
        byte[] names = new byte[5];
        Assert.Equal(MemoryStatus.Ok, space.Read(machine.ImageVa + 0x100, names));
        Assert.Equal("Linux", Encoding.ASCII.GetString(names));
    }
}
