using System.Globalization;
using System.Text;

namespace Vmcore.Kernel.Types;

/// <summary>Writes what C's headers say of a type: a struct with its members, an enum with its values.</summary>
public static class TypeDeclaration
{
    private const int OffsetColumn = 56;

    /// <summary>The declaration of a type.</summary>
    /// <param name="type">The type; structs behind a typedef are written out too if they have no name of their own.</param>
    /// <param name="withOffsets">True to say offset and size of each member in bytes, as a comment.</param>
    /// <param name="budget">What the answer may still look at; null for one of its own. Beyond it members are left out; <c>...</c> stands there.</param>
    /// <returns>Lines without a trailing newline or semicolon.</returns>
    public static string Write(KernelType type, bool withOffsets, AnswerBudget? budget = null)
    {
        ArgumentNullException.ThrowIfNull(type);
        var text = new StringBuilder();
        budget ??= new();
        if (type.Kind == KernelTypeKind.Typedef)
        {
            KernelType target = type.Target;
            text.Append("typedef ");
            if (target.Name.Length == 0 && HasBody(target))
            {
                Body(text, target, 0, 0, withOffsets, budget);
                text.Append(' ').Append(type.Name);
            }
            else
            {
                text.Append(TypeNames.Declare(target, type.Name, budget));
            }
        }
        else if (HasBody(type))
        {
            Body(text, type, 0, 0, withOffsets, budget);
        }
        else
        {
            text.Append(TypeNames.Name(type, budget));
        }

        return text.ToString();
    }

    private static bool HasBody(KernelType type) => (type.IsComposite && type.IsComplete) || type.Kind == KernelTypeKind.Enum;

    private static void Body(StringBuilder text, KernelType type, int depth, long offset, bool withOffsets, AnswerBudget budget)
    {
        string keyword = TypeNames.Base(type);
        text.Append(type.Name.Length > 0 ? keyword : keyword[..keyword.IndexOf(' ', StringComparison.Ordinal)]).Append(" {\n");
        foreach (KernelEnumerator value in type.Enumerators)
        {
            if (!budget.Visit() || !budget.Text(value.Name.Length + depth))
            {
                text.Append('\t', depth + 1).Append("...\n");
                break;
            }

            text.Append('\t', depth + 1).Append(value.Name).Append(" = ").Append(type.IsSigned
                ? value.Value.ToString(CultureInfo.InvariantCulture)
                : ((ulong)value.Value).ToString(CultureInfo.InvariantCulture)).Append(",\n");
        }

        foreach (KernelTypeMember member in type.Members)
        {
            if (!budget.Visit() || !budget.Text(member.Name.Length + OffsetColumn))
            {
                text.Append('\t', depth + 1).Append("...\n");
                break;
            }

            Member(text, member, depth + 1, offset, withOffsets, budget);
        }

        if (withOffsets && depth == 0 && type.Size is { } size)
            text.Append(CultureInfo.InvariantCulture, $"\n\t/* size: {size}, members: {type.Members.Count} */\n");
        text.Append('\t', depth).Append('}');
    }

    private static void Member(StringBuilder text, KernelTypeMember member, int depth, long start, bool withOffsets, AnswerBudget budget)
    {
        int from = text.Length;
        long offset = start + member.BitOffset;
        text.Append('\t', depth);

        // An anonymous type can only be shown where it stands; an array or a pointer of it too.
        KernelType inner = member.Type;
        for (int i = 0;
            i < budget.DeclarationDepth && inner.Kind is KernelTypeKind.Array or KernelTypeKind.Pointer or KernelTypeKind.Const or KernelTypeKind.Volatile; i++)
            inner = inner.Target;
        if (inner.Name.Length == 0 && HasBody(inner) && depth < budget.DeclarationDepth)
        {
            string whole = TypeNames.Declare(member.Type, member.Name, budget), name = TypeNames.Base(inner);
            int at = whole.IndexOf(name, StringComparison.Ordinal);
            if (at < 0)
            {
                // The budget ended within the declarator.
                text.Append(whole).Append('\n');
                return;
            }

            text.Append(whole[..at]);
            Body(text, inner, depth, member.Type.IsComposite ? offset : 0, withOffsets, budget);
            text.Append(whole[(at + name.Length)..]);
            from = text.ToString(from, text.Length - from).LastIndexOf('\n') + 1 + from;
        }
        else
        {
            text.Append(TypeNames.Declare(member.Type, member.Name, budget));
        }

        if (member.BitWidth > 0)
            text.Append(CultureInfo.InvariantCulture, $" : {member.BitWidth}");
        text.Append(';');
        if (withOffsets)
        {
            const int TabWidth = 8;
            int width = text.Length - from + ((TabWidth - 1) * depth);
            text.Append(' ', Math.Max(1, OffsetColumn - width));
            if (member.BitWidth > 0)
                text.Append(CultureInfo.InvariantCulture, $"/* {offset / 8,5}:{offset % 8} {member.BitWidth,3} bits */");
            else
                text.Append(CultureInfo.InvariantCulture, $"/* {offset / 8,5} {member.Type.Size ?? 0,5} */");
        }

        text.Append('\n');
    }
}
