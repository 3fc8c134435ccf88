using System.Collections.Concurrent;
using Vmcore.IO;
using Vmcore.Kernel.Btf;

namespace Vmcore.Kernel.Types;

/// <summary>Makes <see cref="KernelType"/>s of BTF, each when first asked for. Module's BTF
/// goes on where that of the kernel ends: ids and strings below are the kernel's.</summary>
internal sealed class BtfTypeFactory
{
    // What a type and a member take in memory, about.
    private const int TypeCost = 400, MemberCost = 80;

    // BTF_INT_SIGNED, BTF_INT_BOOL.
    private const uint SignedBit = 1, BooleanBit = 4;

    private readonly BtfBlob _blob;
    private readonly BtfTypeFactory? _kernel;
    private readonly ReadLimits _limits;
    private readonly ConcurrentDictionary<uint, KernelType> _types = new();
    private readonly Lazy<BtfNameIndex> _names;
    private readonly uint _firstId;
    private readonly uint _firstString;
    private readonly bool _isCharSigned;
    private readonly Lazy<bool> _tellsSignOfChar;
    private long _memory;

    internal BtfTypeFactory(BtfBlob blob, BtfTypeFactory? kernel = null, ReadLimits? limits = null, bool isCharSigned = true)
    {
        _isCharSigned = kernel?._isCharSigned ?? isCharSigned;
        _blob = blob;
        _kernel = kernel;
        _limits = limits ?? kernel?._limits ?? ReadLimits.Default;
        _firstId = kernel is null ? 0 : kernel._firstId + (uint)kernel._blob.Count;
        _firstString = kernel is null ? 0 : kernel._firstString + (uint)kernel._blob.StringsLength;
        _names = new(() => new(blob, String));
        _tellsSignOfChar = new(TellsSignOfChar);
    }

    /// <summary>All own types of a name: structs, unions, enums, typedefs, integers.</summary>
    internal IEnumerable<KernelType> Named(string name) => _names.Value.Find(name, isVariable: false).Select(id => Get(_firstId + id));

    /// <summary>The type of a variable; null if BTF does not describe it (most kernels describe those of each CPU only).</summary>
    internal KernelType? Variable(string name)
    {
        foreach (uint id in _names.Value.Find(name, isVariable: true))
            return Get(_blob[id].SizeOrType);
        return null;
    }

    /// <summary>The values of enums of a name, with their enums.</summary>
    internal IEnumerable<(KernelType Type, long Value)> EnumeratorsNamed(string name)
    {
        for (uint id = 1; id <= (uint)_blob.Count; id++)
        {
            BtfType type = _blob[id];
            if (type.Kind is not (BtfKind.Enum or BtfKind.Enum64))
                continue;
            for (int i = 0; i < type.Length; i++)
            {
                if (String(_blob.DataWord(type, i * EnumWords(type))) != name)
                    continue;
                KernelType found = Get(_firstId + id);
                if (i < found.Enumerators.Count)
                    yield return (found, found.Enumerators[i].Value);
            }
        }
    }

    /// <summary>The type with an id; void for ids that do not exist.</summary>
    internal KernelType Get(uint id)
    {
        if (id == 0)
            return KernelType.Void;
        if (_kernel is not null && id <= _firstId)
            return _kernel.Get(id);
        return _types.TryGetValue(id, out KernelType? known) ? known : _types.GetOrAdd(id, Make(id));
    }

    private string String(uint offset) => _kernel is not null && offset < _firstString ? _kernel.String(offset) : _blob.String(offset - _firstString);

    // Tags say what a pointer points to (user memory, RCU); C knows nothing of them.
    private KernelType Make(uint id)
    {
        Charge(TypeCost);
        BtfType type = _blob[id - _firstId];
        for (int i = 0; type.Kind is BtfKind.TypeTag or BtfKind.DeclarationTag or BtfKind.Function or BtfKind.Variable; i++)
        {
            // A function or variable stands for its type. That it leads to another one, or tags never to an end, is damage.
            uint next = type.SizeOrType;
            if (i == _limits.TypeDepth)
                return KernelType.Void;
            if (_kernel is not null && next <= _firstId)
                return _kernel.Get(next);
            type = _blob[next - _firstId];
        }

        string name = String(type.NameOffset);
        return type.Kind switch
        {
            BtfKind.Int => Integer(type, Common(name)),
            BtfKind.Float => new(KernelTypeKind.Float, name, Size(type)),
            BtfKind.Pointer => new(KernelTypeKind.Pointer, "", sizeof(ulong), To(type.SizeOrType)),
            BtfKind.Array => new(KernelTypeKind.Array, "", null, To(_blob.DataWord(type, 0))) { Length = _blob.DataWord(type, 2) is > 0 and var n ? n : null },
            BtfKind.Struct or BtfKind.Union =>
                new(type.Kind == BtfKind.Struct ? KernelTypeKind.Struct : KernelTypeKind.Union, name, Size(type), members: () => Members(type)),
            BtfKind.Forward => new(type.KindFlag ? KernelTypeKind.Union : KernelTypeKind.Struct, name) { IsComplete = false },
            BtfKind.Enum or BtfKind.Enum64 =>
                new(KernelTypeKind.Enum, name, Size(type), enumerators: () => Enumerators(type)) { IsSigned = EnumIsSigned(type) },
            BtfKind.Typedef => new(KernelTypeKind.Typedef, name, null, To(type.SizeOrType)),
            BtfKind.Const => new(KernelTypeKind.Const, "", null, To(type.SizeOrType)),
            BtfKind.Volatile => new(KernelTypeKind.Volatile, "", null, To(type.SizeOrType)),
            BtfKind.Restrict => new(KernelTypeKind.Restrict, "", null, To(type.SizeOrType)),
            BtfKind.FunctionPrototype => Function(type),
            _ => KernelType.Void,
        };
    }

