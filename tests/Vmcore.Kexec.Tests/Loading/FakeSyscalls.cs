namespace Vmcore.Kexec.Tests.Loading;

/// <summary>A kernel that says what it was asked, and answers what it is told to.</summary>
internal sealed class FakeSyscalls : IKexecSyscalls
{
    public List<string> Log { get; } = [];

    public Queue<int> LoadErrors { get; init; } = new();

    public Queue<int> FileErrors { get; init; } = new();

    public bool? Loaded { get; init; } = true;

    public int Load(ulong entry, IReadOnlyList<Segment> segments, ulong flags)
    {
        Log.Add($"load {entry:x} {segments.Count} {flags:x}");
        return LoadErrors.TryDequeue(out int error) ? error : 0;
    }

    public int FileLoad(KernelImage kernel, ReadOnlyMemory<byte> initrd, string? initrdFile, ReadOnlyMemory<byte> commandLine, ulong flags)
    {
        Assert.Equal(0, commandLine.Span[^1]);
        Log.Add($"file {flags:x} {kernel.File} {initrd.Length}");
        return FileErrors.TryDequeue(out int error) ? error : 0;
    }

    public int FileUnload(ulong flags)
    {
        Log.Add($"file-unload {flags:x}");
        return FileErrors.TryDequeue(out int error) ? error : 0;
    }

    public bool? IsCrashKernelLoaded() => Loaded;
}
