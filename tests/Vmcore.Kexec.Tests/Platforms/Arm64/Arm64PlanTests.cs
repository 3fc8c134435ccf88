using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.Arm64;

public sealed class Arm64PlanTests
{
    private static readonly byte[] Initrd = FakeKernel.Gzip(FakeKernel.Cpio(100_000));

    [Fact]
    public void TheHeadersAreThoseOfTheRealLoad()
    {
        // As the measuring loader of that machine had them, which its capture kernel read; the pmem is ours.
        Assert.Equal(
            """
            CpuNotes [0x6f87e600 - 0x6f87e7a8) 0 0
            CpuNotes [0x6f8a0600 - 0x6f8a07a8) 0 0
            VmcoreInfo [0x69b92000 - 0x69b93024) 0 0
            KernelText [0x61800000 - 0x64330000) ffffa197c8400000 7
            Ram [0x40000000 - 0x55800000) fff0000040000000 7
            Ram [0x61800000 - 0x699e0000) fff0000061800000 7
            Ram [0x699f0000 - 0x6c440000) fff00000699f0000 7
            Ram [0x6c730000 - 0x6fc00000) fff000006c730000 7
            Ram [0x6ffe0000 - 0x70000000) fff000006ffe0000 7
            PmemMetadata [0x80000000 - 0x80002000) fff0000080000000 17
            PmemMetadata [0x80200000 - 0x80600000) fff0000080200000 17
            PmemMetadata [0x90000000 - 0x90002000) fff0000090000000 17
            PmemMetadata [0x90200000 - 0x90400000) fff0000090200000 17
            """,
            string.Join('\n', Plan(TestTree.Arm64()).Layout!.Headers.Select(static h => $"{h.Kind} {h.Memory} {h.Virtual:x} {h.Flags:x}")));
    }

    [Fact]
    public void SegmentsSuitEveryPageSize()
    {
        LoadLayout layout = Plan(TestTree.Arm64()).Layout!;
        Assert.Equal(["kernel", "initrd", "elfcorehdr", "dtb", "stub"], layout.Segments.Select(static s => s.Name));
        Assert.All(layout.Segments, static s => Assert.Equal(0ul, (s.Memory.Start | s.Memory.End) & 0xffff));
        Assert.Equal(new PhysicalRange(0x55a00000, 0x55c00000), layout.Segments[0].Memory);
        Assert.Equal(layout.Segments[4].Memory.Start, layout.Entry);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Segment segment in layout.Segments.Where(static s => s.Name != "stub"))
        {
            Assert.True(segment.IsVerified);
            hash.AppendData(segment.Data.Span);
            hash.AppendData(new byte[(int)segment.VerifiedLength - segment.Data.Length]);
        }

