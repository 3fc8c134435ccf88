using System.Text;
using Vmcore.IO;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Btf;

/// <summary>
/// The types of the crashed kernel, read out of the dump itself (BTF, kernels built with CONFIG_DEBUG_INFO_BTF):
/// sizes, member offsets and enum values, without vmlinux or debug package. Types of modules are not among them.
/// </summary>
/// <remarks>Holds the raw bytes, about 5 MB for a distribution kernel: load it on demand. Immutable: safe for several threads at once.</remarks>
internal sealed class BtfTypes
{
    private readonly BtfBlob _blob;

    private BtfTypes(BtfBlob blob) => _blob = blob;

    /// <summary>The raw types.</summary>
    internal BtfBlob Blob => _blob;

    /// <summary>Number of types, void not counted.</summary>
    public int Count => _blob.Count;

    /// <summary>False if a kind of type that is unknown here, or damage, ended the list early; what came before it is there.</summary>
    public bool IsComplete => _blob.IsComplete;

    /// <summary>Reads the types that the kernel's symbols point to.</summary>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="memory">The kernel's memory; its read-only data is enough.</param>
    /// <param name="problem">One clause for the operator on why there are no types; null if there are.</param>
    public static BtfTypes? TryLoad(KernelSymbols symbols, IVirtualMemory memory, out string? problem) =>
        Parse(BtfSource.TryReadBySymbols(symbols, memory, out problem), memory.Limits, ref problem);

    /// <summary>Looks for the types where no symbols are known.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="start">First virtual address of the range to scan, usually the PT_LOAD of the kernel's text.</param>
    /// <param name="end">One past its last address; at most <see cref="ReadLimits.BtfScanBytes"/> from <paramref name="start"/>.</param>
    /// <param name="problem">One clause for the operator on why there are no types; null if there are.</param>
    public static BtfTypes? TryScan(IVirtualMemory memory, ulong start, ulong end, out string? problem) =>
        Parse(BtfSource.TryReadByScan(memory, start, end, out problem), memory.Limits, ref problem);

    /// <summary>Reads types from raw BTF, for example that of <c>/sys/kernel/btf/vmlinux</c>.</summary>
    /// <param name="bytes">The bytes, copied.</param>
    /// <param name="problem">One clause for the operator on why there are no types; null if there are.</param>
    /// <param name="limits">The bounds on what the types may ask for; null for the default ones.</param>
    public static BtfTypes? TryParse(ReadOnlySpan<byte> bytes, out string? problem, ReadLimits? limits = null)
    {
        problem = null;
        return Parse(bytes.ToArray(), limits ?? ReadLimits.Default, ref problem);
    }

    /// <summary>Reads types from a file of raw BTF.</summary>
    /// <param name="source">The file.</param>
    /// <param name="problem">One clause for the operator on why there are no types; null if there are.</param>
    /// <param name="limits">The bounds on what the types may ask for; null for the default ones.</param>
    public static BtfTypes? TryRead(IByteSource source, out string? problem, ReadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        limits ??= ReadLimits.Default;
        problem = null;
        if (source.Length > limits.BtfBytes)
        {
            problem = $"{source.Length} bytes are too many for BTF, at most {limits.BtfBytes} are read";
            return null;
        }

        byte[] bytes = new byte[source.Length];
        int read = source.Read(0, bytes);
        return Parse(bytes[..Math.Max(read, 0)], limits, ref problem);
    }

    private static BtfTypes? Parse(byte[]? bytes, ReadLimits limits, ref string? problem) =>
        bytes is not null && BtfBlob.TryParse(bytes, out problem, limits) is { } blob ? new(blob) : null;

    /// <summary>Size of a struct, a union, or a typedef of one.</summary>
    /// <param name="name">Name without <c>struct</c>.</param>
    /// <returns>Size in bytes; null if there is none of that name. Of several the first.</returns>
    public int? StructSize(string name)
    {
        foreach (BtfType type in Named(name))
        {
            if (type.SizeOrType <= (uint)_blob.Limits.TypeBytes)
                return (int)type.SizeOrType;
        }

        return null;
    }

