using System.Globalization;
using System.Text;

namespace Vmcore.Kernel.Types;

/// <summary>Writes types and declarations as C does.</summary>
internal static class TypeNames
{
    /// <summary>The name of a type, without a variable.</summary>
    /// <param name="type">The type.</param>
    /// <param name="budget">What the answer may still look at: types may refer to themselves.</param>
    internal static string Name(KernelType type, AnswerBudget budget) => Declare(type, "", budget);

    /// <summary>A declaration: <c>int (*open)(struct inode *, struct file *)</c>.</summary>
    /// <param name="type">The type.</param>
    /// <param name="variable">Name of what has the type.</param>
    /// <param name="budget">What the answer may still look at.</param>
    internal static string Declare(KernelType type, string variable, AnswerBudget budget)
    {
        budget.BeginName();
        return Declare(type, variable, budget.Depth, budget);
    }

    /// <summary>The keyword and name of a struct, union or enum; for others the name alone.</summary>
    internal static string Base(KernelType type)
    {
        string keyword = type.Kind switch
        {
            KernelTypeKind.Struct => "struct ",
            KernelTypeKind.Union => "union ",
            KernelTypeKind.Enum => "enum ",
            _ => "",
        };
        return keyword + (type.Name.Length > 0 ? type.Name : "<anonymous>");
    }

    // A declarator of more parts than the depth allows is damage.
    private static string Declare(KernelType type, string inner, int depth, AnswerBudget budget)
    {
        if (depth == 0)
            return Join("<endless>", inner);
        if (!budget.Part(type.Name.Length))
            return Join("...", inner);
        depth--;
        switch (type.Kind)
        {
            case KernelTypeKind.Pointer:
                return Declare(type.Target, Wrap(type.Target, "*" + inner), depth, budget);
            case KernelTypeKind.Array:
                return Declare(type.Target, string.Create(CultureInfo.InvariantCulture, $"{inner}[{type.Length}]"), depth, budget);
            case KernelTypeKind.Function:
                return Declare(type.Target, inner + Parameters(type, depth, budget), depth, budget);
            case KernelTypeKind.Const or KernelTypeKind.Volatile or KernelTypeKind.Restrict:
                return Qualified(type, inner, depth, budget);
            default:
                return Join(Base(type), inner);
        }
    }

    // Qualifiers stand before a name, but behind the star of a pointer; those of an array are those of its elements.
    private static string Qualified(KernelType type, string inner, int depth, AnswerBudget budget)
    {
        var words = new StringBuilder();
        KernelType target = type;
        for (int i = 0; target.IsQualifier; i++, target = target.Target)
        {
            if (i == budget.Depth)
                return Join("<endless>", inner);
            words.Append(words.Length == 0 ? "" : " ").Append(target.Kind switch
            {
                KernelTypeKind.Const => "const",
                KernelTypeKind.Volatile => "volatile",
                _ => "restrict",
            });
        }

        if (target.Kind == KernelTypeKind.Pointer)
            return Declare(target.Target, Wrap(target.Target, "* " + Join(words.ToString(), inner)), depth, budget);
        return words + " " + Declare(target, inner, depth, budget);
    }

    private static string Wrap(KernelType target, string inner) =>
        target.Unqualified().Kind is KernelTypeKind.Array or KernelTypeKind.Function ? "(" + inner + ")" : inner;

    private static string Parameters(KernelType type, int depth, AnswerBudget budget)
    {
        if (type.Members.Count == 0)
            return type.IsVariadic ? "()" : "(void)";
        var list = new StringBuilder("(");
        foreach (KernelTypeMember parameter in type.Members)
        {
            if (!budget.Part(0))
            {
                list.Append(list.Length > 1 ? ", ..." : "...");
                break;
            }

            list.Append(list.Length > 1 ? ", " : "").Append(Declare(parameter.Type, "", depth, budget));
        }

        return list.Append(type.IsVariadic ? ", ...)" : ")").ToString();
    }

    private static string Join(string name, string inner) => inner.Length == 0 ? name : name + " " + inner;
}
