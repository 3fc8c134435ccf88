using Vmcore.IO;
using Vmcore.Kernel.Log;
using Vmcore.Testing;

namespace Vmcore.Fuzz.Targets;

/// <summary>
/// The kernel's memory in a real vmcore, damaged where commands read it: page tables, sections, symbols, BTF, unwind tables, lists, trees, logs, stacks.
/// Which places these are is learnt once, by reading with a source that keeps a list. The commands take turns, one for each input.
/// </summary>
internal sealed class MemoryTarget(string? given) : FuzzTarget
{
    /// <summary>Of how many inputs one is the whole machine.</summary>
    private const int WholeEvery = 16;

    private readonly List<Input> _inputs = [];

    /// <inheritdoc/>
    internal override string Name => "memory";

    /// <inheritdoc/>
    internal override int ShortInputs => 30;

    /// <inheritdoc/>
    internal override string? Missing => given is null && !File.Exists(Sample) ? $"{Sample} is not there" : null;

    private static string Sample => Path.Combine(SourceTree.Root, "tests", "data", "rfc-v2-6.1.vmcore.zst");

    /// <inheritdoc/>
    internal override void Prepare()
    {
        string path = given ?? Unpack();
        string[] small = [Filtered(path, "memory.kdump"), Filtered(path, "memory.elf", "-E")];
        _inputs.Add(new(new PatchedFile(Scratch.SparseCopy(path)), Places(path)));
        foreach (string file in small)
            _inputs.Add(new(new PatchedFile(file), Places(file)));
    }

    /// <inheritdoc/>
    internal override void Run(Mutator mutator)
    {
        // The whole machine has ten times the work of its filtered dumps, and no other memory that a command follows.
        Input input = _inputs[mutator.Random.Next(WholeEvery) == 0 ? 0 : mutator.Random.Next(1, _inputs.Count)];
        try
        {
            for (int change = mutator.Random.Next(1, 5); change > 0; change--)
            {
                (long offset, int length) = input.Places[mutator.Random.Next(input.Places.Length)];
                byte[] around = input.File.Read(offset, length);
                if (around.Length == 0)
                    continue;
                int at = mutator.Random.Next(around.Length) & ~7;
                input.File.Write(offset + at, mutator.Patch(around, at));
            }

            Commands.Run(Commands.Draw(mutator.Random), input.File.Path, looksForUserData: false);
        }
        finally
        {
            input.File.Restore();
        }
    }

    /// <summary>A dump of level 31 whose pages lie in it as they are, so that memory can be damaged in it too.</summary>
    private static string Filtered(string path, string name, params string[] more)
    {
        string file = Path.Combine(Scratch.Folder, name);
        if (Commands.Run(["makedumpfile", "-f", "-d", "31", .. more, "{}", file], path, looksForUserData: true) is not 0)
            throw new InvalidOperationException($"{path} cannot be filtered");
        return file;
    }

    /// <summary>Where the commands read.</summary>
    private static (long Offset, int Length)[] Places(string path)
    {
        var source = new ListeningSource(FileSource.Open(path));
        using (CrashDump dump = CrashDump.Open(source))
        {
            _ = (dump.Symbols, dump.Types?.Find("struct task_struct"), dump.Resources, dump.Pmem, dump.Modules?.Modules.Count);
            if (dump.Kernel is { } kernel)
                _ = KernelLog.TryOpen(kernel.VmcoreInfo, kernel.Memory, out _)?.Read().Count();
            try
            {
                var stacks = Kernel.Stacks.KernelStacks.Load(dump.KernelView);
                foreach (Kernel.Tasks.KernelTask task in dump.Tasks?.Tasks ?? [])
                    _ = stacks.Trace(task);
            }
            catch (VmcoreException)
            {
                // Then the places of stacks are not among them.
            }
        }

        return [.. source.Places()];
    }

    private static string Unpack()
    {
        string folder = Path.Combine(SourceTree.Root, ".cache", "fuzz"), path = Path.Combine(folder, "rfc-v2-6.1.vmcore");
        if (File.Exists(path))
            return path;
        Directory.CreateDirectory(folder);
        Scratch.Call("zstd", "-dqf", "--sparse", Sample, "-o", path);
        return path;
    }

    /// <summary>A file, and the places in it that commands read.</summary>
    private sealed record Input(PatchedFile File, (long Offset, int Length)[] Places);

    /// <summary>A source that keeps a list of what was read of it.</summary>
    private sealed class ListeningSource(IByteSource inner) : IByteSource
    {
        private const int Block = 4096;

        private readonly HashSet<long> _blocks = [];

        public string Name => inner.Name;

        public long Length => inner.Length;

        public int Read(long offset, Span<byte> buffer)
        {
            lock (_blocks)
            {
                for (long at = offset / Block; at <= (offset + buffer.Length - 1) / Block; at++)
                    _blocks.Add(at);
            }

            return inner.Read(offset, buffer);
        }

        public void Dispose() => inner.Dispose();

        /// <summary>Runs of what was read, each cut at 64 KiB: symbols and BTF are megabytes, and a list's head is eight bytes; both matter.</summary>
        internal IEnumerable<(long Offset, int Length)> Places()
        {
            const int Most = 16;
            long start = -1, end = -1;
            foreach (long block in _blocks.Order())
            {
                if (block != end || block - start >= Most)
                {
                    if (start >= 0)
                        yield return (start * Block, (int)(end - start) * Block);
                    start = block;
                }

                end = block + 1;
            }

            if (start >= 0)
                yield return (start * Block, (int)(end - start) * Block);
        }
    }
}
