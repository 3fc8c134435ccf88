using Vmcore.Ranges;

namespace Vmcore.Kexec.Tests.Layout;

public sealed class LiveMetadataTests
{
    private const ulong MiB = 1 << 20;
    private const ulong Start = 4096 * MiB;

    // Sizes in MiB and what was counted on the media of real kernels: 2 MiB for each whole section, from 2 MiB on.
    [Theory]
    [InlineData(0, 256, 6, 2, 6)]
    [InlineData(0, 128, 4, 2, 4)]
    [InlineData(0, 192, 4, 2, 4)]
    [InlineData(0, 112, 2, 0, 0)]
    [InlineData(64, 256, 6, 2, 4)]
    [InlineData(0, 16384, 258, 2, 258)]
    public void OnlyWholeSectionsAreOnTheMedia(ulong offset, ulong size, ulong area, ulong memmapStart, ulong memmapEnd)
    {
        ulong start = Start + (offset * MiB);
        PhysicalRange reserve = new(start, start + 8192);
        PhysicalRange[] expected = memmapEnd == 0 ? [reserve] : [reserve, new(start + (memmapStart * MiB), start + (memmapEnd * MiB))];
        Assert.Equal(expected, LiveMetadata.Of(Space(start, size * MiB, area * MiB), System()));
    }

    [Fact]
    public void AnyDoubtTakesTheWholeArea()
    {
        NdNamespace good = Space(Start, 256 * MiB, 6 * MiB);
        Assert.Equal(2, LiveMetadata.Of(good, System()).Count);
        Assert.Equal([good.Metadata], LiveMetadata.Of(good, System() with { StructPageSize = 0 }));
        Assert.Equal([good.Metadata], LiveMetadata.Of(good with { Data = default }, System()));
        Assert.Equal([good.Metadata], LiveMetadata.Of(good with { Alignment = 1 << 30 }, System()));
        NdNamespace padded = Space(Start, 256 * MiB, 8 * MiB);
        Assert.Equal([padded.Metadata], LiveMetadata.Of(padded, System()));
        NdNamespace odd = Space(Start + 4096, 256 * MiB, 6 * MiB);
        Assert.Equal([odd.Metadata], LiveMetadata.Of(odd, System()));
    }

    private static RunningSystem System() => ElfCoreHeaderTests.Synthetic("00100000-7fffffff : System RAM\n") with { StructPageSize = 64 };

    private static NdNamespace Space(ulong start, ulong size, ulong area) => new()
    {
        Name = "namespace0.0",
        Range = new(start, start + size),
        Mode = "fsdax",
        Memmap = MemmapPlace.Media,
        Metadata = new(start, start + area),
        Data = new(start + area, start + size),
        Alignment = 2 << 20,
    };
}