    /// <summary>Offset of a member in bytes.</summary>
    /// <param name="structName">Name of a struct, a union or a typedef of one.</param>
    /// <param name="memberPath">Member, or members of members: <c>d_name.len</c>. Anonymous members are passed through.</param>
    /// <returns>The offset; null if there is no such member, or it is a bit-field (see <see cref="Member"/>).</returns>
    public int? MemberOffset(string structName, string memberPath) => Member(structName, memberPath)?.ByteOffset;

    /// <summary>Finds a member, also one that is a bit-field. Of several structures with one name the first counts that has the member.</summary>
    /// <param name="structName">Name of a struct, a union or a typedef of one.</param>
    /// <param name="memberPath">Member, or members of members: <c>d_name.len</c>. Anonymous members are passed through.</param>
    /// <returns>Where it lies; null if there is no such member.</returns>
    public BtfMember? Member(string structName, string memberPath)
    {
        var search = new BtfMemberSearch(_blob, memberPath);
        foreach (BtfType type in Named(structName))
        {
            if (search.FindIn(type) is { } member)
                return member;
        }

        return null;
    }

    /// <summary>A value of an enum.</summary>
    /// <param name="enumName">Name of the enum; null to look in all, the anonymous ones included.</param>
    /// <param name="valueName">Name of the value.</param>
    /// <returns>The value, 32-bit ones taken as signed; null if there is none of that name.</returns>
    public long? EnumValue(string? enumName, string valueName)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(valueName);
        foreach (BtfType type in Enums(enumName))
        {
            for (int i = 0; i < type.Length; i++)
            {
                if (_blob.IsString(_blob.DataWord(type, i * Words(type)), wanted))
                    return ValueAt(type, i);
            }
        }

        return null;
    }

    /// <summary>All values of the first enum of a name, in its order.</summary>
    /// <param name="enumName">Name of the enum.</param>
    /// <returns>Names and values; empty if there is no such enum.</returns>
    public IReadOnlyList<KeyValuePair<string, long>> EnumValues(string enumName)
    {
        foreach (BtfType type in Enums(enumName))
        {
            var values = new KeyValuePair<string, long>[type.Length];
            for (int i = 0; i < values.Length; i++)
                values[i] = new(_blob.String(_blob.DataWord(type, i * Words(type))), ValueAt(type, i));
            return values;
        }

        return [];
    }

    private static int Words(BtfType type) => type.Kind == BtfKind.Enum64 ? 3 : 2;

    private long ValueAt(BtfType type, int index)
    {
        int word = (index * Words(type)) + 1;
        uint low = _blob.DataWord(type, word);
        return type.Kind == BtfKind.Enum64 ? (long)(((ulong)_blob.DataWord(type, word + 1) << 32) | low) : (int)low;
    }

    private IEnumerable<BtfType> Enums(string? name)
    {
        byte[]? wanted = name is null ? null : Encoding.UTF8.GetBytes(name);
        for (uint id = 1; id <= (uint)_blob.Count; id++)
        {
            BtfType type = _blob[id];
            if (type.Kind is BtfKind.Enum or BtfKind.Enum64 && (wanted is null || _blob.IsString(type.NameOffset, wanted)))
                yield return type;
        }
    }

    // Structs and unions of a name first, then what typedefs of that name lead to.
    private IEnumerable<BtfType> Named(string name)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(name);
        if (wanted.Length == 0)
            yield break;
        int found = 0;
        for (uint id = 1; id <= (uint)_blob.Count && found < _blob.Limits.Namesakes; id++)
        {
            BtfType type = _blob[id];
            if (!type.IsComposite || !_blob.IsString(type.NameOffset, wanted))
                continue;
            found++;
            yield return type;
        }

        for (uint id = 1; id <= (uint)_blob.Count && found < _blob.Limits.Namesakes; id++)
        {
            BtfType type = _blob[id];
            if (type.Kind != BtfKind.Typedef || !_blob.IsString(type.NameOffset, wanted))
                continue;
            found++;
            BtfType target = BtfMemberSearch.Resolve(_blob, type);
            if (target.IsComposite)
                yield return target;
        }
    }
}
