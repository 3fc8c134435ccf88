using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Erasing;

/// <summary>
/// Follows what a rule names to its places in memory. It trusts nothing of the crashed kernel's memory: pointers may be wild. Rules never say whether
/// something is a pointer, so every pointer on the way to a member is followed.
/// </summary>
/// <param name="memory">The kernel's memory.</param>
/// <param name="scope">Where names are looked up.</param>
internal sealed class ErasePlaces(IVirtualMemory memory, EraseScope scope)
{
    private static readonly KernelType s_character = new(KernelTypeKind.Character, "char", 1) { IsSigned = true };

    private string? _variable;
    private KernelObject? _element;

    /// <summary>The kernel's memory.</summary>
    internal IVirtualMemory Memory => memory;

    /// <summary>Where names are looked up.</summary>
    internal EraseScope Scope => scope;

    /// <summary>Gives a loop's variable its element.</summary>
    /// <param name="variable">The variable's name; null to end the loop.</param>
    /// <param name="element">The element.</param>
    internal void Bind(string? variable, KernelObject? element) => (_variable, _element) = (variable, element);

    /// <summary>Follows an expression; several places for per-cpu variables, none behind a pointer that is NULL.</summary>
    /// <exception cref="EraseException">A name is not known, or a pointer cannot be read.</exception>
    internal IEnumerable<KernelObject> Resolve(EraseExpression expression)
    {
        foreach (KernelObject start in Start(expression))
        {
            KernelObject? place = start;
            foreach (string member in expression.Members)
            {
                if (place is { } here)
                    place = Member(here, member, expression.Text);
            }

            if (place is { } found)
                yield return found;
        }
    }

    /// <summary>A member of a place, or of what it points to; null behind a pointer that is NULL.</summary>
    /// <param name="place">The place.</param>
    /// <param name="name">The member.</param>
    /// <param name="text">The expression, for messages.</param>
    internal KernelObject? Member(KernelObject place, string name, string text)
    {
        if (FollowAll(place, text) is not { } found)
            return null;
        return found.Type.FindMember(name) is not null ? found.Member(name)
            : throw new EraseException($"'{text}': there is no member '{name}' in {Describe(found.Type)}");
    }

    /// <summary>Follows pointers to a structure or union; null if one of them is NULL.</summary>
    /// <param name="place">A structure, a pointer to one, a pointer to such a pointer …</param>
    /// <param name="text">The expression, for messages.</param>
    internal KernelObject? FollowAll(KernelObject place, string text)
    {
        for (int i = 0; i < memory.Limits.PointerChain; i++)
        {
            KernelType type = place.Type.Underlying();
            if (type.IsComposite)
                return place;
            if (type.Kind != KernelTypeKind.Pointer)
                break;
            ulong target = ReadPointer(place.Address!.Value, text);
            if (target == 0)
                return null;
            place = KernelObject.At(memory, type.Target, target);
        }

        throw new EraseException($"'{text}': {Describe(place.Type)} has no members");
    }

    /// <summary>Reads a pointer.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="text">The expression, for messages.</param>
    internal ulong ReadPointer(ulong address, string text) =>
        memory.TryReadUInt64(address, out ulong value) ? value : throw new EraseException(Unreadable(address, text));

    /// <summary>Says that a pointer cannot be read.</summary>
    internal string Unreadable(ulong address, string text)
    {
        MemoryStatus status = memory.Read(address, stackalloc byte[8]);
        return $"'{text}': the pointer at 0x{address:x} cannot be read ({MemoryStatusText.Of(status)}), so what it points to is not erased";
    }

    /// <summary>Why types are missing, in parentheses; empty if none are.</summary>
    internal string Because() => scope.Types.Problem is { } problem ? $" ({problem})" : "";

    private IEnumerable<KernelObject> Start(EraseExpression expression)
    {
        if (_variable == expression.Symbol)
        {
            yield return expression.Cast is null ? _element! : KernelObject.At(memory, CastType(expression), _element!.Address!.Value);
            yield break;
        }

        IReadOnlyList<ulong> addresses = scope.Find(expression.Symbol);
        if (addresses.Count == 0)
            throw new EraseException($"there is no symbol '{expression.Symbol}'");
        KernelType type = (expression.Cast is null ? scope.TypeOf(expression.Symbol) : CastType(expression))
            ?? throw new EraseException($"the type of '{expression.Symbol}' is not known{Because()}: "
                + $"{(scope.Types.HasDebugInformation ? "" : "give the debug information with -x, or ")}write the type in front of it, "
                + $"as in (struct foo *){expression.Text}");
        foreach (ulong address in addresses)
            yield return KernelObject.At(memory, type, address);
    }

    private KernelType CastType(EraseExpression expression)
    {
        string[] words = expression.Cast!.Split(' ');
        int stars = words.Count(w => w == "*");
        string[] names = [.. words.Where(w => w is not ("*" or "struct" or "union" or "const"))];
        KernelType? type = names.Length == 1
            ? (names[0] == "void" && stars > 0 ? KernelType.Void : names[0] == "char" ? s_character : scope.Types.FindComposite(names[0]))
            : null;
        if (type is null)
            throw new EraseException($"the type ({expression.Cast}) is not known{Because()}");
        for (int i = 0; i < stars; i++)
            type = TypeNameParser.PointerTo(type);
        return type;
    }

    // The words are those that DWARF has for it.
    private static string Describe(KernelType type)
    {
        KernelType plain = type.Underlying();
        string kind = plain.Kind switch
        {
            KernelTypeKind.Character or KernelTypeKind.Boolean => "integer",
            KernelTypeKind.Enum => "enumeration",
            _ => plain.Kind.ToString().ToLowerInvariant(),
        };
        return plain.Kind != KernelTypeKind.Void && plain.Name.Length > 0 ? $"{kind} {plain.Name}" : "it";
    }
}
