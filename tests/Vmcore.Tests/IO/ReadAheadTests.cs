using Vmcore.IO;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.IO;

/// <summary>Reads that follow each other are served from a larger one, and bring the same bytes.</summary>
public class ReadAheadTests
{
    private static readonly byte[] s_bytes = [.. Enumerable.Range(0, 300_000).Select(i => (byte)((i * 31) + (i >> 8)))];

    [Fact]
    public void ReadsInOrderAreServedAndRight()
    {
        var ahead = new ReadAhead(new HostileSource(s_bytes));
        byte[] page = new byte[4096];
        int served = 0;
        for (int at = 0; at + page.Length <= s_bytes.Length; at += page.Length)
        {
            if (!ahead.TryRead(at, page))
                continue;
            served++;
            Assert.True(s_bytes.AsSpan(at, page.Length).SequenceEqual(page));
        }

        Assert.Equal((s_bytes.Length / page.Length) - 1, served);
    }

    [Fact]
    public void WhatIsNotInTheSourceIsLeftToIt()
    {
        var ahead = new ReadAhead(new HostileSource(s_bytes));
        byte[] page = new byte[4096];
        Assert.False(ahead.TryRead(s_bytes.Length - 8192, page));
        Assert.True(ahead.TryRead(s_bytes.Length - 4096, page));
        Assert.False(ahead.TryRead(s_bytes.Length, page));
        Assert.False(ahead.TryRead(s_bytes.Length - 10, page));
        Assert.False(ahead.TryRead(long.MaxValue - 4096, page));
        Assert.False(ahead.TryRead(0, new byte[ReadAhead.ServedBytes + 1]));
    }

    [Fact]
    public void SeveralThreadsMayRead()
    {
        var ahead = new ReadAhead(new HostileSource(s_bytes));
        Parallel.For(0, 8, worker =>
        {
            byte[] part = new byte[100 + worker];
            for (int at = worker * 1000; at + part.Length <= s_bytes.Length; at += part.Length)
            {
                if (ahead.TryRead(at, part))
                    Assert.True(s_bytes.AsSpan(at, part.Length).SequenceEqual(part));
            }
        });
    }
}
