using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Kernel.Types;

/// <summary>The types of the crashed kernel by their C names, also those of its modules.</summary>
/// <remarks>Safe for several threads at once.</remarks>
public sealed class KernelTypes
{
    private readonly BtfTypeFactory? _kernel;
    private readonly Lazy<DwarfTypeFactory?> _debug;
    private readonly Lazy<IReadOnlyList<BtfTypeFactory>> _modules;

    /// <summary>Makes the types of BTF accessible by name.</summary>
    /// <param name="types">The kernel's own BTF.</param>
    /// <param name="modules">Gives that of its modules; null for none.</param>
    /// <param name="debug">Gives debug information, for what BTF does not describe; null for none.</param>
    /// <param name="isCharSigned">Whether plain <c>char</c> is signed, where BTF does not say it.</param>
    internal KernelTypes(
        BtfTypes types, Func<IReadOnlyList<byte[]>>? modules = null, Func<DwarfTypeFactory?>? debug = null, bool isCharSigned = true)
    {
        Limits = types.Blob.Limits;
        _kernel = new(types.Blob, limits: Limits, isCharSigned: isCharSigned);
        _modules = new(() => Factories(modules));
        _debug = new(() => debug?.Invoke());
    }

    internal KernelTypes(DwarfTypeFactory debug)
    {
        _modules = new(() => []);
        _debug = new(debug);
        Limits = debug.Limits;
    }

    /// <summary>The bounds on what the descriptions may ask for.</summary>
    internal ReadLimits Limits { get; }

    /// <summary>Makes the types of BTF accessible by name.</summary>
    /// <param name="types">The kernel's own BTF.</param>
    internal static KernelTypes From(BtfTypes types) => new(types);

    /// <summary>Makes the types of debug information accessible by name; modules have none of theirs then.</summary>
    /// <param name="vmlinux">The kernel's image, or the file of its debug information; it must live as long as the types.</param>
    /// <returns>Null if it has no debug information (see <see cref="VmlinuxFile.TypesProblem"/>).</returns>
    /// <exception cref="DumpFormatException">The debug information is damaged as a whole.</exception>
    internal static KernelTypes? TryFrom(VmlinuxFile vmlinux)
    {
        ArgumentNullException.ThrowIfNull(vmlinux);
        return DwarfTypeFactory.TryCreate(vmlinux) is { } debug ? new(debug) : null;
    }

    /// <summary>Finds a type by the name that C gives it: <c>struct page</c>,
    /// <c>unsigned long</c>, <c>const char *</c>, <c>struct list_head *[2]</c>.</summary>
    /// <param name="name">The name. A bare word may be a typedef, and if there is none of that name a struct, union or enum.</param>
    /// <param name="problem">One clause on why there is no such type; null if there is.</param>
    /// <returns>The type; null if there is none.</returns>
    public KernelType? Find(string name, out string? problem) => new TypeNameParser(this, name).ParseAll(out problem);

    /// <summary>Finds a type by the name that C gives it.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The type; null if there is none.</returns>
    public KernelType? Find(string name) => Find(name, out _);

    /// <summary>The type of a variable of the kernel.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="isPerCpu">True if the symbol's value is an offset in the area of each CPU.</param>
    /// <returns>The type; null if it is not known: BTF of most kernels describes per-cpu variables only.</returns>
    public KernelType? VariableType(string name, out bool isPerCpu)
    {
        isPerCpu = false;
        if (_kernel?.Variable(name) is { } type)
        {
            isPerCpu = true;
            return type;
        }

        // Debug information describes every variable, but takes seconds to be looked through.
        if (WellKnownVariables.TypeOf(name) is { } known && Find(known) is { } found)
            return found;
        return _debug.Value?.Variable(name, out isPerCpu);
    }

    /// <summary>The type of a variable that debug information describes.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="linkAddress">Its link-time address, to tell variables of the same name apart; null if it is not known.</param>
    /// <returns>The type; null without debug information, and if there is none of that name in it.</returns>
    internal KernelType? DebugVariable(string name, ulong? linkAddress) => _debug.Value?.Variable(name, linkAddress);

    /// <summary>Finds a struct or union by its name or by that of a typedef, also among those of modules.</summary>
    /// <param name="name">The name without a keyword.</param>
    /// <param name="path">A member with a byte offset that it must have, or members of members; null for none.</param>
    /// <returns>Of several the first, those whose members are known before others; null if there is none.</returns>
    internal KernelType? FindComposite(string name, string? path = null)
    {
        KernelType? declared = null;
        foreach (KernelType type in Composites(Named(name)))
        {
            if (!type.IsComposite || (path is not null && type.FindPath(path)?.ByteOffset is null))
                continue;
            if (type.IsComplete)
                return type;
            declared ??= type;
        }

        return declared;
    }

