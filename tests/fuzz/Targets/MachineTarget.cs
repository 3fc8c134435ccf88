using System.Buffers.Binary;
using System.Text;
using Vmcore.Testing;

namespace Vmcore.Fuzz.Targets;

/// <summary>A small machine with pmem, damaged anywhere: every command takes its turn, and whatever is written is searched for user data of the pmem.</summary>
internal sealed class MachineTarget : FuzzTarget
{
    private static readonly string[][] s_dumps =
    [
        ["makedumpfile", "-f", "-d", "0"], ["makedumpfile", "-f", "-l", "-d", "31"], ["makedumpfile", "-f", "-E", "-d", "31"],
        ["makedumpfile", "-f", "-c", "-d", "1"], ["makedumpfile", "-f", "-z", "-d", "17", "--dedup"],
    ];

    private static readonly byte[][] s_marks = [.. ((string[])[PageText.PmemCanary, PageText.PmemStale]).Select(Encoding.ASCII.GetBytes)];

    private const int Headers = 16_384, InfoAndMemmap = 512 << 10;

    /// <summary>Offset of p_memsz of the first program header, and the size of one.</summary>
    private const int MemorySize = 64 + 40, HeaderBytes = 56;

    private byte[] _core = [];
    private (int Start, int End)[] _pmem = [];

    /// <inheritdoc/>
    internal override string Name => "machine";

    /// <inheritdoc/>
    internal override int ShortInputs => 120;

    /// <inheritdoc/>
    internal override void Prepare()
    {
        _core = Seeds.SmallCore();
        _pmem = [.. Formats.Elf.ElfCoreFile.Open(new BytesSource(_core)).Loads.Where(static l => l.IsDevice)
            .Select(static l => ((int)l.Offset, (int)(l.Offset + l.FileSize)))];
    }

    /// <inheritdoc/>
    internal override void Run(Mutator mutator)
    {
        byte[] core = (byte[])_core.Clone();

        // Headers and the kernel's lists say what is pmem: a lie there makes RAM of it. What the pmem itself has, its info block and memmap, has no say.
        int place = mutator.Random.Next(3);
        bool onlyPmem = place == 0;
        (int start, int end) = place switch
        {
            0 => (_pmem[0].Start, _pmem[0].Start + InfoAndMemmap),
            1 => (0, Headers),
            _ => (0, core.Length - 8),
        };
        for (int change = mutator.Random.Next(1, 5); change > 0; change--)
        {
            int at = start + mutator.Random.Next(end - start);
            byte[] patch = onlyPmem ? mutator.Patch(core.AsSpan(at, 8), 0) : mutator.Patch(core, at);
            patch.AsSpan(0, Math.Min(patch.Length, core.Length - at)).CopyTo(core.AsSpan(at));
        }

        // Now and then a header claims memory of which the file has nothing: up to 64 TiB.
        if (place == 1 && mutator.Random.Next(4) == 0)
            BinaryPrimitives.WriteUInt64LittleEndian(core.AsSpan(MemorySize + (mutator.Random.Next(1, 4) * HeaderBytes)), 1UL << mutator.Random.Next(30, 47));
        string file = Scratch.File("machine.core", core);
        int way = mutator.Random.Next(Commands.Readers.Count + (3 * s_dumps.Length));
        if (way < Commands.Readers.Count)
        {
            Commands.Run(Commands.Readers[way], file, looksForUserData: onlyPmem);
            return;
        }

        string output = Path.Combine(Scratch.Folder, "machine.dump");
        int status = Commands.Run([.. s_dumps[way % s_dumps.Length], "{}", output], file, looksForUserData: onlyPmem);
        if (status is not (0 or 1 or 2 or 3))
            throw new FuzzException($"exit status {status} is not documented");
        if (!onlyPmem || !File.Exists(output) || new FileInfo(output).Length > 64 << 20)
            return;
        byte[] dump = File.ReadAllBytes(output);
        if (Array.Exists(s_marks, m => dump.AsSpan().IndexOf(m) >= 0))
            throw new FuzzException($"user data of pmem in a dump: {string.Join(' ', s_dumps[way % s_dumps.Length])}");
    }
}