        Assert.Equal(Convert.ToHexStringLower(hash.GetHashAndReset()), layout.Digest);
        Assert.Equal(183, BinaryPrimitives.ReadUInt16LittleEndian(layout.Segments[2].Data.Span[18..]));
        layout.Validate();
    }

    [Fact]
    public void TheTreeTellsTheCaptureKernelWhatItNeeds()
    {
        LoadLayout layout = Plan(TestTree.Arm64(), new() { CommandLine = "nr_cpus=1", RandomSeed = new byte[32].Select(static (_, i) => (byte)i).ToArray() })
            .Layout!;
        DeviceTreeNode chosen = Chosen(layout);
        Assert.Equal(layout.CommandLine.Text, chosen.GetText("bootargs"));
        Assert.Equal(layout.Segments[1].Memory.Start, chosen.GetNumber("linux,initrd-start"));
        Assert.Equal(layout.Segments[1].Memory.Start + (ulong)Initrd.Length, chosen.GetNumber("linux,initrd-end"));
        Assert.Equal(Cells(layout.Segments[2].Memory), chosen.Get("linux,elfcorehdr")!);
        Assert.Equal(Cells(new PhysicalRange(0x55800000, 0x61800000)), chosen.Get("linux,usable-memory-range")!);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], chosen.Get("kaslr-seed")!);
        Assert.Equal(24, chosen.Get("rng-seed")!.Length);
        Assert.Equal(0x6ffd0018ul, chosen.GetNumber("linux,uefi-system-table"));
        Assert.True(layout.HandsEfiOver);
        Assert.DoesNotContain("elfcorehdr=", layout.CommandLine.Text, StringComparison.Ordinal);
        Assert.Contains(layout.Memory, m => m.Type == MemoryMapType.Reserved && m.Range == layout.Segments[2].Memory);
    }

    [Fact]
    public void WhatWasTheRunningKernelsIsNotHandedOn()
    {
        DeviceTreeBlob old = DeviceTreeBlob.Parse(Arm64Lpa2.DeviceTree, "fdt");
        DeviceTreeNode chosen = old.Root.Find("chosen")!;
        chosen.Set("kaslr-seed", 0x1234567890abcdef);
        chosen.Set("rng-seed", new byte[128]);
        chosen.Set("linux,initrd-start", 0x48000000);
        chosen.Set("linux,initrd-end", 0x48100000);
        chosen.Set("linux,elfcorehdr", new byte[16]);
        old.Reservations.Add(new(0x48000000, 0x48100000));
        old.Reservations.Add(new(0x4a000000, 0x4a100000));
        TestTree tree = TestTree.Arm64().Bytes("/sys/firmware/fdt", old.ToBytes());
        LoadLayout layout = LoadPlanner.Plan(RunningSystemReader.Read(tree.Root), KernelFile.Parse("Image", FakeKernel.Arm64Image()), default, Load()).Layout!;
        DeviceTreeBlob blob = DeviceTreeBlob.Parse(layout.Segments.First(static s => s.Name == "dtb").Data.Span, "dtb");
        Assert.Equal([new(0x4a000000, 0x4a100000)], blob.Reservations);
        DeviceTreeNode now = blob.Root.Find("chosen")!;
        Assert.Null(now.Get("kaslr-seed"));
        Assert.Null(now.Get("rng-seed"));
        Assert.Null(now.Get("linux,initrd-start"));
        Assert.NotEqual(new byte[16], now.Get("linux,elfcorehdr")!);
    }

    [Fact]
    public void OfTwoRegionsTheHighOneComesFirst()
    {
        TestTree tree = TestTree.Arm64().File("/proc/iomem",
            "40000000-7fffffff : System RAM\n  50000000-57ffffff : Crash kernel\n  61800000-634fffff : Kernel code\n"
            + "100000000-13fffffff : System RAM\n  120000000-12fffffff : Crash kernel\n");
        LoadPlan plan = Plan(tree);
        Assert.All(plan.Layout!.Segments, static s => Assert.InRange(s.Memory.Start, 0x120000000ul, 0x130000000ul));
        Assert.Equal(
            [.. Cells(new(0x120000000, 0x130000000)), .. Cells(new(0x50000000, 0x58000000))], Chosen(plan.Layout).Get("linux,usable-memory-range")!);
        // Memory on both sides of 4 GiB: bounce buffers.
        Assert.Equal(64ul << 20, plan.Memory.BounceBuffers);
        Assert.Equal(0ul, Plan(TestTree.Arm64()).Memory.BounceBuffers);
    }

    [Fact]
    public void MemoryOfCmaComesBehindTheRegions()
    {
        LoadPlan plan = Plan(TestTree.Arm64().File("/sys/kernel/kexec/crash_cma_ranges", "64400000-663fffff\n"));
        Assert.Equal(
            [.. Cells(new(0x55800000, 0x61800000)), .. Cells(new(0x64400000, 0x66400000))], Chosen(plan.Layout!).Get("linux,usable-memory-range")!);
        Assert.DoesNotContain(plan.Layout!.Headers, static h => h.Kind == HeaderKind.Ram && h.Memory.Contains(0x64400000));
        Assert.Contains(plan.Layout.Memory, static m => m.Type == MemoryMapType.Ram && m.Range == new PhysicalRange(0x64400000, 0x66400000));
    }

    [Theory]
    [InlineData("nr_cpus=1", "nr_cpus=1 initcall_blacklist=nd_pmem_driver_init,dax_pmem_init,nfit_init,of_pmem_region_driver_init,"
        + "virtio_pmem_driver_init,cxl_pmem_init cma=0")]
    [InlineData("cma=16M",
        "cma=16M initcall_blacklist=nd_pmem_driver_init,dax_pmem_init,nfit_init,of_pmem_region_driver_init,virtio_pmem_driver_init,cxl_pmem_init")]
    public void PmemIsKeptOutAndCmaTakesNothing(string line, string expected)
    {
        LoadPlan plan = Plan(TestTree.Arm64(), new() { CommandLine = line });
        Assert.Equal(expected, plan.Layout!.CommandLine.Text);
        Assert.Equal(expected, Plan(TestTree.Arm64(), new() { CommandLine = line, Syscall = LoadSyscall.FileLoad }).FileCommandLine!.Text);
    }

    [Fact]
    public void WithoutATreeThereIsNoLoad()
    {
        const string file = "fdt";
        KexecException e = Refusal(TestTree.Arm64().Delete($"/sys/firmware/{file}"), new());
        Assert.Contains("give the tree with --dtb", e.Message, StringComparison.Ordinal);
        Assert.Contains("is damaged at offset 0x0",
            Refusal(TestTree.Arm64().File($"/sys/firmware/{file}", "nonsense nonsense nonsense nonsense nonsense"), new()).Message,
            StringComparison.Ordinal);
        Assert.Contains("--noefi leaves the capture kernel without", Refusal(TestTree.Arm64(), new() { NoEfi = true }).Message, StringComparison.Ordinal);
        // kexec_file_load needs none from us.
        Assert.Null(Plan(TestTree.Arm64().Delete($"/sys/firmware/{file}"), new() { Syscall = LoadSyscall.FileLoad }).Layout);
    }

    [Fact]
    public void ATreeByHandTakesThePlaceOfTheFirmwares()
    {
        using TestTree files = new();
        DeviceTreeBlob tree = DeviceTreeBlob.Parse(DeviceTree.DeviceTreeBlobTests.Sample(), "fdt");
        var memory = new DeviceTreeNode("memory@40000000");
        memory.Set("device_type", "memory\0"u8.ToArray());
        memory.Set("reg", Cells(new(0x40000000, 0x80000000)));
        tree.Root.Nodes.Add(memory);
        files.Bytes("/m.dtb", tree.ToBytes());
        LoadLayout layout = Plan(TestTree.Arm64(), new() { DeviceTreeFile = $"{files.Root}/m.dtb" }).Layout!;
        Assert.False(layout.HandsEfiOver);
        // Sizes of one cell: that tree does not say more.
        Assert.Equal(12, Chosen(layout).Get("linux,elfcorehdr")!.Length);
        Assert.Contains("describes no memory", Refusal(TestTree.Arm64().Bytes("/sys/firmware/fdt", DeviceTree.DeviceTreeBlobTests.Sample()), new()).Message,
            StringComparison.Ordinal);
        Assert.Contains("Cannot read the device tree", Refusal(TestTree.Arm64(), new() { DeviceTreeFile = "/nowhere.dtb" }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AKernelOfAnotherMachineIsRefused()
    {
        Assert.Contains("it is a kernel for x86_64, and this machine is aarch64; give an Image",
            Refusal(TestTree.Arm64(), new(), FakeKernel.BzImage()).Message, StringComparison.Ordinal);
        Assert.Contains("it is a kernel for aarch64, and this machine is x86_64; give a bzImage",
            Refusal(TestTree.Stock(), new(), FakeKernel.Arm64Image()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("riscv64", 183, "Kernels for riscv64 cannot be loaded")]
    [InlineData(null, 243, "Kernels for ELF machine 243 cannot be loaded")]
    [InlineData(null, 183, "")]
    [InlineData("aarch64", 0, "")]
    public void TheMachineIsThatOfTheTreeOrRefusedByName(string? arch, int elf, string expected)
    {
        TestTree tree = TestTree.Arm64().Bytes("/proc/kcore", TestTree.Kcore((ushort)elf, Arm64Lpa2.Kcore, Arm64Lpa2.Info));
        tree = arch is null ? tree.Delete("/proc/sys/kernel/arch") : tree.File("/proc/sys/kernel/arch", arch + "\n");
        if (expected.Length == 0)
            Assert.Equal("aarch64", RunningSystemReader.Read(tree.Root).Machine);
        else
            Assert.Contains(expected, Assert.Throws<KexecException>(() => RunningSystemReader.Read(tree.Root)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PAGESIZE=16384\n", 14)]
    [InlineData("PAGESIZE=65536\n", 16)]
    [InlineData("PAGESIZE=8192\n", -1)]
    [InlineData("", 0)]
    public void ThePageSizeIsThatOfTheTree(string info, int shift)
    {
        TestTree tree = TestTree.Arm64().Bytes("/proc/kcore", TestTree.Kcore(183, Arm64Lpa2.Kcore, "\n" + info));
        if (shift > 0)
        {
            Assert.Equal(shift, RunningSystemReader.Read(tree.Root).PageShift);
            return;
        }

        string message = Assert.Throws<KexecException>(() => RunningSystemReader.Read(tree.Root)).Message;
        Assert.Contains(shift < 0 ? "A page size of 8192 bytes" : "does not tell its page size", message, StringComparison.Ordinal);
        byte[] vector = new byte[32];
        BinaryPrimitives.WriteUInt64LittleEndian(vector, 6);
        BinaryPrimitives.WriteUInt64LittleEndian(vector.AsSpan(8), 65536);
        if (shift == 0)
            Assert.Equal(16, RunningSystemReader.Read(tree.Bytes("/proc/self/auxv", vector).Root).PageShift);
    }

    [Fact]
    public void AKernelThatShowsNoSymbolsIsDescribedByKcore()
    {
        // Linux 6.1 of Debian has no _text in kallsyms; "Kernel code" begins behind it.
        TestTree tree = TestTree.Arm64()
            .File("/proc/kallsyms", "ffffc291141c0000 T _stext\n")
            .File("/proc/iomem", "40000000-6397ffff : System RAM\n  403c0000-415bffff : Kernel code\n  41e50000-423bffff : Kernel data\n")
            .Bytes("/proc/kcore",
                TestTree.Kcore(183, [(0xffffc291141b0000, 0x403b0000, 0x2010000), (0xffff4a9280000000, 0x40000000, 0x23980000)], Arm64Lpa2.Info));
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.Equal(new KernelTextRange(new(0x403b0000, 0x423c0000), 0xffffc291141b0000), system.KernelText);
        Assert.Equal(0xffff4a9240000000ul, system.PageOffset);
        // Without kcore, what iomem and the one symbol tell.
        TestTree poor = tree.Bytes("/proc/kcore", TestTree.Kcore(183, [], Arm64Lpa2.Info));
        system = RunningSystemReader.Read(poor.Root);
        Assert.Equal(new KernelTextRange(new(0x403c0000, 0x423c0000), 0xffffc291141c0000), system.KernelText);
        Assert.Null(system.PageOffset);
    }

    [Theory]
    [InlineData(null, StubConsoleKind.None, 0ul)]
    [InlineData("pl011,0x9000000", StubConsoleKind.Pl011, 0x9000000ul)]
    [InlineData("0x9000000", StubConsoleKind.Pl011, 0x9000000ul)]
    [InlineData("uart8250,mmio32,0xfe215040", StubConsoleKind.Uart32, 0xfe215040ul)]
    [InlineData("uart8250,mmio,0x1c020000", StubConsoleKind.Uart8, 0x1c020000ul)]
    public void SerialLinesAreNamedAsForEarlycon(string? value, StubConsoleKind kind, ulong address) =>
        Assert.Equal(new(kind, address), Platform.Of("aarch64")!.FindConsole(value, new Arm64Firmware()));

    [Theory]
    [InlineData("ttyS0")]
    [InlineData("uart8250,io,0x3f8")]
    [InlineData("pl011,zzz")]
    public void OtherSerialLinesAreRefused(string value) => Assert.Contains(
        $"--serial={value}", Assert.Throws<KexecException>(() => Platform.Of("aarch64")!.FindConsole(value, new Arm64Firmware())).Message,
            StringComparison.Ordinal);

    [Fact]
    public void TheFirmwareTellsSerialLineAndReset()
    {
        byte[] spcr = new byte[80], fadt = new byte[276];
        "SPCR"u8.CopyTo(spcr);
        spcr[36] = 3;
        BinaryPrimitives.WriteUInt64LittleEndian(spcr.AsSpan(44), 0x9000000);
        "FACP"u8.CopyTo(fadt);
        fadt[129] = 3;
        TestTree acpi = TestTree.Arm64().Bytes("/sys/firmware/acpi/tables/SPCR", spcr).Bytes("/sys/firmware/acpi/tables/FACP", fadt);
        var firmware = (Arm64Firmware)RunningSystemReader.Read(acpi.Root).Firmware;
        Assert.Equal((new StubConsole(StubConsoleKind.Pl011, 0x9000000), PsciConduit.Hvc), (firmware.Console, firmware.Psci));

        DeviceTreeBlob tree = DeviceTreeBlob.Parse(Arm64Lpa2.DeviceTree, "fdt");
        tree.Root.Find("chosen")!.Set("stdout-path", "/serial@fe215040:115200\0"u8.ToArray());
        var serial = new DeviceTreeNode("serial@fe215040");
        serial.Set("compatible", "ns16550a\0"u8.ToArray());
        serial.Set("reg", Cells(new(0xfe215040, 0xfe215080)));
        serial.Set("reg-shift", [0, 0, 0, 2]);
        var psci = new DeviceTreeNode("psci");
        psci.Set("compatible", Encoding.ASCII.GetBytes("arm,psci-1.0\0arm,psci-0.2\0"));
        psci.Set("method", "smc\0"u8.ToArray());
        tree.Root.Nodes.AddRange([serial, psci]);
        firmware = (Arm64Firmware)RunningSystemReader.Read(TestTree.Arm64().Bytes("/sys/firmware/fdt", tree.ToBytes()).Root).Firmware;
        Assert.Equal((new StubConsole(StubConsoleKind.Uart32, 0xfe215040), PsciConduit.Smc), (firmware.Console, firmware.Psci));
    }

    // Sizes in MiB; what the kernel's vmem_altmap takes (arch/arm64: base pages of partial sections too).
    [Theory]
    [InlineData(12, 27, 0, 256, 6, "0-2000 200000-600000")]
    [InlineData(12, 27, 0, 112, 2, "0-1c2000")]
    [InlineData(12, 27, 64, 256, 6, "0-102000 200000-500000")]
    [InlineData(14, 27, 0, 256, 32, "0-104000")]
    [InlineData(16, 29, 0, 1024, 512, "0-110000")]
    [InlineData(12, 0, 0, 256, 6, "0-600000")]
    public void MetadataIsWhatTheKernelOfArm64Writes(int shift, int section, ulong offset, ulong size, ulong area, string expected)
    {
        const ulong mib = 1 << 20;
        ulong start = (4096 * mib) + (offset * mib);
        RunningSystem system = Layout.ElfCoreHeaderTests.Synthetic("40000000-7fffffff : System RAM\n") with
        {
            Machine = "aarch64",
            PageShift = shift,
            SectionSizeBits = section,
            StructPageSize = 64,
            Firmware = new Arm64Firmware(),
        };
        var space = new NdNamespace
        {
            Name = "namespace0.0",
            Range = new(start, start + (size * mib)),
            Mode = "fsdax",
            Memmap = MemmapPlace.Media,
            Metadata = new(start, start + (area * mib)),
            Data = new(start + (area * mib), start + (size * mib)),
            Alignment = Math.Max(2, area == 32 ? 32ul : area == 512 ? 512ul : 2ul) * mib,
        };
        string found = string.Join(' ', LiveMetadata.Of(space, system).Select(r => $"{r.Start - start:x}-{r.End - start:x}"));
        Assert.Equal(expected, found);
        // RAM in the same section: then those struct pages lie in RAM, all of them.
        if (offset == 64)
        {
            RunningSystem shared = system with { Iomem = Iomem.Parse($"{start - mib:x}-{start - 1:x} : System RAM\n") };
            Assert.Equal(2, LiveMetadata.Of(space, shared).Count);
            RunningSystem unknown = system with { Iomem = Iomem.Parse($"{start - mib:x}-{start - 1:x} : reserved\n") };
            Assert.Equal([space.Metadata], LiveMetadata.Of(space, unknown));
        }
    }

    private static byte[] Cells(PhysicalRange range)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, range.Start);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), range.Length);
        return bytes;
    }

    private static DeviceTreeNode Chosen(LoadLayout layout) =>
        DeviceTreeBlob.Parse(layout.Segments.First(static s => s.Name == "dtb").Data.Span, "dtb").Root.Find("chosen")!;

    private static LoadOptions Load() => new() { Syscall = LoadSyscall.Load };

    private static LoadPlan Plan(TestTree tree, LoadOptions? options = null, byte[]? kernel = null)
    {
        using (tree)
        {
            KernelImage image = KernelFile.Parse("Image", kernel ?? FakeKernel.Arm64Image());
            return LoadPlanner.Plan(RunningSystemReader.Read(tree.Root), image, Initrd, options ?? Load());
        }
    }

    private static KexecException Refusal(TestTree tree, LoadOptions options, byte[]? kernel = null) =>
        Assert.Throws<KexecException>(() => Plan(tree, options, kernel));
}
