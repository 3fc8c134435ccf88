using Vmcore.Dumping;
using Vmcore.IO;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.IO;

/// <summary>A target that says only when it is flushed that what was written is lost: network file systems, quotas, thin volumes, failing disks.</summary>
public sealed class FileSyncTests : IDisposable
{
    private const int IoError = 5, NoSpace = 28, QuotaExceeded = 122, InvalidArgument = 22, Interrupted = 4;

    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-sync-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(IoError, false)]
    [InlineData(NoSpace, true)]
    [InlineData(QuotaExceeded, true)]
    public void WhatTheKernelSaysIsReported(int errno, bool noSpace)
    {
        using FileSink sink = FileSink.Create(Path.Combine(_folder, "a"), overwrite: false, _ => errno);
        sink.Write(0, [1]);
        FileAccessException error = Assert.Throws<FileAccessException>(() => sink.Complete(1));
        Assert.Equal(noSpace, error.IsNoSpace);
    }

    [Fact]
    public void WhatCannotBeFlushedIsNoError()
    {
        using FileSink sink = FileSink.Create(Path.Combine(_folder, "a"), overwrite: false, _ => InvalidArgument);
        sink.Write(0, [1]);
        sink.Complete(1);
    }

    [Fact]
    public void AnInterruptedFlushGoesOn()
    {
        int calls = 0;
        using FileSink sink = FileSink.Create(Path.Combine(_folder, "a"), overwrite: false, _ => ++calls < 3 ? Interrupted : 0);
        sink.Write(0, [1]);
        sink.Complete(1);
        Assert.Equal(3, calls);
    }

    [Theory]
    [InlineData(DumpOutput.Kdump)]
    [InlineData(DumpOutput.Elf)]
    public void ADumpThatIsNotOnTheDiskIsNoSuccess(DumpOutput output)
    {
        using CrashDump dump = CrashDump.Open(new CoreSource(Machines.EveryKind().Core()));
        var request = new DumpRequest(dump, new() { Output = output, Threads = 1 });
        using FileSink failing = FileSink.Create(Path.Combine(_folder, "eio"), overwrite: false, _ => IoError);
        Assert.False(Assert.Throws<FileAccessException>(() => Dumper.Write(request, failing, NoObserver.Instance)).IsNoSpace);
        using FileSink full = FileSink.Create(Path.Combine(_folder, "full"), overwrite: false, _ => NoSpace);
        Assert.Equal(DumpEnd.NoSpace, Dumper.Write(request, full, NoObserver.Instance).End);
        using FileSink quota = FileSink.Create(Path.Combine(_folder, "quota"), overwrite: false, _ => QuotaExceeded);
        Assert.Equal(DumpEnd.QuotaExceeded, Dumper.Write(request, quota, NoObserver.Instance).End);
    }
}
