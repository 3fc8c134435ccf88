using Vmcore.Debugging;
using Vmcore.IO;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Kernel.Types;

/// <summary>Makes <see cref="KernelType"/>s of the debug information of a vmlinux, each when first asked for: the whole would take gigabytes.</summary>
/// <remarks>Safe for several threads at once, which DWARF itself is not.</remarks>
internal sealed class DwarfTypeFactory
{
    // C's base types as all machines with 64 bits have them; debug information repeats them in every unit.
    private static readonly Dictionary<string, KernelType> s_baseTypes = new KernelType[]
    {
        new(KernelTypeKind.Boolean, "bool", 1),
        new(KernelTypeKind.Character, "char", 1) { IsSigned = true },
        new(KernelTypeKind.Character, "signed char", 1) { IsSigned = true },
        new(KernelTypeKind.Character, "unsigned char", 1),
        new(KernelTypeKind.Integer, "short", 2) { IsSigned = true },
        new(KernelTypeKind.Integer, "unsigned short", 2),
        new(KernelTypeKind.Integer, "int", 4) { IsSigned = true },
        new(KernelTypeKind.Integer, "unsigned int", 4),
        new(KernelTypeKind.Integer, "long", 8) { IsSigned = true },
        new(KernelTypeKind.Integer, "unsigned long", 8),
        new(KernelTypeKind.Integer, "long long", 8) { IsSigned = true },
        new(KernelTypeKind.Integer, "unsigned long long", 8),
        new(KernelTypeKind.Integer, "__int128", 16) { IsSigned = true },
        new(KernelTypeKind.Integer, "unsigned __int128", 16),
    }.ToDictionary(t => t.Name, t => t, StringComparer.Ordinal);

    private readonly DwarfTypes _types;
    private readonly Func<string, ulong?> _linkAddress;
    private readonly Lock _gate = new();
    private readonly Dictionary<DwarfType, KernelType> _known = new(ReferenceEqualityComparer.Instance);

    /// <summary>Creates the factory.</summary>
    /// <param name="types">The debug information.</param>
    /// <param name="linkAddress">Link-time address of a symbol; tells variables of the same name apart.</param>
    internal DwarfTypeFactory(DwarfTypes types, Func<string, ulong?> linkAddress)
    {
        _types = types;
        _linkAddress = linkAddress;
    }

    /// <summary>The bounds on what the descriptions may ask for.</summary>
    internal ReadLimits Limits => _types.Limits;

    /// <summary>The types of a vmlinux; null if it has no debug information.</summary>
    internal static DwarfTypeFactory? TryCreate(VmlinuxFile? vmlinux) => vmlinux?.Types is { } types ? new(types, vmlinux.Find) : null;

    /// <summary>All types of a name.</summary>
    internal IEnumerable<KernelType> Named(string name)
    {
        if (s_baseTypes.TryGetValue(name, out KernelType? known))
            return [known];
        lock (_gate)
            return [.. _types.FindAll(name).Take(_types.Limits.Namesakes).Select(Get)];
    }

    /// <summary>The type of a variable; null if there is none of that name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="isPerCpu">True if each CPU has its own.</param>
    internal KernelType? Variable(string name, out bool isPerCpu)
    {
        ulong? address = _linkAddress(name);
        isPerCpu = address is { } at && _linkAddress("__per_cpu_start") is { } start && _linkAddress("__per_cpu_end") is { } end && at >= start && at < end;
        return Variable(name, address);
    }

    /// <summary>The type of the variable at an address; null if there is none of that name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="linkAddress">Its link-time address, to tell variables of the same name apart; null if it is not known.</param>
    internal KernelType? Variable(string name, ulong? linkAddress)
    {
        lock (_gate)
            return _types.FindVariable(name, linkAddress) is { } type ? Get(type) : null;
    }

    // Called with the gate held.
    private KernelType Get(DwarfType type)
    {
        if (_known.TryGetValue(type, out KernelType? known))
            return known;
        if (_known.Count >= _types.Limits.CachedTypes)
            _known.Clear();
        return _known[type] = Make(type);
    }

