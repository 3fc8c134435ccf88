using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Testing;

namespace Vmcore.Tests.IO;

public sealed class WholeFileMappingTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-io-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ReadsAreWhatTheFileHolds()
    {
        byte[] content = new byte[100_001];
        new Random(1).NextBytes(content);
        string path = Write("a", content);
        using IByteSource source = MappedSource.OpenBest(path, MappingChoice.AllFiles);
        Assert.IsType<WholeFileMapping>(source);
        Assert.Equal(path, source.Name);
        Assert.Equal(content.Length, source.Length);
        byte[] some = new byte[5000];
        foreach (long offset in (long[])[0, 1, 4095, 4096, 95_001, 98_000, 100_000])
        {
            int expected = (int)Math.Min(some.Length, content.Length - offset);
            Assert.Equal(expected, source.Read(offset, some));
            Assert.True(content.AsSpan((int)offset, expected).SequenceEqual(some.AsSpan(0, expected)));
        }

        Assert.Equal(0, source.Read(content.Length, some));
        Assert.Equal(0, source.Read(long.MaxValue, some));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(-1, some));
        source.Dispose();
        Assert.Throws<ObjectDisposedException>(() => source.Read(0, some));
    }

    [Fact]
    public void WhatCannotBeMappedIsRead()
    {
        using IByteSource empty = MappedSource.OpenBest(Write("empty", []), MappingChoice.AllFiles);
        Assert.IsType<FileSource>(empty);
        using IByteSource device = MappedSource.OpenBest("/dev/null", MappingChoice.AllFiles);
        Assert.IsType<FileSource>(device);
        Assert.Throws<FileAccessException>(() => MappedSource.OpenBest(Path.Combine(_folder, "none"), MappingChoice.AllFiles));
    }

    [Fact]
    public void FilesAreMappedOnlyIfAskedFor()
    {
        string path = Write("a", [1, 2, 3]);
        foreach (MappingChoice mapping in (MappingChoice[])[MappingChoice.ProcVmcore, MappingChoice.None])
        {
            using IByteSource source = MappedSource.OpenBest(path, mapping);
            Assert.IsType<FileSource>(source);
        }
    }

    [Fact]
    public void AMappedDumpHasTheSameMemory()
    {
        string path = Path.Combine(_folder, "core");
        new SyntheticMachine(new()).AddRam(0x100000, 8 << 20).PlaceMany(0x180, 64, PageKind.KernelData)
            .Core(new()).WriteSparse(path, static segment => segment.FileSize);
        using CrashDump mapped = CrashDump.Open(path, new() { Mapping = MappingChoice.AllFiles });
        using CrashDump read = CrashDump.Open(path);
        byte[] one = new byte[4096], other = new byte[4096];
        for (ulong pfn = 0x100; pfn < 0x900; pfn++)
        {
            Assert.Equal(read.Memory.ReadPage(pfn, one), mapped.Memory.ReadPage(pfn, other));
            Assert.True(one.AsSpan().SequenceEqual(other));
            Assert.Equal(MemoryStatus.Ok, mapped.Memory.Read((pfn * 4096) + 100, other.AsSpan(0, 50)));
        }
    }

    private string Write(string name, byte[] content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
