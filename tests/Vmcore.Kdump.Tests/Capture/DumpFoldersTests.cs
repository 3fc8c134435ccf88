using Vmcore.Kdump.Capture;

namespace Vmcore.Kdump.Tests.Capture;

public sealed class DumpFoldersTests : IDisposable
{
    private readonly string _top = Directory.CreateTempSubdirectory("vmcore-folders-").FullName;

    public void Dispose() => Directory.Delete(_top, recursive: true);

    [Fact]
    public void TheNewestStay()
    {
        for (int day = 1; day <= 5; day++)
            Make($"vmcore-2026110{day}T000000Z", 10);
        Assert.Equal(["vmcore-20261103T000000Z", "vmcore-20261102T000000Z", "vmcore-20261101T000000Z"], Prune(2, 0));
        Assert.Equal(["vmcore-20261104T000000Z", "vmcore-20261105T000000Z"], Left());
    }

    [Fact]
    public void NotMoreThanTheSizeStaysButTheNewest()
    {
        int mark = CaptureJournal.Mark.Length;
        for (int day = 1; day <= 5; day++)
            Make($"vmcore-2026110{day}T000000Z", 100);
        Assert.Equal(["vmcore-20261103T000000Z", "vmcore-20261102T000000Z", "vmcore-20261101T000000Z"], Prune(0, 2 * (100 + mark)));
        Assert.Equal(["vmcore-20261104T000000Z"], Prune(0, 1));
        Assert.Equal(["vmcore-20261105T000000Z"], Left());
    }

    /// <summary>Whoever may write into the folder cannot make us delete what is not ours.</summary>
    [Fact]
    public void NothingOfOthersIsDeleted()
    {
        Make("vmcore-20261105T000000Z", 1);
        Make("vmcore-20261101T000000Z", 1);
        File.WriteAllText(Path.Combine(_top, "vmcore-20261101T000000Z", "notes.txt"), "mine");
        Directory.CreateDirectory(Path.Combine(_top, "vmcore-20261102T000000Z"));
        File.WriteAllText(Path.Combine(_top, "vmcore-20261102T000000Z", "vmcore"), "no mark");
        Make("vmcore-2026110xT000000Z", 1);
        Make("vmcore-20261102T000000Z.bak", 1);
        Make("127.0.0.1-2026", 1);
        string other = Path.Combine(_top, "other");
        Make("other", 1);
        Directory.CreateSymbolicLink(Path.Combine(_top, "vmcore-20261103T000000Z"), other);
        Directory.CreateDirectory(Path.Combine(_top, "vmcore-20261104T000000Z"));
        File.CreateSymbolicLink(Path.Combine(_top, "vmcore-20261104T000000Z", CaptureJournal.FileName), Path.Combine(other, CaptureJournal.FileName));
        Assert.Equal(["vmcore-20261101T000000Z"], Prune(1, 0));
        Assert.True(File.Exists(Path.Combine(_top, "vmcore-20261101T000000Z", "notes.txt")));
        Assert.False(File.Exists(Path.Combine(_top, "vmcore-20261101T000000Z", "vmcore")));
        Assert.True(File.Exists(Path.Combine(other, "vmcore")));
        Assert.Equal(9, Left().Length);
    }

    [Fact]
    public void NothingIsDeletedWhereNobodyAsksForIt()
    {
        Make("vmcore-20261101T000000Z", 1);
        Make("vmcore-20261105T000000Z", 1);
        Assert.Empty(Prune(0, 0));
        Assert.Empty(Prune(2, 0));
    }

    [Fact]
    public void ANameThatIsThereGetsANumber()
    {
        var now = new DateTime(1970, 1, 1, 0, 0, 7, DateTimeKind.Utc);
        string[] made = [.. Enumerable.Range(0, 3).Select(_ => Path.GetFileName(DumpFolders.Create(_top, "/a/b", now)))];
        Assert.Equal(["vmcore-19700101T000007Z", "vmcore-19700101T000007Z-1", "vmcore-19700101T000007Z-2"], made);
        File.WriteAllText(Path.Combine(_top, "file"), "");
        KdumpException error = Assert.Throws<KdumpException>(() => DumpFolders.Create(_top, "/file/x", now));
        Assert.Contains("is a file on the target", error.Message, StringComparison.Ordinal);
    }

    private void Make(string name, int size)
    {
        Directory.CreateDirectory(Path.Combine(_top, name));
        File.WriteAllText(Path.Combine(_top, name, CaptureJournal.FileName), CaptureJournal.Mark);
        File.WriteAllBytes(Path.Combine(_top, name, "vmcore"), new byte[size]);
    }

    private string[] Prune(int keep, long size) => [.. DumpFolders.Prune(_top, Path.Combine(_top, "vmcore-20261105T000000Z"), keep, size)];

    private string[] Left() => [.. Directory.GetDirectories(_top).Select(static f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
}
