using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Stacks;

namespace Vmcore.Tests.Kernel.Stacks;

/// <summary>When two stacks are one.</summary>
public sealed class StackGroupTests
{
    [Fact]
    public void StacksAreOneIfTheirCodeIs()
    {
        string? key = Key(null, Frame(0x1000, 0x10), Frame(0x2000, 0x20));
        Assert.Equal(key, Key(null, Frame(0x1000, 0x8010), Frame(0x2000, 0x8040)));
        Assert.NotEqual(key, Key(null, Frame(0x1000, 0x10), Frame(0x2008, 0x20)));
        Assert.NotEqual(key, Key(null, Frame(0x1000, 0x10)));
        Assert.NotEqual(key, Key(null, Frame(0x1000, 0x10), Frame(0x2000, 0x20) with { IsReliable = false }));
        Assert.NotEqual(key, Key(null, Frame(0x1000, 0x10), Frame(0x2000, 0x20) with { IsInterrupted = true }));
        Assert.NotEqual(key, Key("it breaks off", Frame(0x1000, 0x10), Frame(0x2000, 0x20)));
    }

    /// <summary>Two stacks of which nothing is known are not known to be the same.</summary>
    [Fact]
    public void WhatIsNotKnownIsEqualToNothing() => Assert.Null(Key("its stack pointer is not on its stack"));

    [Fact]
    public void TasksThatHaveEndedHaveNoStackInCommon() => Assert.Equal(
        StackGroup.KeyOf(new(StackMethod.Scan, [], null) { IsGone = true }), StackGroup.KeyOf(new(StackMethod.Scan, [], null) { IsGone = true }));

    private static StackFrame Frame(ulong address, ulong sp) => new() { Address = address, StackPointer = sp };

    private static string? Key(string? problem, params StackFrame[] frames) =>
        StackGroup.KeyOf(new(StackMethod.Orc, frames, Finding.Of(FindingCode.StackIncomplete, problem)));
}
