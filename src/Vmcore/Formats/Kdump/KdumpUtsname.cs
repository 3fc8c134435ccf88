using System.Text;

namespace Vmcore.Formats.Kdump;

/// <summary>The crashed kernel's <c>utsname</c>, as the header keeps it: six strings of at most 64 bytes.</summary>
/// <param name="Sysname">Name of the system, <c>Linux</c>.</param>
/// <param name="Nodename">Host name.</param>
/// <param name="Release">Kernel release, for example <c>6.12.117-amd64</c>.</param>
/// <param name="Version">Build line, for example <c>#1 SMP …</c>.</param>
/// <param name="Machine">Architecture as <c>uname -m</c> says it; readers choose the architecture by it.</param>
/// <param name="Domainname">NIS domain.</param>
public sealed record KdumpUtsname(string Sysname, string Nodename, string Release, string Version, string Machine, string Domainname)
{
    /// <summary>Bytes of one string, the closing NUL included.</summary>
    internal const int FieldSize = 65;

    /// <summary>Bytes of all six.</summary>
    internal const int Size = 6 * FieldSize;

    /// <summary>Six empty strings.</summary>
    public static KdumpUtsname Empty { get; } = new("", "", "", "", "", "");

    /// <summary>The names without the gaps that other readers refuse: libkdumpfile 0.5 and drgn take no header whose machine or version is empty.</summary>
    /// <param name="machine">The architecture's name.</param>
    internal KdumpUtsname Complete(string machine) =>
        this with { Version = Version.Length == 0 ? "(unknown)" : Version, Machine = machine };

    /// <summary>Decodes the six strings; a missing NUL ends a string at its field's end, bytes that are no printable ASCII become <c>?</c>.</summary>
    /// <param name="bytes">At least <see cref="Size"/> bytes.</param>
    internal static KdumpUtsname Parse(ReadOnlySpan<byte> bytes) =>
        new(Field(bytes, 0), Field(bytes, 1), Field(bytes, 2), Field(bytes, 3), Field(bytes, 4), Field(bytes, 5));

    /// <summary>Encodes the six strings, each cut to 64 bytes and padded with zeros.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes.</param>
    internal void WriteTo(Span<byte> target)
    {
        target[..Size].Clear();
        Put(target, 0, Sysname);
        Put(target, 1, Nodename);
        Put(target, 2, Release);
        Put(target, 3, Version);
        Put(target, 4, Machine);
        Put(target, 5, Domainname);
    }

    private static string Field(ReadOnlySpan<byte> bytes, int index)
    {
        ReadOnlySpan<byte> field = bytes.Slice(index * FieldSize, FieldSize);
        int nul = field.IndexOf((byte)0);
        if (nul >= 0)
            field = field[..nul];
        var text = new StringBuilder(field.Length);
        foreach (byte b in field)
            text.Append(b is >= 0x20 and < 0x7f ? (char)b : '?');
        return text.ToString();
    }

    private static void Put(Span<byte> target, int index, string value)
    {
        ReadOnlySpan<char> text = value.AsSpan(0, Math.Min(value.Length, FieldSize - 1));
        Span<byte> field = target.Slice(index * FieldSize, FieldSize);
        for (int i = 0; i < text.Length; i++)
            field[i] = text[i] is >= ' ' and < (char)0x7f ? (byte)text[i] : (byte)'?';
    }
}
