using Vmcore.IO;

namespace Vmcore.Tests.IO;

public sealed class FileSourceSinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-io-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    [Fact]
    public void WhatIsWrittenAtOffsetsIsReadBack()
    {
        using (FileSink sink = FileSink.Create(At("a"), overwrite: false))
        {
            Assert.Equal(At("a"), sink.Name);
            sink.Write(5000, [1, 2, 3]);
            sink.Write(0, [9, 9]);
            sink.Write(1, [8]);
            sink.Write(7, []);
            sink.Complete(6000);
            Assert.Equal(6, sink.BytesWritten);
        }

        using FileSource source = FileSource.Open(At("a"));
        Assert.Equal(6000, source.Length);
        byte[] expected = new byte[6000];
        expected[0] = 9;
        expected[1] = 8;
        expected[5000] = 1;
        expected[5001] = 2;
        expected[5002] = 3;
        byte[] bytes = new byte[7000];
        Assert.Equal(6000, source.Read(0, bytes));
        Assert.Equal(expected, bytes[..6000]);
        Assert.Equal(1000, source.Read(5000, bytes));
        Assert.Equal(1, bytes[0]);
        Assert.Equal(0, source.Read(6000, bytes));
        Assert.Equal(0, source.Read(long.MaxValue, bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(-1, bytes));
    }

    [Fact]
    public void AFileThatBecomesShorterIsNoticed()
    {
        File.WriteAllBytes(At("a"), new byte[10_000]);
        using FileSource source = FileSource.Open(At("a"));
        byte[] bytes = new byte[4096];
        Assert.Equal(0, source.Read(10_000, bytes));
        Assert.Equal(1000, source.Read(9000, bytes));
        Assert.False(source.HasShrunk);
        File.WriteAllBytes(At("a"), new byte[6000]);
        Assert.Equal(4096, source.Read(0, bytes));
        Assert.False(source.HasShrunk);
        Assert.Equal(1904, source.Read(4096, bytes));
        Assert.True(source.HasShrunk);
        Assert.Equal(10_000, source.Length);
    }

    [Fact]
    public void CompletingNeverShortens()
    {
        using (FileSink sink = FileSink.Create(At("a"), overwrite: false))
        {
            sink.Write(0, new byte[100]);
            sink.Complete(10);
        }

        Assert.Equal(100, new FileInfo(At("a")).Length);
    }

    [Fact]
    public void ANewFileIsItsOwnersAlone()
    {
        using (FileSink sink = FileSink.Create(At("a"), overwrite: false))
            sink.Complete(0);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("a")));
    }

    [Fact]
    public void AnExistingFileIsKeptUnlessToldOtherwise()
    {
        File.WriteAllText(At("a"), "precious");
        var error = Assert.Throws<FileAccessException>(() => FileSink.Create(At("a"), overwrite: false));
        Assert.Equal($"{At("a")}: cannot create: File exists", error.Message);
        Assert.False(error.IsNoSpace);
        Assert.Equal("precious", File.ReadAllText(At("a")));
        using (FileSink sink = FileSink.Create(At("a"), overwrite: true))
            sink.Complete(3);
        Assert.Equal(new byte[3], File.ReadAllBytes(At("a")));
    }

    [Fact]
    public void WithoutAWriteNothingChanges()
    {
        FileSink.Create(At("new"), overwrite: false).Dispose();
        FileSink.Create(At("new"), overwrite: true).Dispose();
        Assert.False(File.Exists(At("new")));
        File.WriteAllText(At("a"), "precious");
        File.CreateSymbolicLink(At("link"), At("a"));
        FileSink.Create(At("a"), overwrite: true).Dispose();
        FileSink.Create(At("link"), overwrite: true).Dispose();
        Assert.Equal("precious", File.ReadAllText(At("a")));
        using (FileSink sink = FileSink.Create(At("link"), overwrite: true))
            sink.Write(0, "pre"u8);
        Assert.Equal("pre", File.ReadAllText(At("link")));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(At("a")));

        // Empty, and meant to be.
        using (FileSink sink = FileSink.Create(At("new"), overwrite: false))
            sink.Complete(0);
        Assert.True(File.Exists(At("new")));
        FileSink.Create(At("new"), overwrite: true).Dispose();
        Assert.True(File.Exists(At("new")));

        // Somebody else's by now.
        using (FileSink.Create(At("other"), overwrite: false))
        {
            File.Delete(At("other"));
            File.WriteAllText(At("other"), "");
        }

        Assert.True(File.Exists(At("other")));
    }

    [Fact]
    public void ADanglingLinkIsNotFollowed()
    {
        File.CreateSymbolicLink(At("link"), At("nowhere"));
        Assert.Throws<FileAccessException>(() => FileSink.Create(At("link"), overwrite: false));
        Assert.False(File.Exists(At("nowhere")));
    }

    [Fact]
    public void WhatCannotBeOpenedIsNamed()
    {
        Assert.Equal($"{At("none")}: cannot open: No such file or directory", Assert.Throws<FileAccessException>(() => FileSource.Open(At("none"))).Message);
        Assert.Equal($"{_folder}: cannot open: Is a directory", Assert.Throws<FileAccessException>(() => FileSource.Open(_folder)).Message);
        Assert.Equal($"{At("x/y")}: cannot create: No such file or directory",
            Assert.Throws<FileAccessException>(() => FileSink.Create(At("x/y"), overwrite: false)).Message);
        Assert.Equal($"{_folder}: cannot create: Is a directory", Assert.Throws<FileAccessException>(() => FileSink.Create(_folder, overwrite: true)).Message);
        Assert.Throws<FileAccessException>(() => FileSource.Open("a\0b"));
    }

    [Fact]
    public void AnEmptyFileHasNothing()
    {
        File.WriteAllBytes(At("a"), []);
        using FileSource source = FileSource.Open(At("a"));
        Assert.Equal(0, source.Length);
        Assert.Equal(0, source.Read(0, new byte[10]));
    }

    [Fact]
    public void AFileWhoseLengthTheSystemDoesNotTellIsMeasured()
    {
        // As for a block device, the system says 0 bytes.
        using FileSource source = FileSource.Open("/proc/self/limits");
        byte[] bytes = new byte[64];
        Assert.InRange(source.Length, 500, 100_000);
        Assert.Equal(64, source.Read(0, bytes));
        Assert.True(bytes.AsSpan().StartsWith("Limit"u8));
        Assert.Equal(10, source.Read(source.Length - 10, bytes));
    }

    [Fact]
    public void AFullTargetIsTold()
    {
        using FileSink sink = FileSink.Create("/dev/full", overwrite: true);
        var error = Assert.Throws<FileAccessException>(() => sink.Write(0, new byte[10]));
        Assert.True(error.IsNoSpace);
        Assert.Equal("/dev/full: cannot write: No space left on device", error.Message);
        Assert.Equal(0, sink.BytesWritten);
    }

    [Fact]
    public void TheNullDeviceTakesEverything()
    {
        using FileSink sink = FileSink.Create("/dev/null", overwrite: true);
        sink.Write(1L << 40, new byte[10]);
        sink.Complete(1L << 41);
        Assert.Equal(10, sink.BytesWritten);
    }

    [Fact]
    public void ManyThreadsReadOneFile()
    {
        byte[] bytes = new byte[1 << 20];
        new Random(3).NextBytes(bytes);
        File.WriteAllBytes(At("a"), bytes);
        using FileSource source = FileSource.Open(At("a"));
        Parallel.For(0, 1000, i =>
        {
            byte[] part = new byte[1000];
            Assert.Equal(1000, source.Read(i * 1000, part));
            Assert.True(part.AsSpan().SequenceEqual(bytes.AsSpan(i * 1000, 1000)));
        });
    }
}