    private Func<KernelType> To(uint id) => () => Get(id);

    private long? Size(BtfType type) => type.SizeOrType <= (uint)_limits.TypeBytes ? type.SizeOrType : null;

    // Names of damaged BTF may be any bytes of it, and a type have 65,535 members.
    private void Charge(long bytes)
    {
        if (Interlocked.Add(ref _memory, bytes) > _limits.TypeMemory)
            throw new KernelObjectException($"the types (BTF) are damaged: those that were looked at take more than {_limits.TypeMemory} bytes");
    }

    private string Name(uint offset)
    {
        string name = String(offset);
        Charge(MemberCost + (sizeof(char) * name.Length));
        return name;
    }

    private KernelType Integer(BtfType type, string name)
    {
        uint encoding = Encoding(type);
        KernelTypeKind kind = (encoding & BooleanBit) != 0 ? KernelTypeKind.Boolean
            : name is "char" or "signed char" or "unsigned char" ? KernelTypeKind.Character : KernelTypeKind.Integer;

        // BTF has a flag for it, which older pahole set for no character: only where "signed char" has it, its absence says something of "char".
        bool isSigned = (encoding & SignedBit) != 0 || name == "signed char" || (name == "char" && _isCharSigned && !_tellsSignOfChar.Value);
        return new(kind, name, type.SizeOrType is 1 or 2 or 4 or 8 or 16 ? type.SizeOrType : null) { IsSigned = isSigned };
    }

    private bool TellsSignOfChar() => _kernel?._tellsSignOfChar.Value
        ?? _names.Value.Find("signed char", isVariable: false).Any(id => _blob[id].Kind == BtfKind.Int && (Encoding(_blob[id]) & SignedBit) != 0);

    private uint Encoding(BtfType type) => _blob.DataWord(type, 0) >> 24 & 0xf;

    private KernelType Function(BtfType type)
    {
        // A last parameter without name and type stands for "...".
        bool variadic = type.Length > 0 && _blob.DataWord(type, (2 * type.Length) - 1) == 0;
        int count = variadic ? type.Length - 1 : type.Length;
        return new(KernelTypeKind.Function, "", null, To(type.SizeOrType), () => Parameters(type, count)) { IsVariadic = variadic };
    }

    private KernelTypeMember[] Parameters(BtfType type, int count)
    {
        var list = new KernelTypeMember[count];
        for (int i = 0; i < count; i++)
            list[i] = new(Name(_blob.DataWord(type, 2 * i)), Get(_blob.DataWord(type, (2 * i) + 1)), 0, 0);
        return list;
    }

    private KernelTypeMember[] Members(BtfType type)
    {
        var list = new KernelTypeMember[type.Length];
        for (int i = 0; i < list.Length; i++)
        {
            uint word = _blob.DataWord(type, (3 * i) + 2);
            KernelType member = Get(_blob.DataWord(type, (3 * i) + 1));
            // C has flexible arrays only behind the other members of a struct. What is declared as [0] there looks like one.
            if (type.Kind == BtfKind.Union || i < list.Length - 1 || i == 0)
                member = WithoutElements(member);
            list[i] = new(Name(_blob.DataWord(type, 3 * i)), member, type.KindFlag ? word & 0xffffff : word, type.KindFlag ? (int)(word >> 24) : 0);
        }

        return list;
    }

    private static KernelType WithoutElements(KernelType type) =>
        type is { Kind: KernelTypeKind.Array, Length: null } ? new(KernelTypeKind.Array, "", null, () => type.Target) { Length = 0 } : type;

    private static int EnumWords(BtfType type) => type.Kind == BtfKind.Enum64 ? 3 : 2;

    // Kernels before 6.1 say nothing of the sign: it is then that of the values.
    private bool EnumIsSigned(BtfType type)
    {
        if (type.KindFlag)
            return true;
        if (type.Kind == BtfKind.Enum64)
            return false;
        for (int i = 0; i < type.Length; i++)
        {
            if ((int)_blob.DataWord(type, (2 * i) + 1) < 0)
                return true;
        }

        return false;
    }

    private KernelEnumerator[] Enumerators(BtfType type)
    {
        bool signed = EnumIsSigned(type);
        var list = new KernelEnumerator[type.Length];
        for (int i = 0; i < list.Length; i++)
        {
            uint low = _blob.DataWord(type, (i * EnumWords(type)) + 1);
            long value = type.Kind == BtfKind.Enum64 ? (long)((ulong)_blob.DataWord(type, (3 * i) + 2) << 32 | low) : signed ? (int)low : low;
            list[i] = new(Name(_blob.DataWord(type, i * EnumWords(type))), value);
        }

        return list;
    }

    // The compiler writes out what people shorten.
    internal static string Common(string name) => name switch
    {
        "_Bool" => "bool",
        "short int" => "short",
        "short unsigned int" => "unsigned short",
        "long int" => "long",
        "long unsigned int" => "unsigned long",
        "long long int" => "long long",
        "long long unsigned int" => "unsigned long long",
        "__int128 unsigned" => "unsigned __int128",
        _ => name,
    };
}
