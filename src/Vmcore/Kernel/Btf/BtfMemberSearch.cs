using System.Text;

namespace Vmcore.Kernel.Btf;

/// <summary>Looks for one member path in structures, through anonymous members, within a budget: types may be hostile and refer to themselves.</summary>
internal sealed class BtfMemberSearch(BtfBlob blob, string path)
{
    private const int PathParts = 16;

    // Members looked at in one look-up; the largest structure of a real kernel has some hundreds.
    private int _budget = 1 << 15;

    private readonly byte[][] _names = Array.ConvertAll(path.Split('.'), Encoding.UTF8.GetBytes);

    /// <summary>Looks in one struct or union.</summary>
    public BtfMember? FindIn(BtfType type)
    {
        if (_names.Length > PathParts || Array.Exists(_names, name => name.Length == 0))
            return null;

        long offset = 0;
        BtfMember member = default;
        for (int i = 0; i < _names.Length; i++)
        {
            // Nothing is inside a bit-field.
            if (member.IsBitField || Find(Resolve(blob, type), _names[i], 0) is not { } found)
                return null;
            type = found.Type;
            offset += found.Member.BitOffset;
            if (offset > 8L * blob.Limits.TypeBytes)
                return null;
            member = found.Member with { BitOffset = offset };
        }

        return member;
    }

    /// <summary>The type behind typedefs, const and the like; void if they do not end.</summary>
    public static BtfType Resolve(BtfBlob blob, BtfType type)
    {
        for (int i = 0; i < blob.Limits.TypeAliases; i++)
        {
            if (!type.IsAlias)
                return type;
            type = blob[type.SizeOrType];
        }

        return default;
    }

    private (BtfMember Member, BtfType Type)? Find(BtfType type, ReadOnlySpan<byte> name, int depth)
    {
        if (!type.IsComposite || depth > blob.Limits.MemberDepth)
            return null;
        for (int i = 0; i < type.Length; i++)
        {
            if (--_budget < 0)
                return null;
            uint nameOffset = blob.DataWord(type, 3 * i), word = blob.DataWord(type, (3 * i) + 2);
            uint bitOffset = type.KindFlag ? word & 0xffffff : word;
            BtfType memberType = blob[blob.DataWord(type, (3 * i) + 1)];
            if (blob.IsString(nameOffset, name))
                return (new(bitOffset, type.KindFlag ? (int)(word >> 24) : 0), memberType);

            // The members of an anonymous struct or union are members of the structure around it.
            if (blob.IsString(nameOffset, []) && Find(Resolve(blob, memberType), name, depth + 1) is { } inner)
                return (inner.Member with { BitOffset = inner.Member.BitOffset + bitOffset }, inner.Type);
        }

        return null;
    }
}
