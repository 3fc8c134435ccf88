using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Layout;

public sealed class LoadPlannerTests
{
    private static readonly byte[] Initrd = FakeKernel.Gzip(FakeKernel.Cpio(100_000));

    [Fact]
    public void SegmentsAreWhereTheKernelTakesThem()
    {
        LoadPlan plan = Plan(TestTree.Stock(), new() { CommandLine = "nr_cpus=1" });
        LoadLayout layout = plan.Layout!;
        Assert.Equal(["kernel", "initrd", "elfcorehdr", "boot_params", "stub"], layout.Segments.Select(static s => s.Name));
        Assert.Equal(new PhysicalRange(0x4200000, 0x4400000), layout.Segments[0].Memory);
        Assert.Equal(0x10000000ul, layout.Segments[1].Memory.End);
        Assert.Equal(16384ul, layout.Segments[2].Memory.Length);
        Assert.Equal(layout.Segments[4].Memory.Start, layout.Entry);
        Assert.Equal(8192ul, layout.Segments[4].Memory.Length);
        Assert.Contains($"elfcorehdr={layout.Segments[2].Memory.Start >> 10}K", layout.CommandLine.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(layout.Memory, e => e.Type == MemoryMapType.Ram && !e.Range.Intersect(layout.Segments[2].Memory).IsEmpty);
        layout.Validate();
    }

    [Fact]
    public void TheDigestIsThatOfAllVerifiedMemory()
    {
        LoadLayout layout = Plan(TestTree.Stock(), new()).Layout!;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Segment segment in layout.Segments.Where(static s => s.Name != "stub"))
        {
            Assert.True(segment.IsVerified);
            hash.AppendData(segment.Data.Span);
            hash.AppendData(new byte[-segment.Data.Length & 4095]);
            Assert.Equal(segment.Memory.Start, segment.Verified.Start);
            Assert.InRange(segment.Verified.End, segment.Memory.Start + (ulong)segment.Data.Length, segment.Memory.End);
        }

        byte[] digest = hash.GetHashAndReset();
        Assert.Equal(Convert.ToHexStringLower(digest), layout.Digest);
        // The stub carries it, as words of the state.
        byte[] words = new byte[32];
        for (int i = 0; i < 8; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(words.AsSpan(i * 4), BinaryPrimitives.ReadUInt32BigEndian(digest.AsSpan(i * 4)));
        Assert.True(layout.Segments[4].Data.Span.IndexOf(words) > 0);
    }

    [Fact]
    public void WithoutChecksNothingIsVerified()
    {
        LoadLayout layout = Plan(TestTree.Stock(), new() { SkipChecks = true }).Layout!;
        Assert.DoesNotContain(layout.Segments, static s => s.IsVerified);
        Assert.Equal("", layout.Digest);
        Assert.True(layout.Segments[^1].Data.Length < 256);
    }

    [Fact]
    public void TheHighestRegionIsUsedAndBothAreRam()
    {
        LoadPlan plan = Plan(ElfCoreHeaderTests.TwoRegions(), new());
        Assert.All(plan.Layout!.Segments, static s => Assert.InRange(s.Memory.Start, 0x1af000000ul, 0x1bf000000ul));
        ReadOnlySpan<byte> page = plan.Layout.Segments[3].Data.Span;
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(page[0xc0..]));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(page[0xc8..]));
        Assert.Equal(512ul << 20, plan.Memory.Reserved);
    }

    [Fact]
    public void MemMinAndMaxNarrowTheRegion()
    {
        LoadLayout layout = Plan(TestTree.Stock(), new() { MemoryMin = 0x8000000, MemoryMax = 0xbffffff }).Layout!;
        Assert.All(layout.Segments, static s => Assert.True(s.Memory.Start >= 0x8000000 && s.Memory.End <= 0xc000000));
        Assert.Contains("--mem-min", Refusal(TestTree.Stock(), new() { MemoryMin = 0x20000000 }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoRegionAndARegionTooSmallAreRefused()
    {
        KexecException none = Refusal(TestTree.Machine("00100000-7fffffff : System RAM\n", "0x300000 1024", 0, 0xffffffff81000000, 0x1000000, 0x1000), new());
        Assert.Equal(1, none.ExitStatus);
        Assert.Contains("crashkernel=", none.Message, StringComparison.Ordinal);
        KexecException small = Refusal(TestTree.Stock(), new(), FakeKernel.BzImage(initSize: 0xc000000));
        Assert.Equal(1, small.ExitStatus);
        Assert.Contains("larger crashkernel=", small.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARegionThatFitsTheSegmentsButNotTheWorkIsWarnedOf()
    {
        TestTree tree = TestTree.Stock()
            .File("/proc/iomem", Stock612.Iomem.Replace("04000000-0fffffff : Crash", "04000000-057fffff : Crash", StringComparison.Ordinal));
        LoadPlan plan = Plan(tree, new(), FakeKernel.BzImage(initSize: 0x800000));
        Assert.Contains("has 24 MiB and needs about 29 MiB with this initramfs: boot with crashkernel=32M or more", Assert.Single(plan.Warnings),
            StringComparison.Ordinal);
    }

    [Fact]
    public void AKernelThatCannotMoveMustFitWhereItIs()
    {
        Assert.Contains("relocatable", Refusal(TestTree.Stock(), new(), FakeKernel.BzImage(relocatable: false)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LoadSyscall.Best, "Load,FileLoad")]
    [InlineData(LoadSyscall.Auto, "FileLoad,Load")]
    [InlineData(LoadSyscall.Load, "Load")]
    [InlineData(LoadSyscall.FileLoad, "FileLoad")]
    public void WithMemmapOnMediaKexecLoadComesFirstUnlessToldOtherwise(LoadSyscall syscall, string expected) =>
        Assert.Equal(expected, string.Join(',', Plan(TestTree.Stock(), new() { Syscall = syscall }).Order));

    [Fact]
    public void WithoutPmemTheOrderIsThatOfKexecTools()
    {
        Assert.Equal([LoadSyscall.FileLoad, LoadSyscall.Load], Plan(ElfCoreHeaderTests.TwoRegions(), new()).Order);
        Assert.Equal([LoadSyscall.FileLoad, LoadSyscall.Load], Plan(TestTree.Stock(), new() { Pmem = PmemInDump.None }).Order);
    }

    [Fact]
    public void LockdownLeavesOnlyTheFileCall()
    {
        static TestTree Locked() => TestTree.Stock().File("/sys/kernel/security/lockdown", "none [integrity] confidentiality");
        Assert.Equal([LoadSyscall.FileLoad], Plan(Locked(), new()).Order);
        Assert.Contains("locked down", Refusal(Locked(), new() { Syscall = LoadSyscall.Load }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OnlyWhereXenLoadsItTheLoadIsRefused()
    {
        static TestTree Xen() => TestTree.Stock().File("/sys/hypervisor/type", "xen\n");
        foreach (LoadSyscall syscall in (LoadSyscall[])[LoadSyscall.Best, LoadSyscall.Load, LoadSyscall.FileLoad])
        {
            Assert.Contains("of Xen", Refusal(Xen().File("/proc/xen/capabilities", "control_d\n"), new() { Syscall = syscall }).Message,
                StringComparison.Ordinal);
            Assert.Contains("of Xen", Refusal(Xen().File("/sys/hypervisor/guest_type", "PV\n"), new() { Syscall = syscall }).Message, StringComparison.Ordinal);
        }

        // Others are as bare metal.
        Assert.Equal([LoadSyscall.FileLoad], Plan(Xen(), new() { Syscall = LoadSyscall.FileLoad }).Order);
        Assert.Equal(2, Plan(Xen().File("/sys/hypervisor/guest_type", "HVM\n"), new()).Order.Count);
        Assert.Equal(2, Plan(Xen().File("/sys/hypervisor/guest_type", "PVH\n").File("/proc/xen/capabilities", "\n"), new()).Order.Count);
    }

    [Fact]
    public void TheFileCallOnAStockKernelNamesWhatIsLost()
    {
        string warning = Assert.Single(Plan(TestTree.Stock(), new()).FileWarnings);
        Assert.Contains("namespace0.0 (fsdax, pmem0) and namespace0.1 (devdax, dax0.1) will not be in the dump", warning, StringComparison.Ordinal);
        Assert.Contains("-c", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("will not be", Assert.Single(Plan(TestTree.Rfc(), new()).FileWarnings), StringComparison.Ordinal);
    }

    [Fact]
    public void TheFileCallsLineHasNoElfcorehdrAndLeavesRoomForIt()
    {
        LoadPlan plan = Plan(TestTree.Stock(), new() { CommandLine = "quiet" });
        Assert.DoesNotContain("elfcorehdr", plan.FileCommandLine!.Text, StringComparison.Ordinal);
        Assert.Contains("initcall_blacklist=", plan.FileCommandLine.Text, StringComparison.Ordinal);
        Assert.Contains("may have 2017", Refusal(TestTree.Stock(), new() { Syscall = LoadSyscall.FileLoad, CommandLine = new('x', 2018) }).Message,
            StringComparison.Ordinal);
        Assert.Contains("may have 2017: shorten it by 1 bytes", Refusal(TestTree.Stock(),
            new() { Syscall = LoadSyscall.FileLoad, Pmem = PmemInDump.None, CommandLine = new('x', 2018) }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADumpTargetOnPmemIsRefusedOrWarnedOf()
    {
        KexecException e = Refusal(TestTree.Stock(), new() { DumpTargets = ["dm-0", "pmem0p1", "pmem0"] });
        Assert.Contains("pmem0p1 (namespace0.0, fsdax)", e.Message, StringComparison.Ordinal);
        Assert.Contains("--keep-pmem-drivers", e.Message, StringComparison.Ordinal);
        Assert.Contains("overwrite the memmap", Assert.Single(Plan(TestTree.Stock(), new() { DumpTargets = ["pmem0"], KeepPmemDrivers = true }).Warnings),
            StringComparison.Ordinal);
        Assert.Contains("root=", Assert.Single(Plan(TestTree.Stock(), new() { RootDevices = ["pmem0"] }).Warnings), StringComparison.Ordinal);
        Assert.Empty(Plan(TestTree.Stock(), new() { DumpTargets = ["vda1"], RootDevices = ["vda1"] }).Warnings);
    }

    [Fact]
    public void HotplugFlagsAreNotUsedWhereTheyDropThePmem()
    {
        LoadPlan pmem = Plan(TestTree.Stock().File("/sys/kernel/crash_elfcorehdr_size", "921600"), new() { Hotplug = true, Syscall = LoadSyscall.Load });
        Assert.False(pmem.Layout!.AllowsHotplug);
        Assert.Contains("--hotplug", Assert.Single(pmem.Warnings), StringComparison.Ordinal);

        LoadPlan ram = Plan(ElfCoreHeaderTests.TwoRegions().File("/sys/kernel/crash_elfcorehdr_size", "921600"), new() { Hotplug = true });
        Assert.True(ram.Layout!.AllowsHotplug);
        Segment header = ram.Layout.Segments.Single(static s => s.Name == "elfcorehdr");
        Assert.Equal((921600ul, false), (header.Memory.Length, header.IsVerified));
        Assert.Empty(ram.Warnings);

        Assert.False(Plan(ElfCoreHeaderTests.TwoRegions(), new() { Hotplug = true }).Layout!.AllowsHotplug);
    }

    [Fact]
    public void EfiMachinesGetTheAcpiPointerOnTheLineToo()
    {
        LoadPlan plan = Plan(TestTree.Stock().File("/sys/firmware/efi/systab", "ACPI20=0x7fbfa014\n"), new());
        Assert.Contains(" acpi_rsdp=0x7fbfa014 ", plan.Layout!.CommandLine.Text, StringComparison.Ordinal);
        Assert.Equal(0x7fbfa014ul, BinaryPrimitives.ReadUInt64LittleEndian(plan.Layout.Segments[3].Data.Span[0x70..]));
    }

    [Fact]
    public void EfiMachinesHandTheirRuntimeServicesOver()
    {
        LoadLayout layout = Plan(TestTree.Stock().Efi(), new()).Layout!;
        Assert.True(layout.HandsEfiOver);
        Assert.DoesNotContain("acpi_rsdp=", layout.CommandLine.Text, StringComparison.Ordinal);
        ReadOnlySpan<byte> page = layout.Segments[3].Data.Span;
        Assert.Equal(0x7fb7e014ul, BinaryPrimitives.ReadUInt64LittleEndian(page[0x70..]));
        Assert.Equal("EL64"u8, page[0x1c0..0x1c4]);
        Assert.Equal(0x7f9ee018u, BinaryPrimitives.ReadUInt32LittleEndian(page[0x1c4..]));
        ulong map = BinaryPrimitives.ReadUInt32LittleEndian(page[0x1d0..]) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(page[0x1dc..]) << 32);
        Assert.True(layout.Segments[3].Verified.Contains(map));
        Assert.Equal(0x7f8ed000ul, BinaryPrimitives.ReadUInt64LittleEndian(page[(int)(map - layout.Segments[3].Memory.Start + 8)..]));
    }

    public static TheoryData<string> NoHandOff => ["--noefi", "old kernel", "no map", "broken map", "no tables", "32-bit", "version", "old_map"];

    [Theory]
    [MemberData(nameof(NoHandOff))]
    public void WhereEfiCannotBeHandedOverAcpiIsToldInstead(string why)
    {
        TestTree tree = TestTree.Stock().Efi();
        byte[] kernel = FakeKernel.BzImage();
        switch (why)
        {
            case "old kernel": kernel[0x236] = 0x0f; break;
            case "no map": tree.Delete("/sys/firmware/efi/runtime-map"); break;
            case "broken map": tree.File("/sys/firmware/efi/runtime-map/1/virt_addr", "?\n"); break;
            case "no tables": tree.Delete("/sys/firmware/efi/config_table"); break;
            case "32-bit" or "version":
                byte[] page = File.ReadAllBytes(tree.Root + "/sys/kernel/boot_params/data");
                if (why == "version")
                    page[0x1cc] = 2;
                else
                    "32"u8.CopyTo(page.AsSpan(0x1c2));
                tree.Bytes("/sys/kernel/boot_params/data", page);
                break;
            case "old_map": tree.File("/proc/cmdline", "quiet efi=old_map,debug\n"); break;
            default: Assert.Equal("--noefi", why); break;
        }

        LoadLayout layout = Plan(tree, new() { NoEfi = why == "--noefi" }, kernel).Layout!;
        Assert.False(layout.HandsEfiOver);
        Assert.Contains(" acpi_rsdp=0x7fb7e014 ", layout.CommandLine.Text, StringComparison.Ordinal);
        Assert.True(layout.Segments[3].Data.Span[0x1c0..0x1e0].IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void BounceBuffersCountWhereMemoryMayLieAbove4GiB()
    {
        TestTree Small() => TestTree.Stock()
            .File("/proc/iomem", Stock612.Iomem.Replace("04000000-0fffffff : Crash", "04000000-07ffffff : Crash", StringComparison.Ordinal));
        byte[] kernel = FakeKernel.BzImage(initSize: 0x800000);
        Assert.Empty(Plan(Small(), new(), kernel).Warnings);
        LoadPlan plan = Plan(Small().Srat(0x100000000, 0x40000000, 3), new(), kernel);
        Assert.Equal(64ul << 20, plan.Memory.BounceBuffers);
        string warning = Assert.Single(plan.Warnings);
        Assert.Contains("has 64 MiB and needs about 93 MiB with this initramfs: boot with crashkernel=96M or more", warning, StringComparison.Ordinal);
        Assert.Contains("swiotlb=noforce", warning, StringComparison.Ordinal);
        Assert.Empty(Plan(Small().Srat(0x100000000, 0x40000000, 3), new() { CommandLine = "swiotlb=noforce" }, kernel).Warnings);
        Assert.Empty(Plan(Small().Srat(0x100000000, 0x40000000, 2), new(), kernel).Warnings);
    }

    [Fact]
    public void TheMemoryMapGoesToTheLineIfAskedFor()
    {
        LoadLayout layout = Plan(TestTree.Stock(), new() { PassMemmap = true }).Layout!;
        Assert.Contains(" memmap=exactmap ", layout.CommandLine.Text, StringComparison.Ordinal);
        Assert.Contains($" memmap={(layout.Segments[2].Memory.Start - 0x4000000) >> 10}K@65536K ", layout.CommandLine.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void MoreThan128MapEntriesAreLoadedToo()
    {
        var iomem = new StringBuilder(Stock612.Iomem + "\n");
        for (int i = 0; i < 200; i++)
            iomem.Append(System.Globalization.CultureInfo.InvariantCulture, $"{0x20000000 + (i * 0x2000):x}-{0x20000fff + (i * 0x2000):x} : Reserved\n");
        LoadLayout layout = Plan(TestTree.Stock().File("/proc/iomem", iomem.ToString()), new()).Layout!;
        Assert.True(layout.Memory.Count > 200);
        Assert.Equal(128, layout.Segments[3].Data.Span[0x1e8]);
        Assert.NotEqual(0ul, BinaryPrimitives.ReadUInt64LittleEndian(layout.Segments[3].Data.Span[0x250..]));
    }

    [Fact]
    public void AUnifiedImagesInitramfsIsUsedUnlessAnotherIsGiven()
    {
        KernelImage uki = KernelFile.Parse("uki", FakeKernel.Pe((".linux", FakeKernel.BzImage()), (".initrd", [1, 2, 3])));
        using TestTree tree = TestTree.Stock();
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.Equal(3, LoadPlanner.Plan(system, uki, default, new()).Initrd.Length);
        Assert.Equal(Initrd.Length, LoadPlanner.Plan(system, uki, Initrd, new()).Initrd.Length);
    }

    [Fact]
    public void ALayoutThatTheKernelWouldRefuseLateIsRefusedEarly()
    {
        LoadLayout layout = Plan(TestTree.Stock(), new()).Layout!;
        Segment kernel = layout.Segments[0];
        foreach (Segment bad in (Segment[])[
            kernel with { Memory = new(kernel.Memory.Start + 1, kernel.Memory.End) },
            kernel with { Memory = new(kernel.Memory.Start, kernel.Memory.Start + 4096) },
            kernel with { Memory = new(0x1000000, 0x2000000) },
            kernel with { Memory = new(kernel.Memory.Start, kernel.Memory.Start), Data = default },
            kernel with { Memory = new(layout.Entry, layout.Entry + 0x100000) }])
        {
            Assert.Throws<KexecException>(() => (layout with { Segments = [bad, .. layout.Segments.Skip(1)] }).Validate());
        }

        Assert.Throws<KexecException>(() => (layout with { Entry = 0x4000000 }).Validate());
    }

    internal static LoadPlan Plan(TestTree tree, LoadOptions options, byte[]? kernel = null)
    {
        using (tree)
            return LoadPlanner.Plan(RunningSystemReader.Read(tree.Root), KernelFile.Parse("vmlinuz", kernel ?? FakeKernel.BzImage()), Initrd, options);
    }

    private static KexecException Refusal(TestTree tree, LoadOptions options, byte[]? kernel = null) =>
        Assert.Throws<KexecException>(() => Plan(tree, options, kernel));
}
