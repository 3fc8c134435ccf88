using System.Globalization;
using System.Text;

namespace Vmcore.Kernel.Types;

/// <summary>Writes types and declarations as C does.</summary>
internal static class TypeNames
{
    // A declarator of more parts is damage: types may refer to themselves.
    private const int MaxDepth = 32;

    /// <summary>The name of a type, without a variable.</summary>
    internal static string Name(KernelType type) => Declare(type, "");

    /// <summary>A declaration: <c>int (*open)(struct inode *, struct file *)</c>.</summary>
    internal static string Declare(KernelType type, string variable) => Declare(type, variable, MaxDepth);

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

    private static string Declare(KernelType type, string inner, int depth)
    {
        if (depth == 0)
            return Join("<endless>", inner);
        depth--;
        switch (type.Kind)
        {
            case KernelTypeKind.Pointer:
                return Declare(type.Target, Wrap(type.Target, "*" + inner), depth);
            case KernelTypeKind.Array:
                return Declare(type.Target, string.Create(CultureInfo.InvariantCulture, $"{inner}[{type.Length}]"), depth);
            case KernelTypeKind.Function:
                return Declare(type.Target, inner + Parameters(type, depth), depth);
            case KernelTypeKind.Const or KernelTypeKind.Volatile or KernelTypeKind.Restrict:
                return Qualified(type, inner, depth);
            default:
                return Join(Base(type), inner);
        }
    }

    // Qualifiers stand before a name, but behind the star of a pointer; those of an array are those of its elements.
    private static string Qualified(KernelType type, string inner, int depth)
    {
        var words = new StringBuilder();
        KernelType target = type;
        for (int i = 0; target.IsQualifier; i++, target = target.Target)
        {
            if (i == MaxDepth)
                return Join("<endless>", inner);
            words.Append(words.Length == 0 ? "" : " ").Append(target.Kind switch
            {
                KernelTypeKind.Const => "const",
                KernelTypeKind.Volatile => "volatile",
                _ => "restrict",
            });
        }

        if (target.Kind == KernelTypeKind.Pointer)
            return Declare(target.Target, Wrap(target.Target, "* " + Join(words.ToString(), inner)), depth);
        return words + " " + Declare(target, inner, depth);
    }

    private static string Wrap(KernelType target, string inner) =>
        target.Unqualified().Kind is KernelTypeKind.Array or KernelTypeKind.Function ? "(" + inner + ")" : inner;

    private static string Parameters(KernelType type, int depth)
    {
        if (type.Members.Count == 0)
            return type.IsVariadic ? "()" : "(void)";
        string list = string.Join(", ", type.Members.Select(p => Declare(p.Type, "", depth)));
        return "(" + list + (type.IsVariadic ? ", ...)" : ")");
    }

    private static string Join(string name, string inner) => inner.Length == 0 ? name : name + " " + inner;
}
