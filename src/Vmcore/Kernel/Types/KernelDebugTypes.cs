using Vmcore.Debugging;
using Vmcore.Kernel.Btf;

namespace Vmcore.Kernel.Types;

/// <summary>The types that a dump brings itself (BTF), in the form that debug information has: whoever needs either asks one interface.</summary>
/// <remarks>BTF of most kernels has no variables but those of each CPU; some others are known by name.</remarks>
internal sealed class KernelDebugTypes(KernelTypes types, BtfTypes raw) : IDebugTypes
{
    /// <inheritdoc/>
    public DebugType? FindComposite(string name)
    {
        KernelType? found = types.FindNamed(KernelTypeKind.Struct, name) ?? types.FindNamed(KernelTypeKind.Union, name) ?? types.FindBare(name);
        return found is not null && Convert(found) is { IsComposite: true } type ? type : null;
    }

    /// <inheritdoc/>
    public DebugMember? FindMember(string name, string path) => FindComposite(name)?.Find(path);

    /// <inheritdoc/>
    public DebugType? FindVariable(string name, ulong? linkAddress) => types.VariableType(name, out _) is { } type ? Convert(type) : null;

    /// <inheritdoc/>
    public long? FindEnumerator(string name) => raw.EnumValue(null, name);

    /// <summary>Gives a type the form of debug information.</summary>
    internal static DebugType Convert(KernelType type) => type.Kind == KernelTypeKind.Void ? DebugType.Void : new Converted(type);

    private sealed class Converted(KernelType type) : DebugType
    {
        private readonly Lazy<IReadOnlyList<DebugMember>> _members =
            new(() => [.. type.Members.Select(m => new DebugMember(m.Name, m.BitOffset, m.BitWidth, Convert(m.Type)))]);

        public override DebugTypeKind Kind => type.Kind switch
        {
            KernelTypeKind.Integer or KernelTypeKind.Character or KernelTypeKind.Boolean => DebugTypeKind.Integer,
            KernelTypeKind.Float => DebugTypeKind.Float,
            KernelTypeKind.Pointer => DebugTypeKind.Pointer,
            KernelTypeKind.Array => DebugTypeKind.Array,
            KernelTypeKind.Struct => DebugTypeKind.Struct,
            KernelTypeKind.Union => DebugTypeKind.Union,
            KernelTypeKind.Enum => DebugTypeKind.Enumeration,
            KernelTypeKind.Function => DebugTypeKind.Function,
            KernelTypeKind.Typedef => DebugTypeKind.Typedef,
            KernelTypeKind.Const or KernelTypeKind.Volatile or KernelTypeKind.Restrict => DebugTypeKind.Qualifier,
            _ => DebugTypeKind.Void,
        };

        public override string Name => type.Name;

        // Of arrays the elements say it, and a structure of which only the name is known has none.
        protected override long? OwnSize =>
            type.Kind is KernelTypeKind.Array or KernelTypeKind.Typedef || type.IsQualifier || !type.IsComplete ? null : type.Size;

        public override DebugType Target => Convert(type.Target);

        public override long? Count => type.Kind == KernelTypeKind.Array ? type.Length : null;

        public override IReadOnlyList<DebugMember> Members => type.IsComposite ? _members.Value : [];

        public override IReadOnlyList<KeyValuePair<string, long>> Enumerators => [.. type.Enumerators.Select(e => KeyValuePair.Create(e.Name, e.Value))];

        public override bool IsSigned => type.IsSigned;
    }
}
