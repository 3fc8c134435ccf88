using Vmcore.Kexec;

namespace Vmcore.Kdump.Modules;

/// <summary>The modules of a kernel: the text files that depmod leaves in /lib/modules/RELEASE (modules.dep(5)).</summary>
internal sealed class ModuleIndex
{
    private readonly SystemRoot _root;
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string[]> _needs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _builtin = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string[]> _soft = new(StringComparer.Ordinal);
    private readonly string[] _aliases;

    private ModuleIndex(SystemRoot root, string folder)
    {
        _root = root;
        Folder = folder;
        foreach (string line in Lines("modules.dep"))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
                continue;
            string name = NameOf(line[..colon]);
            _paths[name] = line[..colon];
            _needs[name] = [.. line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(NameOf)];
        }

        foreach (string line in Lines("modules.builtin"))
            _builtin.Add(NameOf(line));
        foreach (string line in Lines("modules.softdep"))
        {
            // "softdep NAME pre: A B post: C"
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 2 && words[0] == "softdep")
                _soft[Normal(words[1])] = [.. words[2..].Where(static w => w is not ("pre:" or "post:"))];
        }

        _aliases = Lines("modules.alias");
    }

    /// <summary>The folder, an absolute path of the system.</summary>
    internal string Folder { get; }

    /// <summary>Reads the lists of a kernel.</summary>
    /// <param name="root">The system.</param>
    /// <param name="release">The kernel's release.</param>
    /// <returns>Null if there is no such folder: a kernel that has no modules.</returns>
    internal static ModuleIndex? TryRead(SystemRoot root, string release)
    {
        foreach (string folder in (ReadOnlySpan<string>)[$"/lib/modules/{release}", $"/usr/lib/modules/{release}"])
        {
            if (root.Exists($"{folder}/modules.dep") || root.Exists($"{folder}/modules.builtin"))
                return new(root, folder);
        }

        return null;
    }

    /// <summary>True if the module is part of the kernel's image.</summary>
    internal bool IsBuiltIn(string name) => _builtin.Contains(Normal(name));

    /// <summary>Path of a module below <see cref="Folder"/>; null if it has none.</summary>
    internal string? PathOf(string name) => _paths.GetValueOrDefault(Normal(name));

    /// <summary>Modules that must be loaded before it.</summary>
    internal IReadOnlyList<string> NeedsOf(string name) => _needs.GetValueOrDefault(Normal(name)) ?? [];

    /// <summary>Modules or aliases that it wants at run time, so that they should be loaded too.</summary>
    internal IReadOnlyList<string> WishesOf(string name) => _soft.GetValueOrDefault(Normal(name)) ?? [];

    /// <summary>Modules whose alias fits, in the order of the file.</summary>
    /// <param name="alias">Of a device, such as <c>pci:v00001AF4d…</c>, or a name: <c>fs-ext4</c>, <c>crc32c</c>.</param>
    internal IEnumerable<string> ByAlias(string alias)
    {
        foreach (string line in _aliases)
        {
            // "alias PATTERN MODULE"
            if (!line.StartsWith("alias ", StringComparison.Ordinal))
                continue;
            int end = line.LastIndexOf(' ');
            if (end > 6 && ModulePattern.Matches(line.AsSpan(6, end - 6), alias))
                yield return Normal(line[(end + 1)..]);
        }
    }

    /// <summary>The name of a module by its file: <c>virtio_blk</c> of <c>kernel/drivers/block/virtio_blk.ko.xz</c>.</summary>
    internal static string NameOf(string path)
    {
        string file = Path.GetFileName(path);
        int end = file.IndexOf(".ko", StringComparison.Ordinal);
        return Normal(end < 0 ? file : file[..end]);
    }

    // The kernel takes both for the same.
    private static string Normal(string name) => name.Replace('-', '_');

    private string[] Lines(string file) =>
        (_root.TryReadText($"{Folder}/{file}", 64 << 20) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
