using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using Vmcore.IO;

namespace Vmcore.Tests.IO;

/// <summary>A file whose descriptors must not be read by two threads at once: each open <c>/proc/kcore</c> has one bounce page.</summary>
public sealed class DescriptorSharingTests : IDisposable
{
    private const int Threads = 4;
    private const int PageSize = 4096;
    private const int Pages = 64;

    private readonly string _file = Path.GetTempFileName();
    private readonly ConcurrentDictionary<nint, int> _readers = new();
    private int _overlaps;

    public DescriptorSharingTests()
    {
        byte[] content = new byte[Pages * PageSize];
        for (int i = 0; i < content.Length; i++)
            content[i] = (byte)(i / PageSize);
        File.WriteAllBytes(_file, content);
    }

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void EachThreadHasADescriptorOfItsOwn()
    {
        using FileSource source = FileSource.Open(_file, shares: false, Watch);
        Assert.False(source.SharesDescriptor);
        Assert.Equal(0, ReadAll(source));
        Assert.Equal(0, _overlaps);
        Assert.InRange(_readers.Count, 2, Threads);
    }

    /// <summary>The detector detects: with one descriptor for all, reads overlap.</summary>
    [Fact]
    public void OneDescriptorForAllIsReadAtOnce()
    {
        using FileSource source = FileSource.Open(_file, shares: true, Watch);
        Assert.True(source.SharesDescriptor);
        ReadAll(source);
        Assert.NotEqual(0, _overlaps);
        Assert.Single(_readers);
    }

    /// <summary>Where the file cannot be opened again, one thread reads after the other.</summary>
    [Fact]
    public void WithoutASecondDescriptorReadsWaitForEachOther()
    {
        using SafeFileHandle only = File.OpenHandle(_file);
        using var files = new OpenFiles(only, static () => null);
        RunThreads(_ =>
        {
            for (int i = 0; i < Pages; i++)
            {
                SafeFileHandle mine = files.Take();
                Watch(mine, new byte[1], i);
                files.Return(mine);
            }
        });
        Assert.Equal(0, _overlaps);
        Assert.Single(_readers);
    }

    [Fact]
    public void WhatTheKernelMakesUpIsNotTrustedWithTwoReaders()
    {
        using FileSource regular = FileSource.Open(_file), made = FileSource.Open("/proc/version"), device = FileSource.Open("/dev/null");
        Assert.True(regular.SharesDescriptor);
        Assert.False(made.SharesDescriptor);
        Assert.False(device.SharesDescriptor);
    }

    private static void RunThreads(Action<int> work)
    {
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(n => new Thread(() => work(n)))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
    }

    private static int ReadAll(FileSource source)
    {
        int wrong = 0;
        RunThreads(first =>
        {
            byte[] page = new byte[PageSize];
            for (int i = first; i < Pages; i += Threads)
            {
                if (source.Read(i * PageSize, page) != PageSize || page.AsSpan().ContainsAnyExcept((byte)i))
                    Interlocked.Increment(ref wrong);
            }
        });
        return wrong;
    }

    private int Watch(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        nint key = file.DangerousGetHandle();
        if (_readers.AddOrUpdate(key, 1, static (_, n) => n + 1) > 1)
            Interlocked.Increment(ref _overlaps);
        Thread.Sleep(1);
        int read = RandomAccess.Read(file, buffer, offset);
        _readers.AddOrUpdate(key, 0, static (_, n) => n - 1);
        return read;
    }
}
