using System.Text;
using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>A path in the crashed machine's file systems.</summary>
/// <param name="Text">The path; null if it is not known: the inode has no name in memory, or the names are not in the dump.</param>
/// <param name="IsDeleted">True if the name was removed while the file was still in use.</param>
/// <param name="IsMounted">False if the file system is not mounted in the first namespace: then the path starts at its own root.</param>
public readonly record struct KernelPath(string? Text, bool IsDeleted, bool IsMounted)
{
    /// <summary>No path.</summary>
    internal static KernelPath Unknown => new(null, IsDeleted: false, IsMounted: false);
}

/// <summary>The dentries from a name up to the root of its file system.</summary>
/// <param name="Dentries">Virtual addresses, the name first and the root last.</param>
/// <param name="Names">Their names; that of the root is not used.</param>
/// <param name="IsDeleted">True if the name was removed.</param>
internal sealed record DentryChain(IReadOnlyList<ulong> Dentries, IReadOnlyList<string> Names, bool IsDeleted)
{
    /// <summary>The path below one of the dentries: empty for itself, otherwise <c>/a/b</c>.</summary>
    internal string Below(int index)
    {
        var text = new StringBuilder();
        for (int i = index - 1; i >= 0; i--)
            text.Append('/').Append(Names[i]);
        return text.ToString();
    }
}

/// <summary>Climbs from dentries to roots.</summary>
internal sealed class DentryPaths(VfsLayout layout, IVirtualMemory memory)
{
    // NAME_MAX of every file system.
    private const int NameBytes = 255;

    /// <summary>Collects the names up to the root.</summary>
    /// <returns>False if a dentry on the way cannot be read, or there is a cycle.</returns>
    internal bool TryClimb(ulong dentry, out DentryChain chain)
    {
        List<ulong> dentries = [];
        List<string> names = [];
        chain = new(dentries, names, IsDeleted: false);
        bool deleted = memory.TryReadUInt64(dentry + (ulong)layout.DentryHash, out ulong hashed) && hashed == 0;
        var seen = new HashSet<ulong>();
        while (dentries.Count < memory.Limits.PathDepth)
        {
            if (!memory.IsKernelAddress(dentry) || !seen.Add(dentry) || !memory.TryReadUInt64(dentry + (ulong)layout.DentryParent, out ulong parent))
                return false;
            if (parent == dentry)
            {
                dentries.Add(dentry);
                names.Add("/");

                // A root is never hashed.
                chain = new(dentries, names, deleted && dentries.Count > 1);
                return true;
            }

            if (NameOf(dentry) is not { } name)
                return false;
            dentries.Add(dentry);
            names.Add(name);
            dentry = parent;
        }

        return false;
    }

    private string? NameOf(ulong dentry)
    {
        if (!memory.TryReadUInt32(dentry + (ulong)layout.DentryNameLength, out uint length) || length is 0 or > NameBytes
            || !memory.TryReadUInt64(dentry + (ulong)layout.DentryName, out ulong at))
            return null;
        Span<byte> bytes = stackalloc byte[NameBytes];
        bytes = bytes[..(int)length];
        return memory.Read(at, bytes) == MemoryStatus.Ok ? Printable(bytes) : null;
    }

    /// <summary>A name as text: UTF-8 where it is that, and <c>?</c> for what would disturb a terminal.</summary>
    internal static string Printable(ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.UTF8.GetString(bytes);
        return string.Create(text.Length, text, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++)
                target[i] = char.IsControl(source[i]) || source[i] is '/' or '\u2028' or '\u2029' ? '?' : source[i];
        });
    }
}
