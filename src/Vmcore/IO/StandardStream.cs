using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>The standard streams as they are, without buffers. The console's own would
/// swallow a broken pipe: what was lost would be reported as saved.</summary>
internal static class StandardStream
{
    /// <summary>Opens standard input.</summary>
    /// <exception cref="FileAccessException">It is closed.</exception>
    public static Stream OpenInput() => Open(0, FileAccess.Read, "STDIN");

    /// <summary>Opens standard output.</summary>
    /// <exception cref="FileAccessException">It is closed.</exception>
    public static DescriptorStream OpenOutput()
    {
        using (Open(1, FileAccess.Write, "STDOUT"))
            return new DescriptorStream(1, ignoresBrokenPipe: false);
    }

    private static FileStream Open(int descriptor, FileAccess access, string name)
    {
        try
        {
            return new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), access, bufferSize: 0);
        }
        catch (Exception e) when (FileErrors.IsRefusal(e))
        {
            throw FileErrors.Describe(name, "open", e);
        }
    }
}
