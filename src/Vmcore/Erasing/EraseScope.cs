using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.Kernel;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Erasing;

/// <summary>Where the names of one section's rules are looked up: symbols out of the dump, types out of debug information or out of the dump.</summary>
internal sealed class EraseScope : IDisposable
{
    private const int MaxFolders = 100_000;

    private readonly KernelView _kernel;
    private readonly VmlinuxFile? _vmlinux;
    private readonly KernelModule? _module;
    private readonly ElfObjectFile? _file;
    private readonly List<IDebugTypes> _types = [];

    private EraseScope(KernelView view, VmlinuxFile? vmlinux, KernelModule? module, string? file)
    {
        _kernel = view;
        _vmlinux = vmlinux;
        _module = module;
        if (file is not null)
        {
            _file = ElfObjectFile.Open(file);
            if (DwarfTypes.TryLoad(_file, out string? problem) is { } own)
                _types.Add(own);
            else
                TypesProblem = $"{file}: {problem}";
        }

        if (vmlinux?.Types is { } kernel)
            _types.Add(kernel);
        if (view is { Types: { } named, OwnTypes: { } raw })
            _types.Add(new KernelDebugTypes(named, raw));
        if (_types.Count == 0)
            TypesProblem ??= $"there are no types: {vmlinux?.TypesProblem ?? view.TypesProblem}";
    }

    /// <summary>Why types are missing; null if none are.</summary>
    internal string? TypesProblem { get; }

    /// <summary>True for the kernel itself, whose variables only debug information describes.</summary>
    internal bool HasDebugInformation => _file is not null || (_module is null && _vmlinux?.Types is not null);

    /// <summary>The scope of the kernel itself.</summary>
    internal static EraseScope OfKernel(KernelView kernel, VmlinuxFile? vmlinux) => new(kernel, vmlinux, null, null);

    /// <summary>The scope of a module.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="vmlinux">The kernel's debug information; null for none.</param>
    /// <param name="module">The module.</param>
    /// <param name="file">Its debug information; null if it was not found.</param>
    internal static EraseScope OfModule(KernelView kernel, VmlinuxFile? vmlinux, KernelModule module, string? file) => new(kernel, vmlinux, module, file);

    /// <summary>Looks for the debug information of a module where debug packages put it, and where modules are.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="release">The kernel's release.</param>
    /// <param name="vmlinux">Path of the vmlinux; modules may lie below its folder.</param>
    /// <returns>A file with debug information; null if there is none.</returns>
    internal static string? FindModuleFile(string module, string? release, string? vmlinux)
    {
        List<string> folders = [];
        if (release is not null && !release.Contains('/', StringComparison.Ordinal) && !release.StartsWith('.'))
            folders.AddRange([$"/usr/lib/debug/lib/modules/{release}", $"/usr/lib/debug/usr/lib/modules/{release}", $"/lib/modules/{release}"]);
        if (vmlinux is not null && Path.GetDirectoryName(Path.GetFullPath(vmlinux)) is { } beside)
            folders.Add(beside);
        HashSet<string> names = [];
        foreach (string name in (ReadOnlySpan<string>)[module, module.Replace('_', '-'), module.Replace('-', '_')])
            names.UnionWith([name + ".ko.debug", name + ".ko"]);
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, MaxRecursionDepth = 16 };
        foreach (string folder in folders.Where(Directory.Exists))
        {
            // Modules are named with either, and in either case once.
            foreach (string path in Directory.EnumerateFiles(folder, "*.ko*", options).Take(MaxFolders)
                .Where(p => names.Contains(Path.GetFileName(p))).OrderByDescending(p => p.Length))
            {
                if (HasDebugInformationIn(path))
                    return path;
            }
        }

        return null;
    }

    /// <summary>Run-time addresses of a symbol: one, or one for each CPU of a per-cpu variable.</summary>
    /// <returns>Empty if there is no such symbol.</returns>
    internal IReadOnlyList<ulong> Find(string symbol)
    {
        ulong? address = _module is not null
            ? _module.Symbols.All.Where(s => s.Name == symbol).Select(s => (ulong?)s.Address).FirstOrDefault()
            : _kernel.Symbols?.TryFindInImage(symbol) ?? (_vmlinux?.Find(symbol) is { } linked ? RunTime(linked) : null);
        if (address is not { } found)
            return [];
        if (IsAddress(found))
            return [found];
        return _kernel.PerCpu is { } areas ? [.. areas.Possible.Select(areas.OffsetOf).Where(o => o is not null).Select(o => unchecked(o!.Value + found))] : [];
    }

    /// <summary>The type of a symbol; null if nothing says it.</summary>
    internal DebugType? TypeOf(string symbol, ulong address)
    {
        ulong? linked = _module is null && _kernel.VmcoreInfo?.Hex("KERNELOFFSET") is { } offset ? unchecked(address - offset) : null;
        foreach (IDebugTypes types in _types)
        {
            // A module's variable is not that of the same name in the kernel.
            if (_module is not null && types is not DwarfTypes)
                continue;
            if (types.FindVariable(symbol, linked) is { } type)
                return type;
        }

        return null;
    }

    /// <summary>A structure or union by name.</summary>
    internal DebugType? FindComposite(string name) => _types.Select(t => t.FindComposite(name)).FirstOrDefault(t => t is not null);

    /// <summary>A structure by name that has a member.</summary>
    internal (DebugType Type, DebugMember Member)? FindWithMember(string name, string path)
    {
        foreach (IDebugTypes types in _types)
        {
            if (types.FindComposite(name) is { } type && type.Find(path) is { } member)
                return (type, member);
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    // No symbol is below the kernel's half but offsets of per-cpu variables.
    private bool IsAddress(ulong value) => _kernel.Memory?.IsKernelAddress(value) ?? false;

    private ulong RunTime(ulong linked) => IsAddress(linked) ? unchecked(linked + (_kernel.VmcoreInfo?.Hex("KERNELOFFSET") ?? 0)) : linked;

    private static bool HasDebugInformationIn(string path)
    {
        try
        {
            using ElfObjectFile file = ElfObjectFile.Open(path);
            return file.Sections.Any(s => s is { HasBytes: true, Name: ".debug_info" or ".zdebug_info" });
        }
        catch (VmcoreException)
        {
            return false;
        }
    }
}
