using Vmcore.IO;

namespace Vmcore.Tests.IO;

public sealed class MappedSourceTests : IDisposable
{
    private const int Window = MappedSource.WindowSize;
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-io-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Some windows and a part of one; each word tells its place.</summary>
    private FileSource Make(long length, out byte[] content)
    {
        content = new byte[length];
        for (int i = 0; i + 4 <= content.Length; i += 4)
            BitConverter.TryWriteBytes(content.AsSpan(i), i * 2654435761u);
        string path = Path.Combine(_folder, "a");
        File.WriteAllBytes(path, content);
        return FileSource.Open(path);
    }

    [Fact]
    public void ReadsAreWhatTheFileHolds()
    {
        using var source = new MappedSource(Make((3L * Window) + 5000, out byte[] content));
        Assert.False(source.IsMapped);
        Assert.Equal(content.Length, source.Length);
        byte[] all = new byte[content.Length + 10];
        Assert.Equal(content.Length, source.Read(0, all));
        Assert.True(content.AsSpan().SequenceEqual(all.AsSpan(0, content.Length)));
        Assert.True(source.IsMapped);
        byte[] some = new byte[1000];
        foreach (long offset in (long[])[0, 1, Window - 500, Window, (3L * Window) - 1, (3L * Window) + 4500])
        {
            int expected = (int)Math.Min(some.Length, content.Length - offset);
            Assert.Equal(expected, source.Read(offset, some));
            Assert.True(content.AsSpan((int)offset, expected).SequenceEqual(some.AsSpan(0, expected)));
        }

        Assert.Equal(0, source.Read(content.Length, some));
        Assert.Equal(0, source.Read(long.MaxValue, some));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(-1, some));
    }

    [Fact]
    public void ALookAtAFewBytesMapsNothingAndASecondOneDoes()
    {
        using var source = new MappedSource(Make(2L * Window, out byte[] content));
        byte[] some = new byte[64];
        source.Read(100, some);
        Assert.False(source.IsMapped);
        Assert.Equal(content[100..164], some);
        source.Read(Window + 100, some);
        Assert.False(source.IsMapped);
        source.Read(200, some);
        Assert.True(source.IsMapped);
        Assert.Equal(content[200..264], some);
    }

    [Fact]
    public void WindowsAreFewAndAllAreGivenBack()
    {
        int mapped = 0;
        using (var source = new MappedSource(
            Make((MappedSource.WindowCount + 4L) * Window, out byte[] content), (_, _, _) => ++mapped > 0 ? -1 : 0))
        {
            byte[] some = new byte[Window];
            for (int i = 0; i < MappedSource.WindowCount + 4; i++)
                Assert.Equal(Window, source.Read((long)i * Window, some));
            Assert.Equal(MappedSource.WindowCount + 4, mapped);
            // The last ones are known to be unmappable, the first ones are forgotten.
            source.Read((MappedSource.WindowCount + 3L) * Window, some);
            Assert.Equal(MappedSource.WindowCount + 4, mapped);
            source.Read(0, some);
            Assert.Equal(MappedSource.WindowCount + 5, mapped);
            Assert.True(content.AsSpan(0, Window).SequenceEqual(some));
            Assert.False(source.IsMapped);
        }

        int before = MapsOf("a");
        using (var source = new MappedSource(FileSource.Open(Path.Combine(_folder, "a"))))
        {
            byte[] some = new byte[LargeRead];
            for (int i = 0; i < MappedSource.WindowCount + 4; i++)
                source.Read((long)i * Window, some);
            Assert.InRange(MapsOf("a"), before + 1, before + MappedSource.WindowCount);
        }

        Assert.Equal(before, MapsOf("a"));
    }

    private const int LargeRead = 65536;

    private int MapsOf(string name) => File.ReadLines("/proc/self/maps").Count(l => l.EndsWith(Path.Combine(_folder, name), StringComparison.Ordinal));

    [Fact]
    public void SeveralThreadsReadMoreWindowsThanThereAre()
    {
        using var source = new MappedSource(Make(40L * Window, out byte[] content));
        Parallel.For(0, 400, new() { MaxDegreeOfParallelism = 24 }, i =>
        {
            byte[] some = new byte[100_000];
            long offset = (i * 7919L * 4096) % (content.Length - some.Length);
            if (source.Read(offset, some) != some.Length || !content.AsSpan((int)offset, some.Length).SequenceEqual(some))
                throw new InvalidOperationException($"wrong bytes at {offset}");
        });
        Assert.True(source.IsMapped);
    }

    [Fact]
    public void OnlyFilesOfProcAreMapped()
    {
        Make(100, out _).Dispose();
        using IByteSource file = MappedSource.OpenBest(Path.Combine(_folder, "a"), MappingChoice.ProcVmcore);
        Assert.IsType<FileSource>(file);
        using IByteSource proc = MappedSource.OpenBest("/proc/self/status", MappingChoice.ProcVmcore);
        Assert.IsType<MappedSource>(proc);
        // It cannot be mapped, and says what it says all the same.
        byte[] some = new byte[5];
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(5, proc.Read(0, some));
            Assert.Equal("Name:"u8.ToArray(), some);
        }
    }

    [Fact]
    public void AClosedOneReadsNoMore()
    {
        var source = new MappedSource(Make(Window, out _));
        source.Dispose();
        source.Dispose();
        Assert.Throws<ObjectDisposedException>(() => source.Read(0, new byte[1]));
    }
}