    private KernelType Make(DwarfType type)
    {
        string name = type.Name;
        long? size = type.ByteSize >= 0 && type.ByteSize <= _types.Limits.TypeBytes ? type.ByteSize : null;
        return type.Tag switch
        {
            DwarfTag.BaseType => Base(type, BtfTypeFactory.Common(name), size),
            DwarfTag.PointerType or DwarfTag.ReferenceType => new(KernelTypeKind.Pointer, "", sizeof(ulong), To(type)),
            DwarfTag.ArrayType => Array(type),
            DwarfTag.StructureType or DwarfTag.ClassType =>
                new(KernelTypeKind.Struct, name, size, members: () => Members(type)) { IsComplete = !type.IsDeclaration },
            DwarfTag.UnionType => new(KernelTypeKind.Union, name, size, members: () => Members(type)) { IsComplete = !type.IsDeclaration },
            DwarfTag.EnumerationType => new(KernelTypeKind.Enum, name, size, enumerators: () => Enumerators(type))
            {
                IsSigned = type.IsSigned,
                IsComplete = !type.IsDeclaration,
            },
            DwarfTag.Typedef => new(KernelTypeKind.Typedef, name, null, To(type)),
            DwarfTag.ConstType => new(KernelTypeKind.Const, "", null, To(type)),
            DwarfTag.VolatileType or DwarfTag.AtomicType => new(KernelTypeKind.Volatile, "", null, To(type)),
            DwarfTag.RestrictType => new(KernelTypeKind.Restrict, "", null, To(type)),
            DwarfTag.SubroutineType => Function(type),
            _ => KernelType.Void,
        };
    }

    private Func<KernelType> To(DwarfType type) => () =>
    {
        lock (_gate)
            return Get(type.Target);
    };

    private static KernelType Base(DwarfType type, string name, long? size)
    {
        const int Boolean = 2;
        if (type.Kind == DwarfTypeKind.Float)
            return new(KernelTypeKind.Float, name, size);
        KernelTypeKind kind = type.BaseEncoding == Boolean ? KernelTypeKind.Boolean
            : name is "char" or "signed char" or "unsigned char" ? KernelTypeKind.Character : KernelTypeKind.Integer;
        return new(kind, name, size is 1 or 2 or 4 or 8 or 16 ? size : null) { IsSigned = type.IsSigned };
    }

    // C has arrays of arrays; debug information one array of several dimensions.
    private KernelType Array(DwarfType type)
    {
        IReadOnlyList<long?> dimensions = type.Dimensions;
        Func<KernelType> element = To(type);
        for (int i = Math.Min(dimensions.Count, _types.Limits.ArrayDimensions) - 1; i > 0; i--)
        {
            var inner = new KernelType(KernelTypeKind.Array, "", null, element) { Length = dimensions[i] };
            element = () => inner;
        }

        return new(KernelTypeKind.Array, "", null, element) { Length = dimensions.Count > 0 ? dimensions[0] : null };
    }

    private KernelType Function(DwarfType type)
    {
        IReadOnlyList<DwarfType> parameters = type.ReadParameters(out bool isVariadic);
        return new(KernelTypeKind.Function, "", null, To(type), () => Parameters(parameters)) { IsVariadic = isVariadic };
    }

    private KernelTypeMember[] Parameters(IReadOnlyList<DwarfType> types)
    {
        lock (_gate)
            return [.. types.Select(t => new KernelTypeMember("", Get(t), 0, 0))];
    }

    private KernelTypeMember[] Members(DwarfType type)
    {
        lock (_gate)
            return [.. type.Members.Select(m => new KernelTypeMember(m.Name, Get(m.Type), m.BitOffset, m.BitWidth))];
    }

    private KernelEnumerator[] Enumerators(DwarfType type)
    {
        lock (_gate)
            return [.. type.Enumerators.Select(e => new KernelEnumerator(e.Key, e.Value))];
    }
}
