using System.Buffers.Binary;
using Vmcore.IO;

namespace Vmcore.Kernel.Btf;

/// <summary>One type of a <see cref="BtfBlob"/>: its three header words and where its kind's own data starts.</summary>
/// <param name="NameOffset">Offset of the name in the strings.</param>
/// <param name="Info">Kind, count and kind flag.</param>
/// <param name="SizeOrType">Size in bytes, or id of the type referred to, as the kind has it.</param>
/// <param name="Data">Offset in the blob of what follows the header.</param>
internal readonly record struct BtfType(uint NameOffset, uint Info, uint SizeOrType, int Data)
{
    /// <summary>Number of members, values or parameters, 0 to 65535.</summary>
    public int Length => (int)(Info & 0xffff);

    /// <summary>The kind.</summary>
    public BtfKind Kind => (BtfKind)((Info >> 24) & 0x1f);

    /// <summary>Structs and unions: members tell bit-field widths. Enums: values are signed.</summary>
    public bool KindFlag => Info >> 31 != 0;

    /// <summary>True for a struct or union with members.</summary>
    public bool IsComposite => Kind is BtfKind.Struct or BtfKind.Union;

    /// <summary>True if the type is only another name, or another quality, of the type with the id <see cref="SizeOrType"/>.</summary>
    public bool IsAlias => Kind is BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.TypeTag;
}

/// <summary>The raw bytes of BTF with an index of the types: what every look-up stands on. All access is checked.</summary>
internal sealed class BtfBlob
{
    /// <summary>First bytes of BTF: magic, version 1, no flags.</summary>
    public static ReadOnlySpan<byte> Magic => [0x9f, 0xeb, 1, 0];

    /// <summary>Length in bytes of the header that is known; a longer one is accepted.</summary>
    public const int HeaderLength = 24;

    private const int TypeHeader = 12;

    private readonly byte[] _bytes;
    private readonly int[] _types;
    private readonly int _stringsStart;
    private readonly int _stringsLength;

    private BtfBlob(byte[] bytes, int[] types, int stringsStart, int stringsLength, bool isComplete, ReadLimits limits)
    {
        Limits = limits;
        _bytes = bytes;
        _types = types;
        _stringsStart = stringsStart;
        _stringsLength = stringsLength;
        IsComplete = isComplete;
    }

    /// <summary>The bounds on what the types may ask for.</summary>
    public ReadLimits Limits { get; }

    /// <summary>Number of types, void not counted; the ids are 1 to this.</summary>
    public int Count => _types.Length;

    /// <summary>Length of the strings in bytes; those of split BTF begin there.</summary>
    public int StringsLength => _stringsLength;

    /// <summary>False if a type of unknown kind, or damage, ended the index early.</summary>
    public bool IsComplete { get; }

    /// <summary>Indexes the types of a blob.</summary>
    /// <param name="bytes">The blob; kept, not copied.</param>
    /// <param name="problem">Why it is no BTF.</param>
    /// <param name="limits">The bounds on what the types may ask for; null for the default ones.</param>
    public static BtfBlob? TryParse(byte[] bytes, out string? problem, ReadLimits? limits = null)
    {
        if (bytes.Length < HeaderLength || !bytes.AsSpan().StartsWith(Magic))
        {
            problem = "the bytes do not start with a BTF header of version 1";
            return null;
        }

        uint header = Word(bytes, 4);
        uint typeOffset = Word(bytes, 8), typeLength = Word(bytes, 12), stringOffset = Word(bytes, 16), stringLength = Word(bytes, 20);
        ulong typesEnd = (ulong)header + typeOffset + typeLength, stringsEnd = (ulong)header + stringOffset + stringLength;
        if (header < HeaderLength || typesEnd > (ulong)bytes.Length || stringsEnd > (ulong)bytes.Length || stringLength == 0)
        {
            problem = $"the BTF header does not fit its {bytes.Length} bytes: "
                + $"header {header}, types {typeOffset}+{typeLength}, strings {stringOffset}+{stringLength}";
            return null;
        }

        int start = (int)(header + typeOffset), end = (int)typesEnd;
        int count = Walk(bytes, start, end, [], out bool isComplete);
        int[] types = new int[count];
        Walk(bytes, start, end, types, out _);
        problem = null;
        return new(bytes, types, (int)(header + stringOffset), (int)stringLength, isComplete, limits ?? ReadLimits.Default);
    }

    // Counts the types and, if there is room for them, notes where each starts.
    private static int Walk(byte[] bytes, int start, int end, Span<int> types, out bool isComplete)
    {
        int at = start, count = 0;
        while (end - at >= TypeHeader)
        {
            int length = TypeHeader + DataLength(Header(bytes, at));
            if (length < TypeHeader || length > end - at)
                break;
            if (!types.IsEmpty)
                types[count] = at;
            count++;
            at += length;
        }

        isComplete = at == end;
        return count;
    }

    private static int DataLength(BtfType type) => type.Kind switch
    {
        BtfKind.Int or BtfKind.Variable or BtfKind.DeclarationTag => 4,
        BtfKind.Array => 12,
        BtfKind.Struct or BtfKind.Union or BtfKind.DataSection or BtfKind.Enum64 => 12 * type.Length,
        BtfKind.Enum or BtfKind.FunctionPrototype => 8 * type.Length,
        BtfKind.Pointer or BtfKind.Forward or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const
            or BtfKind.Restrict or BtfKind.Function or BtfKind.Float or BtfKind.TypeTag => 0,
        _ => -TypeHeader - 1,
    };

    /// <summary>The type with an id; void (kind 0) for 0 and for ids that do not exist.</summary>
    public BtfType this[uint id] => id >= 1 && id <= (uint)_types.Length ? Header(_bytes, _types[id - 1]) : default;

    /// <summary>Reads 32-bit word <paramref name="word"/> of a type's own data; the caller stays within its length.</summary>
    public uint DataWord(BtfType type, int word) => Word(_bytes, type.Data + (4 * word));

    /// <summary>True if the string at an offset is exactly <paramref name="text"/>.</summary>
    public bool IsString(uint offset, ReadOnlySpan<byte> text)
    {
        if (offset >= (uint)_stringsLength || _stringsLength - (int)offset <= text.Length)
            return false;
        ReadOnlySpan<byte> rest = _bytes.AsSpan(_stringsStart + (int)offset, text.Length + 1);
        return rest[^1] == 0 && rest.StartsWith(text);
    }

    /// <summary>The string at an offset, cut at 256 bytes; empty if the offset is outside. Bytes that are no printable ASCII become <c>?</c>.</summary>
    public string String(uint offset)
    {
        if (offset >= (uint)_stringsLength)
            return "";
        ReadOnlySpan<byte> rest = _bytes.AsSpan(_stringsStart + (int)offset, Math.Min(256, _stringsLength - (int)offset));
        int nul = rest.IndexOf((byte)0);
        Span<char> text = stackalloc char[nul >= 0 ? nul : rest.Length];
        for (int i = 0; i < text.Length; i++)
            text[i] = rest[i] is >= 0x20 and < 0x7f ? (char)rest[i] : '?';
        return new(text);
    }

    private static BtfType Header(byte[] bytes, int at) => new(Word(bytes, at), Word(bytes, at + 4), Word(bytes, at + 8), at + TypeHeader);

    private static uint Word(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));
}
