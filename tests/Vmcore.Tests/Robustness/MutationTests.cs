using System.Globalization;
using Vmcore.Dumping;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Memmap;

namespace Vmcore.Tests.Robustness;

/// <summary>
/// Random damage to a good file, by seed. VMCORE_FUZZ_ROUNDS=N makes it N rounds a test in place of sixty and
/// VMCORE_FUZZ_SEED=S starts at another seed; a failure names the seed of its round.
/// </summary>
public class MutationTests
{
    private static readonly ulong[] s_values = [0, 1, 0xff, 0xfff, 0x1000, 0xffff, 0x7fffffff, 0xffffffff,
        1UL << 46, 1UL << 52, 1UL << 63, ulong.MaxValue, 0xffff888000000000, 0xffffea0000000000];

    private static int Rounds => Setting("VMCORE_FUZZ_ROUNDS", 60);

    private static int FirstSeed => Setting("VMCORE_FUZZ_SEED", 1);

    [Fact]
    public void DamagedAnywhere()
    {
        HostileSource source = HostileMachine.Open();
        Run(source, noCanary: false, random => random.Next((int)source.Length));
    }

    [Fact]
    public void DamagedHeadersAndNotes()
    {
        HostileSource source = HostileMachine.Open();
        int end = (int)ElfCoreFile.Open(source).Loads.Min(l => l.Offset);
        Run(source, noCanary: false, random => random.Next(end));
    }

    [Fact]
    public void DamagedVmcoreinfo()
    {
        HostileSource source = HostileMachine.Open();
        int start = source.Bytes.IndexOf("OSRELEASE="u8), length = HostileMachine.Machine.Vmcoreinfo.Length;
        Run(source, noCanary: false, random => start + random.Next(length));
    }

    [Fact]
    public void DamagedKernelData()
    {
        HostileSource source = HostileMachine.Open();
        ElfCoreFile file = ElfCoreFile.Open(source);
        using CrashDump good = CrashDump.Open(source);
        // What the dumper follows: page tables, sections, lists. Where nothing is, damage does nothing.
        int[] spots = [.. HostileMachine.Machine.Symbols.Values.Select(a => good.Kernel!.Memory.Translate(a))
            .Where(t => t.Status == Vmcore.Memory.MemoryStatus.Ok
                && file.Loads.Any(l => l.PhysicalAddress <= t.PhysicalAddress && t.PhysicalAddress < l.PhysicalAddress + l.FileSize))
            .Select(t => HostileMachine.FileOffset(file, t.PhysicalAddress))];
        Run(source, noCanary: false, random => spots[random.Next(spots.Length)] + random.Next(4096));
    }

    [Fact]
    public void DamagedPmemKeepsItsUserDataToItself()
    {
        HostileSource source = HostileMachine.Open();
        ElfSegment pmem = ElfCoreFile.Open(source).Loads.Single(l => l.IsDevice);
        // The info block and the memmap: neither has a say in what is pmem and what is metadata.
        Run(source, noCanary: true, random => (int)pmem.Offset + random.Next(512 * 1024));
    }

    [Fact]
    public void DamagedDumpsAreFilteredAgain()
    {
        HostileSource raw = HostileMachine.Open();
        foreach (DumpOutput output in new[] { DumpOutput.Kdump, DumpOutput.Elf })
        {
            using CrashDump dump = CrashDump.Open(raw);
            using var sink = new KeepingSink();
            Dumper.Write(new(dump, new() { Level = DumpLevel.Zero, Codec = Vmcore.Compression.PageCodec.Zlib, Output = output, Threads = 1 }),
                sink, new Silent(), CancellationToken.None);
            var source = new HostileSource(sink.ToArray());
            HostileRun.One(source, 0, noCanary: true);
            Run(source, noCanary: false, random => random.Next(3) == 0 ? random.Next((int)source.Length) : random.Next(Math.Min((int)source.Length, 40_000)));
        }
    }

    private static void Run(HostileSource source, bool noCanary, Func<Random, int> where)
    {
        for (int i = 0; i < Rounds; i++)
        {
            int seed = FirstSeed + i;
            var random = new Random(seed);
            for (int change = random.Next(1, 6); change > 0; change--)
                Damage(source, random, where(random));
            if (random.Next(20) == 0)
                source.Truncate(random.NextInt64(source.Length));
            try
            {
                HostileRun.One(source, random.Next(HostileRun.Ways), noCanary);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}: {e.GetType().Name}: {e.Message}", e);
            }

            source.Restore();
        }
    }

    private static void Damage(HostileSource source, Random random, int offset)
    {
        offset = Math.Min(offset, source.Bytes.Length - 1);
        switch (random.Next(5))
        {
            case 0:
                source.Write(offset, [(byte)(source.Bytes[offset] ^ (1 << random.Next(8)))]);
                break;
            case 1:
                source.WriteNumber(offset & ~7, s_values[random.Next(s_values.Length)]);
                break;
            case 2:
                source.WriteNumber(offset & ~3, s_values[random.Next(s_values.Length)], 4);
                break;
            case 3:
                byte[] noise = new byte[random.Next(1, 256)];
                random.NextBytes(noise);
                source.Write(offset, noise);
                break;
            default:
                int from = random.Next(source.Bytes.Length - 64);
                source.Write(offset, source.Bytes.Slice(from, 64).ToArray());
                break;
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;

    private sealed class KeepingSink : IByteSink
    {
        private readonly MemoryStream _bytes = new();

        public string Name => "keeping";

        public long BytesWritten => _bytes.Length;

        public bool GapsReadAsZero => true;

        public byte[] ToArray() => _bytes.ToArray();

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            _bytes.Position = offset;
            _bytes.Write(bytes);
        }

        public void Complete(long length) => _bytes.SetLength(Math.Max(length, _bytes.Length));

        public void Dispose() => _bytes.Dispose();
    }

    private sealed class Silent : IDumpObserver
    {
        public void Started(DumpStep step)
        {
        }

        public void Progress(DumpStep step, ulong done, ulong total)
        {
        }

        public void Finished(DumpStep step, TimeSpan elapsed)
        {
        }
    }
}
