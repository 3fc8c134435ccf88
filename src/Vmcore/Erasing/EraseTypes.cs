using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.Kernel;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Erasing;

/// <summary>
/// The types that one section's rules may name. A module's own debug information comes first, then that of the kernel, then what the dump says of
/// itself (BTF). Variables are asked for elsewhere: a module's variable is not that of the same name in the kernel.
/// </summary>
internal sealed class EraseTypes : IDisposable
{
    private readonly List<KernelTypes> _all = [];
    private readonly KernelTypes? _variables;
    private readonly KernelTypes? _dump;
    private ElfObjectFile? _file;

    /// <summary>Makes them of what is there.</summary>
    /// <param name="debug">Debug information of what the section is about, which describes its variables: the module's, or the kernel's. Null for none.</param>
    /// <param name="kernel">Of a module: the kernel's debug information. Null for none, and for the kernel itself.</param>
    /// <param name="dump">The dump's own types; null for none.</param>
    /// <param name="isModule">True for a module: neither the kernel nor the dump says anything of its variables.</param>
    internal EraseTypes(KernelTypes? debug, KernelTypes? kernel, KernelTypes? dump, bool isModule)
    {
        foreach (KernelTypes? types in (ReadOnlySpan<KernelTypes?>)[debug, kernel, dump])
        {
            if (types is not null)
                _all.Add(types);
        }

        _variables = debug;
        _dump = isModule ? null : dump;
        HasDebugInformation = debug is not null;
    }

    /// <summary>Why types are missing; null if none are.</summary>
    internal string? Problem { get; private init; }

    /// <summary>True if there is debug information of what the section is about: only that describes variables.</summary>
    internal bool HasDebugInformation { get; private init; }

    /// <summary>The types for the kernel itself.</summary>
    /// <param name="view">The crashed kernel.</param>
    /// <param name="vmlinux">Its debug information; null for none.</param>
    internal static EraseTypes OfKernel(KernelView view, VmlinuxFile? vmlinux)
    {
        KernelTypes? debug = OfVmlinux(vmlinux), dump = view.Types;
        return new(debug, null, dump, isModule: false) { Problem = debug is null && dump is null ? Missing(view, vmlinux) : null };
    }

    /// <summary>The types for a module.</summary>
    /// <param name="view">The crashed kernel.</param>
    /// <param name="vmlinux">The kernel's debug information; null for none.</param>
    /// <param name="path">A file with the module's debug information; null if there is none.</param>
    internal static EraseTypes OfModule(KernelView view, VmlinuxFile? vmlinux, string? path)
    {
        ElfObjectFile? file = path is null ? null : ElfObjectFile.Open(path, view.Limits);
        try
        {
            string? problem = null;
            DwarfTypes? types = file is null ? null : DwarfTypes.TryLoad(file, out problem);
            KernelTypes? own = types is null ? null : new(new DwarfTypeFactory(types, static _ => null));
            problem = own is null && problem is not null ? $"{path}: {problem}" : null;
            KernelTypes? debug = OfVmlinux(vmlinux), dump = view.Types;
            if (own is null && debug is null && dump is null)
                problem ??= Missing(view, vmlinux);
            return new(own, debug, dump, isModule: true) { Problem = problem, HasDebugInformation = file is not null, _file = file };
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    /// <summary>The type of a variable; null if nothing says it.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="linkAddress">Its link-time address, to tell variables of the same name apart; null if it is not known.</param>
    internal KernelType? FindVariable(string name, ulong? linkAddress) => _variables?.DebugVariable(name, linkAddress) ?? _dump?.VariableType(name, out _);

    /// <summary>A structure or union by its name, or by that of a typedef; null if there is none.</summary>
    /// <param name="name">The name without a keyword.</param>
    /// <param name="path">A member that it must have, or members of members; null for none.</param>
    internal KernelType? FindComposite(string name, string? path = null)
    {
        foreach (KernelTypes types in _all)
        {
            if (types.FindComposite(name, path) is { } type)
                return type;
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private static KernelTypes? OfVmlinux(VmlinuxFile? vmlinux) => vmlinux is null ? null : KernelTypes.TryFrom(vmlinux);

    private static string Missing(KernelView view, VmlinuxFile? vmlinux) => $"there are no types: {vmlinux?.TypesProblem ?? view.TypesProblem}";
}
