using System.Globalization;
using Vmcore.Architectures;

namespace Vmcore.Kernel.Identity;

/// <summary>
/// What the kernel says of itself: the lines <c>KEY=VALUE</c> of the vmcoreinfo note.
/// Each question that changed over the years is answered by the presence of a key, not by the kernel's version.
/// </summary>
public sealed class VmcoreInfo : IKernelKeys
{
    private readonly Dictionary<string, string> _values;

    private VmcoreInfo(Dictionary<string, string> values, byte[] text)
    {
        _values = values;
        Text = text;
    }

    /// <summary>The text as it stands in the dump, without trailing NULs.</summary>
    public ReadOnlyMemory<byte> Text { get; }

    /// <summary>Number of keys.</summary>
    public int Count => _values.Count;

    /// <summary>All keys and values, in no order.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>The release as <c>uname -r</c> gives it, for example <c>6.1.0-50-amd64</c>; null if absent.</summary>
    public string? OsRelease => Get("OSRELEASE");

    /// <summary>The kernel's build id as hex digits (5.9 and later); null if absent.</summary>
    public string? BuildId => Get("BUILD-ID");

    /// <summary>The time of the crash in seconds since 1970; null if absent, as on a live system.</summary>
    public long? CrashTime =>
        long.TryParse(Get("CRASHTIME"), NumberStyles.Integer, CultureInfo.InvariantCulture, out long value) ? value : null;

    /// <summary>Page size in bytes; null if the key is absent or is no power of two from 4 KiB to 1 MiB.</summary>
    public int? PageSize =>
        int.TryParse(Get("PAGESIZE"), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value)
        && value is >= 4096 and <= 1 << 20 && System.Numerics.BitOperations.IsPow2(value) ? value : null;

    /// <summary>Parses the text. Lines without <c>=</c> are ignored; of several lines with one key the first counts, as in the tools of today.</summary>
    /// <param name="text">The note's descriptor, or a file's content; trailing NULs are cut.</param>
    public static VmcoreInfo Parse(ReadOnlySpan<byte> text)
    {
        text = text.TrimEnd((byte)0);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Range lineRange in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[lineRange];
            int equals = line.IndexOf((byte)'=');
            if (equals > 0)
                values.TryAdd(Printable(line[..equals]), Printable(line[(equals + 1)..].TrimEnd((byte)'\r')));
        }

        return new(values, text.ToArray());
    }

    // They are shown on terminals: nothing in them may be an order to one.
    private static string Printable(ReadOnlySpan<byte> text) => string.Create(text.Length, text, static (target, source) =>
    {
        for (int i = 0; i < source.Length; i++)
            target[i] = source[i] is >= 0x20 and < 0x7f ? (char)source[i] : '?';
    });

    /// <summary>The value of a key as text, what is no printable ASCII of it as <c>?</c>; null if absent.</summary>
    public string? Get(string key) => _values.GetValueOrDefault(key);

    /// <summary><c>SYMBOL(name)</c>: a run-time address, hexadecimal in the text; null if absent, malformed or 0.</summary>
    public ulong? Symbol(string name) =>
        ulong.TryParse(Get($"SYMBOL({name})"), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value) && value != 0 ? value : null;

    /// <summary><c>SIZE(type)</c> in bytes; null if absent or out of range.</summary>
    public int? Size(string type) => Unsigned($"SIZE({type})");

    /// <summary><c>OFFSET(type.member)</c> in bytes; null if absent or out of range.</summary>
    public int? Offset(string member) => Unsigned($"OFFSET({member})");

    /// <summary><c>LENGTH(array)</c> in elements; null if absent or out of range.</summary>
    public int? Length(string array) => Unsigned($"LENGTH({array})");

    /// <summary><c>NUMBER(name)</c>: signed decimal, or hexadecimal with <c>0x</c>; 64 bits, wrapping. Null if absent or malformed.</summary>
    public long? Number(string name)
    {
        string? text = Get($"NUMBER({name})");
        if (text is null)
            return null;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong hex) ? unchecked((long)hex) : null;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
            return value;
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large) ? unchecked((long)large) : null;
    }

    /// <summary>A key whose value is hexadecimal without <c>0x</c>, for example <c>KERNELOFFSET</c>; null if absent or malformed.</summary>
    public ulong? Hex(string key) =>
        ulong.TryParse(Get(key), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value) ? value : null;

    // Offsets and sizes describe structures in memory: anything beyond 64 MiB is damage, not a structure.
    private int? Unsigned(string key) =>
        int.TryParse(Get(key), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= 1 << 26 ? value : null;
}
