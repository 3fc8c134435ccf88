using Vmcore.Kernel.Vfs;

namespace Vmcore.Tests.Kernel.Vfs;

/// <summary>Names and paths of directory entries, sound and damaged.</summary>
public sealed class DentryPathTests
{
    private readonly VfsImage _image = new(MountEra.Tree);

    /// <summary>A name may be any bytes but NUL and a slash; nothing of it reaches a terminal as anything but text.</summary>
    [Theory]
    [InlineData("plain", "/plain")]
    [InlineData("two words", "/two words")]
    [InlineData("größe", "/größe")]
    [InlineData("line\nbreak", "/line?break")]
    [InlineData("\u001b[31mred", "/?[31mred")]
    [InlineData("a/b", "/a?b")]
    [InlineData("\u2028", "/?")]
    [InlineData("..", "/..")]
    public void NamesAreShownAsText(string name, string path)
    {
        ulong root = _image.Dentry("/"), entry = _image.Dentry(name, root);
        Mount(root);
        Assert.Equal(new KernelPath(path, false, true), _image.Open().PathOf(entry));
    }

    [Theory]
    [InlineData(0)] // no name
    [InlineData(256)] // longer than NAME_MAX
    public void ANameOfNoLengthOrTooLongIsNone(int length)
    {
        ulong root = _image.Dentry("/"), entry = _image.Dentry(new('x', length), root);
        Mount(root);
        Assert.Equal(new KernelPath(null, false, false), _image.Open().PathOf(entry));
    }

    [Fact]
    public void TheLongestNameAndADeepPathAreWhole()
    {
        string name = new('x', 255);
        ulong root = _image.Dentry("/"), at = _image.Dentry(name, root);
        for (int i = 0; i < 100; i++)
            at = _image.Dentry($"d{i}", at);
        Mount(root);
        Assert.Equal("/" + name + string.Concat(Enumerable.Range(0, 100).Select(static i => $"/d{i}")), _image.Open().PathOf(at).Text);
    }

    /// <summary>A way up that does not end, or leaves the dump, is no path: not even the part that is known.</summary>
    [Theory]
    [InlineData("cycle")]
    [InlineData("lost")]
    [InlineData("wild")]
    public void AWayUpThatDoesNotEndAtARootIsNoPath(string damage)
    {
        ulong root = _image.Dentry("/"), first = _image.Dentry("first", root), second = _image.Dentry("second", first), third = _image.Dentry("third", second);
        Mount(root);
        if (damage == "lost")
            _image.Lose(first);
        else
            _image.PutParent(first, damage == "cycle" ? third : 0x1234, isDentry: true);
        Assert.Equal(new KernelPath(null, false, false), _image.Open().PathOf(third));
    }

    private void Mount(ulong root) => _image.Mount(0, 0, root, _image.SuperBlock("vda", "ext4", root, 1), "/dev/vda");
}
