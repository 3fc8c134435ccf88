using Vmcore.Kernel.Btf;

namespace Vmcore.Kernel.Types;

/// <summary>Finds types of BTF by their names: a hash table over the bytes of the blob, eight bytes a type, no string of its own.</summary>
internal sealed class BtfNameIndex
{
    private readonly BtfBlob _blob;
    private readonly Func<uint, string> _name;

    // The first type of a bucket, and the next of the same bucket; 0 for none. Ids ascend along a chain.
    private readonly uint[] _first;
    private readonly uint[] _next;

    /// <summary>Makes the index.</summary>
    /// <param name="blob">The types.</param>
    /// <param name="name">Gives the name at an offset of the strings: those of a module begin with the kernel's.</param>
    internal BtfNameIndex(BtfBlob blob, Func<uint, string> name)
    {
        _blob = blob;
        _name = name;
        _first = new uint[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)blob.Count + 1)];
        _next = new uint[blob.Count + 1];
        for (uint id = (uint)blob.Count; id >= 1; id--)
        {
            if (!IsNamed(blob[id], out bool isVariable) || NameOf(blob[id]) is not { Length: > 0 } text)
                continue;
            ref uint bucket = ref Bucket(text, isVariable);
            _next[id] = bucket;
            bucket = id;
        }
    }

    /// <summary>The ids, those of this blob, of the types of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="isVariable">True for variables, false for structs, unions, enums, typedefs and numbers.</param>
    internal IEnumerable<uint> Find(string name, bool isVariable)
    {
        for (uint id = Bucket(name, isVariable); id != 0; id = _next[id])
        {
            if (IsNamed(_blob[id], out bool found) && found == isVariable && NameOf(_blob[id]) == name)
                yield return id;
        }
    }

    private string NameOf(BtfType type)
    {
        string name = _name(type.NameOffset);
        return type.Kind == BtfKind.Int ? BtfTypeFactory.Common(name) : name;
    }

    private static bool IsNamed(BtfType type, out bool isVariable)
    {
        isVariable = type.Kind == BtfKind.Variable;
        return isVariable || type.Kind is BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64
            or BtfKind.Typedef or BtfKind.Int or BtfKind.Float;
    }

    // The runtime's hash of text differs from run to run: no file can aim at one chain.
    private ref uint Bucket(string name, bool isVariable) =>
        ref _first[((uint)name.GetHashCode(StringComparison.Ordinal) ^ (isVariable ? 1u : 0u)) & (uint)(_first.Length - 1)];
}
