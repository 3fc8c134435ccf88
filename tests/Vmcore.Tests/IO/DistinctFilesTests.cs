namespace Vmcore.Tests.IO;

/// <summary>A file that is named twice is not two parts of a dump.</summary>
public sealed class DistinctFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vmcore-distinct").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void TheSameFileTwiceIsRefusedWhateverItsNames()
    {
        string file = Path.Combine(_folder, "part"), link = Path.Combine(_folder, "link");
        File.WriteAllText(file, "no dump");
        File.CreateSymbolicLink(link, file);
        Assert.Contains("is named twice", Assert.Throws<FileAccessException>(() => CrashDump.Open([file, file])).Message, StringComparison.Ordinal);
        Assert.Contains("is the same file as", Assert.Throws<FileAccessException>(() => CrashDump.Open([file, link])).Message, StringComparison.Ordinal);
        Assert.Throws<DumpFormatException>(() => CrashDump.Open([file]));
    }
}
