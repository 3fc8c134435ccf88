using System.Buffers.Binary;
using System.Text;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Layout;

public sealed class ElfCoreHeaderTests
{
    [Fact]
    public void StockMachineGetsRamTextAndMetadataOnly()
    {
        using TestTree tree = TestTree.Stock();
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), PmemInDump.Metadata);
        Assert.Equal(
            """
            CpuNotes [0x2a14c00 - 0x2a14d70) 0 0
            CpuNotes [0x2b14c00 - 0x2b14d70) 0 0
            VmcoreInfo [0x13728000 - 0x13729024) 0 0
            KernelText [0x10a00000 - 0x13630000) ffffffffaa200000 7
            Ram [0x100000 - 0x4000000) ffff897a80100000 7
            Ram [0x10000000 - 0x1bfdc000) ffff897a90000000 7
            PmemMetadata [0x100000000 - 0x100600000) ffff897b80000000 17
            PmemMetadata [0x110000000 - 0x110400000) ffff897b90000000 17
            """,
            Text(headers));
    }

    [Fact]
    public void WholeRegionsIfAskedFor()
    {
        using TestTree tree = TestTree.Stock();
        ProgramHeader last = ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), PmemInDump.Region)[^1];
        Assert.Equal((HeaderKind.PmemRegion, new PhysicalRange(0x100000000, 0x11be00000)), (last.Kind, last.Memory));
        Assert.Equal(0x17u, last.Flags);
    }

    [Fact]
    public void NoPmemIfAskedFor()
    {
        using TestTree tree = TestTree.Stock();
        Assert.DoesNotContain(ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), PmemInDump.None), static h => h.IsPmem);
    }

    [Theory]
    [InlineData(PmemInDump.Metadata)]
    [InlineData(PmemInDump.Region)]
    public void MemoryOfDaxKmemIsRamAndNeverPmem(PmemInDump pmem)
    {
        using TestTree tree = Machines.NdReaderTests.Kmem();
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), pmem);
        ProgramHeader ram = Assert.Single(headers, static h => h.Memory.Start == 0x118000000);
        Assert.Equal((HeaderKind.Ram, 7u, 0x120000000ul), (ram.Kind, ram.Flags, ram.Memory.End));
        Assert.Equal(pmem == PmemInDump.Metadata ? 1 : 2,
            headers.Count(static h => h.IsPmem && h.Memory.Start < 0x110400000 | h.Memory.Start >= 0x120000000) + (pmem == PmemInDump.Region ? 1 : 0));
    }

    [Fact]
    public void BothCrashRegionsAndVirtioMemAreTreatedRight()
    {
        using TestTree tree = TwoRegions();
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), PmemInDump.Metadata);
        Assert.Equal(
            [new PhysicalRange(0x100000, 0x6d000000), new(0x7d000000, 0x80000000), new(0x100000000, 0x1af000000), new(0x1bf000000, 0x1c0000000),
                new(0x240000000, 0x248000000)],
            headers.Where(static h => h.Kind == HeaderKind.Ram).Select(static h => h.Memory));
    }

    [Fact]
    public void TheBytesAreThoseOfAnElfCoreFile()
    {
        using TestTree tree = TestTree.Stock();
        IReadOnlyList<ProgramHeader> headers = ElfCoreHeader.Describe(RunningSystemReader.Read(tree.Root), PmemInDump.Metadata);
        byte[] elf = ElfCoreHeader.Build(headers, 62);
        Assert.Equal(64 + (headers.Count * 56), elf.Length);
        Assert.Equal("7f454c4602010100" + "0000000000000000" + "04003e0001000000" + "0000000000000000" + "4000000000000000" + "0000000000000000" + "00000000"
            + "40003800" + "0800" + "0000" + "0000" + "0000", Convert.ToHexStringLower(elf.AsSpan(0, 64)));
        ReadOnlySpan<byte> last = elf.AsSpan(64 + (7 * 56), 56);
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(last));
        Assert.Equal(0x17u, BinaryPrimitives.ReadUInt32LittleEndian(last[4..]));
        Assert.Equal(0x110000000ul, BinaryPrimitives.ReadUInt64LittleEndian(last[8..]));
        Assert.Equal(0xffff897b90000000ul, BinaryPrimitives.ReadUInt64LittleEndian(last[16..]));
        Assert.Equal(0x110000000ul, BinaryPrimitives.ReadUInt64LittleEndian(last[24..]));
        Assert.Equal(0x400000ul, BinaryPrimitives.ReadUInt64LittleEndian(last[32..]));
        Assert.Equal(0x400000ul, BinaryPrimitives.ReadUInt64LittleEndian(last[40..]));
        Assert.Equal(0ul, BinaryPrimitives.ReadUInt64LittleEndian(last[48..]));
    }

    [Fact]
    public void MoreHeadersThanTheKernelReadsAreRefused()
    {
        var iomem = new StringBuilder("00100000-00200fff : System RAM\n  00150000-00150fff : Crash kernel\n");
        for (ulong i = 0; i < 65535; i++)
            iomem.Append(System.Globalization.CultureInfo.InvariantCulture, $"{0x100000000 + (i * 0x2000):x}-{0x100000fff + (i * 0x2000):x} : System RAM\n");
        RunningSystem system = Synthetic(iomem.ToString());
        KexecException e = Assert.Throws<KexecException>(() => ElfCoreHeader.Describe(system, PmemInDump.None));
        Assert.Contains("65534", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMachineThatSaysNothingOfItselfIsRefused()
    {
        RunningSystem system = Synthetic("00100000-7fffffff : System RAM\n");
        Assert.Contains("vmcoreinfo", Assert.Throws<KexecException>(() => ElfCoreHeader.Describe(system with { VmcoreInfo = null }, PmemInDump.None)).Message,
            StringComparison.Ordinal);
        Assert.Contains("crash_notes", Assert.Throws<KexecException>(() => ElfCoreHeader.Describe(system with { CpuNotes = [] }, PmemInDump.None)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void OverlappingNamespacesAreDescribedOnce()
    {
        RunningSystem system = Synthetic("00100000-7fffffff : System RAM\n") with
        {
            Namespaces = [Space("a", 0x100000000, 0x100600000), Space("b", 0x100400000, 0x100800000)],
        };
        Assert.Equal(
            [new PhysicalRange(0x100000000, 0x100600000), new(0x100600000, 0x100800000)],
            ElfCoreHeader.Describe(system, PmemInDump.Metadata).Where(static h => h.IsPmem).Select(static h => h.Memory));
    }

    internal static RunningSystem Synthetic(string iomem) => new()
    {
        IsLive = false,
        Machine = "x86_64",
        PageShift = 12,
        Firmware = new X86Firmware(),
        Iomem = Iomem.Parse(iomem),
        CpuNotes = [new(0x200000, 0x200170)],
        VmcoreInfo = new(0x300000, 0x301024),
        PageOffset = 0xffff888000000000,
    };

    /// <summary>crashkernel=256M,high: a low and a high region; 5 GiB of RAM and some from virtio-mem.</summary>
    internal static TestTree TwoRegions() => TestTree.Machine(
        """
        00000000-00000fff : Reserved
        00001000-0009fbff : System RAM
        00100000-7fffffff : System RAM
          01000000-01ffffff : Kernel code
          6d000000-7cffffff : Crash kernel
        e0000000-efffffff : PCI ECAM 0000 [bus 00-ff]
          e0000000-efffffff : Reserved
        100000000-1bfffffff : System RAM
          1af000000-1beffffff : Crash kernel
        240000000-2bfffffff : virtio0
          240000000-247ffffff : System RAM (virtio_mem)
        """,
        "0x13728000 1024", 0xffff888000000000, 0xffffffff81000000, 0x1000000, 0x2000000);

    private static NdNamespace Space(string name, ulong start, ulong end) => new()
    {
        Name = name,
        Range = new(start, end + 0x10000000),
        Mode = "fsdax",
        Memmap = MemmapPlace.Media,
        Metadata = new(start, end),
    };

    private static string Text(IReadOnlyList<ProgramHeader> headers) =>
        string.Join('\n', headers.Select(static h => $"{h.Kind} {h.Memory} {h.Virtual:x} {h.Flags:x}"));
}