    /// <summary>Offset of a member in bytes; modules are not looked at.</summary>
    /// <param name="structName">Name of a struct, a union or a typedef of one. Of several with one name the first counts that has the member.</param>
    /// <param name="memberPath">Member, or members of members: <c>d_name.len</c>. Anonymous members are passed through.</param>
    /// <returns>The offset; null if there is no such member, or it is a bit-field.</returns>
    internal int? MemberOffset(string structName, string memberPath) =>
        (int?)Composites(Own(structName)).Select(type => type.FindPath(memberPath)?.ByteOffset)
            .FirstOrDefault(static offset => offset is >= 0 and <= int.MaxValue);

    /// <summary>A value of an enum of the kernel's own; modules are not looked at.</summary>
    /// <param name="enumName">Name of the enum.</param>
    /// <param name="valueName">Name of the value.</param>
    /// <returns>The value; null if there is none of that name.</returns>
    internal long? EnumValue(string enumName, string valueName)
    {
        foreach (KernelType type in Own(enumName).Where(static t => t.Kind == KernelTypeKind.Enum))
        {
            foreach (KernelEnumerator value in type.Enumerators)
            {
                if (value.Name == valueName)
                    return value.Value;
            }
        }

        return null;
    }

    /// <summary>Finds what the name of a value of some enum stands for, also in modules.</summary>
    /// <param name="name">The name, for example <c>TASK_COMM_LEN</c>.</param>
    /// <param name="value">Receives the value.</param>
    /// <returns>The enum; of several with the same value the first. Null if there is none; debug information is not searched.</returns>
    /// <exception cref="KernelObjectException">Enums do not agree on the value.</exception>
    internal KernelType? FindEnumerator(string name, out long value)
    {
        (KernelType Type, long Value)? first = null;
        foreach (BtfTypeFactory factory in (IEnumerable<BtfTypeFactory>)[.. _kernel is null ? [] : new[] { _kernel }, .. _modules.Value])
        {
            foreach ((KernelType type, long found) in factory.EnumeratorsNamed(name))
            {
                if (first is { } known && known.Value != found)
                    throw new KernelObjectException($"'{name}' is {known.Value} in '{known.Type}', and {found} in '{type}': say ({type}){found}");
                first ??= (type, found);
            }
        }

        value = first?.Value ?? 0;
        return first?.Type;
    }

    /// <summary>Finds a type of one kind by its own name.</summary>
    /// <param name="kind">Struct, union, enum, typedef or a base type.</param>
    /// <param name="name">The name without a keyword.</param>
    internal KernelType? FindNamed(KernelTypeKind kind, string name) =>
        Named(name).FirstOrDefault(t => t.Kind == kind && t.IsComplete);

    /// <summary>Finds an integer, a float, or a typedef.</summary>
    internal KernelType? FindBare(string name)
    {
        KernelType? second = null;
        foreach (KernelType type in Named(name))
        {
            if (!type.IsComposite && type.Kind != KernelTypeKind.Enum)
                return type;
            second ??= type;
        }

        return second;
    }

    // Structs and unions of a name first, then what typedefs of that name lead to.
    private IEnumerable<KernelType> Composites(IEnumerable<KernelType> named)
    {
        KernelType[] all = [.. named.Take(Limits.Namesakes)];
        return all.Where(static t => t.IsComposite).Concat(all.Where(static t => t.Kind == KernelTypeKind.Typedef).Select(static t => t.Underlying()));
    }

    private IEnumerable<KernelType> Own(string name) => _kernel?.Named(name) ?? _debug.Value?.Named(name) ?? [];

    private IEnumerable<KernelType> Named(string name)
    {
        foreach (KernelType type in Own(name))
            yield return type;
        foreach (BtfTypeFactory module in _modules.Value)
        {
            foreach (KernelType type in module.Named(name))
                yield return type;
        }
    }

    private List<BtfTypeFactory> Factories(Func<IReadOnlyList<byte[]>>? modules)
    {
        List<BtfTypeFactory> list = [];
        foreach (byte[] bytes in modules?.Invoke() ?? [])
        {
            if (_kernel is not null && BtfBlob.TryParse(bytes, out _, Limits) is { } blob)
                list.Add(new(blob, _kernel));
        }

        return list;
    }
}
