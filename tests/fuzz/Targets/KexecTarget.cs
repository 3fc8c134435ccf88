using Vmcore.Testing.Kexec;

namespace Vmcore.Fuzz.Targets;

/// <summary>What the crash loader is given: kernel images, or the tree of the running system (/proc, /sys). Nothing is loaded.</summary>
/// <param name="isImage">True to damage the images, false for the tree.</param>
/// <param name="folder">A folder of captured trees; null for the synthetic one.</param>
internal sealed class KexecTarget(bool isImage, string? folder) : FuzzTarget
{
    private readonly List<string> _trees = [];
    private readonly List<byte[]> _kernels = [FakeKernel.BzImage(), FakeKernel.Gzip(FakeKernel.BzImage())];
    private readonly List<byte[]> _initrds = [FakeKernel.Gzip(FakeKernel.Cpio(10_000)), FakeKernel.Cpio(5_000)];

    /// <inheritdoc/>
    internal override string Name => isImage ? "kexec-image" : "sysroot";

    /// <inheritdoc/>
    internal override int ShortInputs => 200;

    /// <inheritdoc/>
    internal override void Prepare()
    {
        foreach ((string name, TestTree tree) in ((string, TestTree)[])[
            ("stock", TestTree.Stock()), ("rfc", TestTree.Rfc()), ("settings", TestTree.Stock().Settings())])
            Add(name, tree.Root);
        foreach (string tree in folder is null ? Array.Empty<string>() : [.. Directory.GetDirectories(folder).Order(StringComparer.Ordinal)])
            Add(Path.GetFileName(tree), tree);
    }

    /// <inheritdoc/>
    internal override void Run(Mutator mutator)
    {
        Random random = mutator.Random;
        string tree = _trees[random.Next(isImage ? 2 : _trees.Count)];
        byte[] kernel = _kernels[random.Next(isImage ? _kernels.Count : 1)], initrd = _initrds[random.Next(_initrds.Count)];
        if (isImage)
            (kernel, initrd) = random.Next(3) == 0 ? (kernel, mutator.Damage(initrd, 512)) : (mutator.Damage(kernel, 1024), initrd);
        string image = Scratch.File("kernel", kernel), initramfs = Scratch.File("initrd", initrd);
        string? damaged = null;
        byte[] before = [];
        try
        {
            if (!isImage)
            {
                string[] files = [.. Directory.GetFiles(tree, "*", SearchOption.AllDirectories)
                    .Where(static f => new FileInfo(f) is { LinkTarget: null, Length: > 0 and < 1 << 20 })
                    .Order(StringComparer.Ordinal)];
                damaged = files[random.Next(files.Length)];
                before = File.ReadAllBytes(damaged);
                File.WriteAllBytes(damaged, mutator.Damage(before));
            }

            string[] more = random.Next(4) switch { 0 => ["--json"], 1 => ["-s"], 2 => ["--reuse-cmdline", "--append=nr_cpus=1"], _ => [] };
            Commands.Run(["kexec", "-p", "--dry-run", $"--sysroot={tree}", $"--initrd={initramfs}", .. more, image], image, looksForUserData: false);
        }
        finally
        {
            if (damaged is not null)
                File.WriteAllBytes(damaged, before);
        }
    }

    private void Add(string name, string source)
    {
        string copy = Path.Combine(Scratch.Folder, "tree-" + name);
        Scratch.Call("cp", "-r", source, copy);
        Scratch.Call("chmod", "-R", "u+w", copy);
        _trees.Add(copy);
    }
}
