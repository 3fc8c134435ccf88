using System.Buffers.Binary;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.X86_64;

public sealed class BootParamsTests
{
    private const ulong Address = 0x1bea00000;

    [Fact]
    public void ThePageSaysWhereEverythingIs()
    {
        byte[] page = Build(3, running: false);
        KernelImage kernel = KernelFile.Parse("k", FakeKernel.BzImage());
        Assert.Equal("HdrS"u8.ToArray(), page.AsSpan(0x202, 4).ToArray());
        Assert.Equal(kernel.InitSize, Read32(page, 0x260));
        Assert.Equal(0, page[0x1ef]);
        Assert.Equal(0xd0, page[0x210]);
        Assert.Equal(Address + 4096, Read32(page, 0x228) | ((ulong)Read32(page, 0xc8) << 32));
        Assert.Equal(0x1bd000000ul, Read32(page, 0x218) | ((ulong)Read32(page, 0xc0) << 32));
        Assert.Equal(0x123456u, Read32(page, 0x21c));
        Assert.Equal("quiet\0"u8.ToArray(), page.AsSpan(4096, 6).ToArray());
        Assert.Equal(3, page[0x1e8]);
        Assert.Equal(0x2000ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x2d0 + 40)));
        Assert.Equal(0x800ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x2d0 + 48)));
        Assert.Equal(2u, Read32(page, 0x2d0 + 56));
        Assert.Equal(0xf59e0ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x70)));
        Assert.Equal((80, 25, 1, 16), (page[7], page[0x0e], page[0x0f], page[0x10]));
        // The header of the file ends at 0x26c; nothing of the code behind it may come along.
        Assert.True(page.AsSpan(0x26c, 0x2d0 - 0x26c).IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void TheRunningScreenIsTakenOverButNotItsEfi()
    {
        byte[] page = Build(1, running: true);
        Assert.Equal(0xaa, page[0]);
        Assert.Equal(0, page[2]);
        Assert.Equal(0, page[3]);
        Assert.Equal(0xaa, page[63]);
        Assert.Equal(0xaa, page[0x1ec]);
        Assert.True(page.AsSpan(0x1c0, 32).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(0, page[0x140]);
    }

    [Fact]
    public void MoreEntriesThanThePageHoldsGoToANodeBehindIt()
    {
        byte[] page = Build(300, running: false);
        Assert.Equal(128, page[0x1e8]);
        int seed = (int)(BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(0x250)) - Address);
        Assert.Equal((9u, 32u), (Read32(page, seed + 8), Read32(page, seed + 12)));
        Assert.Equal(7, page[seed + 16]);
        int ext = (int)(BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(seed)) - Address);
        Assert.Equal((1u, 172u * 20), (Read32(page, ext + 8), Read32(page, ext + 12)));
        Assert.Equal(0ul, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(ext)));
        for (int i = 0; i < 172; i++)
            Assert.Equal((ulong)(128 + i) << 12, BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan(ext + 16 + (i * 20))));
        Assert.Equal(BootParams.SizeOf(6, 300, 32, null), page.Length);
    }

    [Fact]
    public void EfiGoesOnWithTheRuntimeRegionsWhereTheyAreMapped()
    {
        byte[] info = new byte[32];
        info.AsSpan().Fill(0xbb);
        "EL64"u8.CopyTo(info);
        var efi = new EfiHandOff
        {
            Info = info,
            Vendor = 0x7f000001,
            Runtime = 0x7f000002,
            Tables = 0x7f000003,
            Smbios = 0x7f000004,
            Regions = [new(5, 0x7f100000, 0xfffffffeff100000, 16, 0x800000000000000f), new(6, 0x7f200000, 0xfffffffeff200000, 3, 7)],
        };
        byte[] page = Build(130, running: true, efi);
        Assert.Equal("EL64"u8.ToArray(), page[0x1c0..0x1c4]);
        // Where the system table is, and the version of descriptors, are the firmware's.
        Assert.Equal((0xbbbbbbbb, 0xbbbbbbbb, 0xbbbbbbbb), (Read32(page, 0x1c4), Read32(page, 0x1cc), Read32(page, 0x1d8)));
        Assert.Equal((40u, 80u), (Read32(page, 0x1c8), Read32(page, 0x1d4)));
        int map = (int)((Read32(page, 0x1d0) | ((ulong)Read32(page, 0x1dc) << 32)) - Address);
        Assert.Equal(page.Length - 80, map);
        Assert.Equal((6u, 0u), (Read32(page, map + 40), Read32(page, map + 44)));
        ulong[] words = [.. Enumerable.Range(0, 4).Select(i => Read64(page, map + 48 + (i * 8)))];
        Assert.Equal([0x7f200000ul, 0xfffffffeff200000, 3, 7], words);

        int node = (int)(Read64(page, 0x250) - Address);
        Assert.Equal((4u, 96u), (Read32(page, node + 8), Read32(page, node + 12)));
        Assert.Equal([0x7f000001ul, 0x7f000002, 0x7f000003, 0x7f000004, 0], Enumerable.Range(0, 5).Select(i => Read64(page, node + 16 + (i * 8))));
        int seed = (int)(Read64(page, node) - Address);
        Assert.Equal((9u, 7), (Read32(page, seed + 8), page[seed + 16]));
        int ext = (int)(Read64(page, seed) - Address);
        Assert.Equal((1u, 40u), (Read32(page, ext + 8), Read32(page, ext + 12)));
        Assert.Equal(BootParams.SizeOf(6, 130, 32, efi), page.Length);
    }

    /// <summary>--dtb of kexec-tools since 2.0.27: few PCs have a device tree, and the kernel takes it from a node (SETUP_DTB).</summary>
    [Fact]
    public void ADeviceTreeGoesToANodeBehindThePage()
    {
        byte[] tree = Arm64Lpa2.DeviceTree;
        using TestTree machine = TestTree.Stock().Bytes("/tree", tree).Bytes("/sys/firmware/fdt", tree).Bytes("/damaged", tree[..100]);
        foreach ((LoadOptions options, bool expected) in ((LoadOptions, bool)[])[
            (new() { DeviceTreeFile = machine.Root + "/tree" }, true), (new() { ForceDeviceTree = true }, true), (new(), false)])
        {
            LoadLayout layout = LoadPlanner.Plan(
                RunningSystemReader.Read(machine.Root), KernelFile.Parse("k", FakeKernel.BzImage()), default, options with { RandomSeed = new byte[32] })
                .Layout!;
            Segment page = layout.Segments.First(static s => s.Name == "boot_params");
            int node = (int)(Read64(page.Data.ToArray(), 0x250) - page.Memory.Start);
            Assert.Equal(expected ? 2u : 9u, Read32(page.Data.ToArray(), node + 8));
            Assert.Equal(expected, page.Data.Span.IndexOf(tree) == node + 16);
        }

        Assert.Contains("/damaged", Assert.Throws<KexecException>(() => LoadPlanner.Plan(RunningSystemReader.Read(machine.Root),
            KernelFile.Parse("k", FakeKernel.BzImage()), default, new() { DeviceTreeFile = machine.Root + "/damaged" })).Message, StringComparison.Ordinal);
    }

    private static ulong Read64(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));

    private static uint Read32(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset));

    private static byte[] Build(int entries, bool running, EfiHandOff? efi = null)
    {
        byte[] old = new byte[running ? 4096 : 0];
        old.AsSpan().Fill(0xaa);
        byte[] seed = new byte[32];
        seed[0] = 7;
        return BootParams.Build(new()
        {
            Address = Address,
            SetupHeader = ((BzImage)KernelFile.Parse("k", FakeKernel.BzImage())).SetupHeader,
            CommandLine = "quiet\0"u8.ToArray(),
            Initrd = new(0x1bd000000, 0x1bd123456),
            Memory = [.. Enumerable.Range(0, entries)
                .Select(static i => new MemoryMapEntry(new((ulong)i << 12, ((ulong)i << 12) + 0x800), MemoryMapType.Reserved))],
            Running = old,
            AcpiRsdp = 0xf59e0,
            Efi = efi,
            RandomSeed = seed,
        });
    }
}
