using System.IO.MemoryMappedFiles;

namespace Vmcore.IO;

/// <summary>A regular file, mapped as a whole: a read is one copy. See
/// <see cref="MappingChoice.AllFiles"/> for what that costs. Safe for several threads.</summary>
internal sealed unsafe class WholeFileMapping : IByteSource
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    private WholeFileMapping(string name, long length, MemoryMappedFile file)
    {
        Name = name;
        Length = length;
        _file = file;
        _view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length { get; }

    /// <summary>Maps a file.</summary>
    /// <param name="file">The file; closed here if it was mapped.</param>
    /// <returns>The mapping; the file itself if it cannot be mapped: a device, or one that is empty.</returns>
    internal static IByteSource MapOrRead(FileSource file)
    {
        if (file.Length == 0 || FileIdentity.Of(file.Name) is not { IsRegular: true })
            return file;
        MemoryMappedFile? mapped = null;
        try
        {
            mapped = MemoryMappedFile.CreateFromFile(file.Handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            var result = new WholeFileMapping(file.Name, file.Length, mapped);
            file.Dispose();
            return result;
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            mapped?.Dispose();
            return file;
        }
    }

    /// <inheritdoc/>
    public int Read(long offset, Span<byte> buffer)
    {
        buffer = this.Within(offset, buffer);
        if (buffer.IsEmpty)
            return 0;
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            new ReadOnlySpan<byte>(start + _view.PointerOffset + offset, buffer.Length).CopyTo(buffer);
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        return buffer.Length;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }
}
