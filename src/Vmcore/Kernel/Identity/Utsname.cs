using System.Text;
using Vmcore.Memory;

namespace Vmcore.Kernel.Identity;

/// <summary>The kernel's names, as uname(2) gives them; each at most 64 bytes.</summary>
/// <param name="SysName">Always <c>Linux</c>.</param>
/// <param name="NodeName">The host's name.</param>
/// <param name="Release">For example <c>6.1.0-50-amd64</c>.</param>
/// <param name="Version">Build number and date.</param>
/// <param name="Machine">For example <c>x86_64</c>.</param>
/// <param name="DomainName">NIS domain.</param>
public sealed record Utsname(string SysName, string NodeName, string Release, string Version, string Machine, string DomainName)
{
    /// <summary>Bytes of one name in the kernel's structure and in the dump's header, NUL included.</summary>
    internal const int FieldSize = 65;

    /// <summary>Number of names.</summary>
    internal const int FieldCount = 6;

    /// <summary>Reads the names of the initial UTS namespace.</summary>
    /// <returns>Null if vmcoreinfo lacks the keys or the memory cannot be read.</returns>
    internal static Utsname? TryRead(VmcoreInfo info, IVirtualMemory memory)
    {
        if (info.Symbol("init_uts_ns") is not { } address || info.Offset("uts_namespace.name") is not { } offset)
            return null;
        byte[] bytes = new byte[FieldSize * FieldCount];
        return memory.Read(address + (ulong)offset, bytes) == MemoryStatus.Ok ? FromBytes(bytes) : null;
    }

    /// <summary>Takes the names from six fields of 65 bytes.</summary>
    internal static Utsname FromBytes(ReadOnlySpan<byte> bytes) =>
        new(Field(bytes, 0), Field(bytes, 1), Field(bytes, 2), Field(bytes, 3), Field(bytes, 4), Field(bytes, 5));

    private static string Field(ReadOnlySpan<byte> bytes, int index)
    {
        ReadOnlySpan<byte> field = bytes.Slice(index * FieldSize, FieldSize);
        int nul = field.IndexOf((byte)0);
        return Encoding.Latin1.GetString(nul >= 0 ? field[..nul] : field[..^1]);
    }
}
