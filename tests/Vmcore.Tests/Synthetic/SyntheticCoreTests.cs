using Vmcore.Testing;

namespace Vmcore.Tests.Synthetic;

/// <summary>The shapes of synthetic vmcores.</summary>
public sealed class SyntheticCoreTests
{
    [Fact]
    public void FileArrayAndReadsAgree()
    {
        SyntheticMachine machine = Small();
        var shape = new ElfShape { Producer = CoreProducer.KexecLoad };
        byte[] whole = machine.ToElf(shape);
        CoreImage core = machine.Core(shape);
        Assert.Equal(core.Length, whole.Length);
        byte[] part = new byte[10000];
        for (long offset = 0; offset < whole.Length; offset += 777777)
        {
            int read = core.Read(offset, part);
            Assert.True(part.AsSpan(0, read).SequenceEqual(whole.AsSpan((int)offset, read)));
        }

        string path = Path.GetTempFileName();
        try
        {
            machine.WriteSparse(path, shape);
            Assert.True(File.ReadAllBytes(path).AsSpan().SequenceEqual(whole));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void QemuPutsSectionsFirstAndAddressesAsTheyAre()
    {
        CoreImage core = Small().Core(new() { Producer = CoreProducer.Qemu, Cpus = 3 });
        var walker = new CoreWalker(core);
        Assert.Equal(192ul, walker.Half(32));
        Assert.Equal(8ul, walker.Half(52));
        Assert.Equal(3, walker.Cpus);
        Assert.All(core.Segments, s => Assert.Equal(s.Physical, s.Virtual));
        Assert.All(core.Segments, s => Assert.Equal(0u, s.Flags));
        Assert.False(walker.Info.ContainsKey("CRASHTIME"));
        Assert.NotNull(walker.Walk(walker.Hex("SYMBOL(_stext)")));
    }

    [Theory]
    [InlineData(CoreProducer.FileLoad)]
    [InlineData(CoreProducer.Qemu)]
    public void ManyProgramHeadersAreCountedInSectionZero(CoreProducer producer)
    {
        var walker = new CoreWalker(Small().Core(new() { Producer = producer, ExtraSegments = 66000 }));
        Assert.Equal(0xfffful, walker.Half(56));
        Assert.InRange(walker.ProgramHeaders, 66001ul, 66010ul);
        Assert.NotNull(walker.Walk(walker.Hex("SYMBOL(_stext)")));
    }

    [Fact]
    public void OfflineCpusAndVmcoreinfoCanBeMissing()
    {
        var walker = new CoreWalker(Small().Core(new() { Cpus = 8, OfflineCpus = [1, 5], Vmcoreinfo = false }));
        Assert.Equal(6, walker.Cpus);
        Assert.Empty(walker.Info);
    }

    [Fact]
    public void TrimmedSegmentsAndTheCrashKernelHaveNoData()
    {
        var machine = new SyntheticMachine(new() { CrashKernel = (32 << 20, 8 << 20) });
        machine.AddRam(0x1000, 0x9ec00).AddRam(0x100000, 63 << 20);
        CoreImage core = machine.Core(new() { TrimmedPages = 2 });
        Assert.False(core.HasData(0x3fff));
        Assert.True(core.HasData(0x3ffd));
        Assert.False(core.HasData(0x2000));
        Assert.True(core.HasData(0x2800));
        Assert.False(core.HasData(0x10));
        Assert.True(machine.Core(new() { Producer = CoreProducer.KexecLoad }).HasData(0x9f));
        Assert.Equal((ulong)core.Pfns().Count(), machine.Count(core, 0)[ExpectedVerdict.Keep]);
    }

    private static SyntheticMachine Small() =>
        new SyntheticMachine().AddRam(0x1000, 0x9ec00).AddRam(0x100000, 39 << 20).PlaceMany(0x1800, 20, PageKind.Anonymous);
}
