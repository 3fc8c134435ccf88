using Vmcore.Findings;
using Vmcore.Kernel.Crash;

namespace Vmcore.Tests.Kernel.Crash;

public sealed class CrashSignatureTests
{
    /// <summary>The rules of version 1, as docs/triage.md has them: another text or digest would be another version.</summary>
    [Fact]
    public void VersionOneIsAsDocumented()
    {
        var signature = new CrashSignature(CrashKind.HungTask, ["foo", "bar"], "mutex", null);
        Assert.Equal("vmcore crash signature 1\nkind hung_task\nreason mutex\nframe foo\nframe bar\n", signature.CanonicalText);
        Assert.Equal("v1:180ac7c1beec6e69", signature.Text);
    }

    [Fact]
    public void APartialOneIsNeverEqualToAWholeOne()
    {
        var whole = new CrashSignature(CrashKind.PageFault, ["foo"], null, null);
        var partial = new CrashSignature(CrashKind.PageFault, ["foo"], null, new(FindingCode.SignaturePartial, "it ends early"));
        Assert.True(partial.IsPartial);
        Assert.NotEqual(whole.Text, partial.Text);
        Assert.Equal(whole.Digest, partial.Digest);
        Assert.StartsWith("v1-partial:", partial.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(CrashKind.PageFault, "BUG: …", null, "BUG: unable to handle page fault in foo [bar]")]
    [InlineData(CrashKind.KernelBug, "kernel BUG at fs/inode.c:12!", null, "kernel BUG at fs/inode.c:12 in foo [bar]")]
    [InlineData(CrashKind.Kasan, "BUG: KASAN: slab-use-after-free in foo+0x1/0x2", null, "BUG: KASAN: slab-use-after-free in foo [bar]")]
    [InlineData(CrashKind.Ubsan, "UBSAN: shift-out-of-bounds in fs/inode.c:12:3", null, "UBSAN: shift-out-of-bounds in foo [bar]")]
    [InlineData(CrashKind.Oops, "Internal error: synchronous external abort: 96000210 [#1] SMP", null,
        "Internal error: synchronous external abort: 96000210 in foo [bar]")]
    [InlineData(CrashKind.Panic, null, "VFS: no root...", "panic: VFS: no root in foo [bar]")]
    [InlineData(CrashKind.Panic, null, null, "panic in foo [bar]")]
    [InlineData(CrashKind.ListCorruption, "list_add corruption. next", null, "list_add corruption in foo [bar]")]
    [InlineData(CrashKind.SoftLockup, "watchdog: BUG: soft lockup - CPU#1 stuck", null, "soft lockup in foo [bar]")]
    public void TitlesAreAsPeopleWriteThem(CrashKind kind, string? line, string? message, string wanted)
    {
        var place = new CrashPlace("foo.cold", "bar", 1, null, CrashSource.Log);
        Assert.Equal(wanted, CrashTitle.Of(kind, line, message, kind is CrashKind.KernelBug ? "fs/inode.c:12" : null, place, isNoCode: false));
    }
}
