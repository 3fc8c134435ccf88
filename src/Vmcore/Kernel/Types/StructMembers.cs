namespace Vmcore.Kernel.Types;

/// <summary>Looks up members of the kernel's structures, and says which one is missing.</summary>
/// <param name="types">The kernel's types.</param>
internal sealed class StructMembers(KernelTypes types)
{
    /// <summary>Offset of a member in bytes.</summary>
    /// <param name="type">The structure.</param>
    /// <param name="paths">The member, and what other kernels call it.</param>
    /// <exception cref="MissingInformationException">The kernel has none of them.</exception>
    internal int Required(string type, params ReadOnlySpan<string> paths)
    {
        int offset = Optional(type, paths);
        return offset >= 0 ? offset : throw new MissingInformationException($"the kernel's types have no {type}.{paths[0]}");
    }

    /// <summary>Offset of a member in bytes; −1 if the kernel has none of that name.</summary>
    /// <param name="type">The structure.</param>
    /// <param name="paths">The member, and what other kernels call it.</param>
    internal int Optional(string type, params ReadOnlySpan<string> paths)
    {
        foreach (string path in paths)
        {
            if (types.MemberOffset(type, path) is { } offset and >= 0 && offset <= types.Limits.MemberOffset)
                return offset;
        }

        return -1;
    }
}
