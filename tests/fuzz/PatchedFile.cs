namespace Vmcore.Fuzz;

/// <summary>A private copy of a file that is damaged for one input and whole again for the next.</summary>
internal sealed class PatchedFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly Stack<(long Offset, byte[] Before)> _undo = new();

    /// <summary>Opens the copy.</summary>
    /// <param name="path">The copy.</param>
    internal PatchedFile(string path)
    {
        Path = path;
        _stream = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
    }

    internal string Path { get; }

    /// <summary>Reads bytes as they are now.</summary>
    internal byte[] Read(long offset, int length)
    {
        byte[] bytes = new byte[length];
        int read = RandomAccess.Read(_stream.SafeFileHandle, bytes, offset);
        return bytes[..read];
    }

    /// <summary>Damages bytes that the file has.</summary>
    internal void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        byte[] before = Read(offset, bytes.Length);
        _undo.Push((offset, before));
        RandomAccess.Write(_stream.SafeFileHandle, bytes[..before.Length], offset);
    }

    /// <summary>Takes all damage back.</summary>
    internal void Restore()
    {
        while (_undo.TryPop(out (long Offset, byte[] Before) undo))
            RandomAccess.Write(_stream.SafeFileHandle, undo.Before, undo.Offset);
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
