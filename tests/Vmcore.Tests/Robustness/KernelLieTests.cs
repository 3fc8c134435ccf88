using System.Text;
using System.Text.RegularExpressions;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Tests.Robustness;

/// <summary>What the crashed kernel says of itself is a lie: vmcoreinfo, page tables, mem_section, the memmap.</summary>
public partial class KernelLieTests
{
    private static readonly string[] s_numbers =
    [
        "0", "1", "2", "7", "13", "23", "33", "41", "60", "63", "64", "255", "256",
        "4095", "65536", "67108864", "2147483647", "4294967295", "9223372036854775807",
        "18446744073709551615", "-1", "-2147483648", "", "x", "0x", "99999999999999999999999",
    ];

    private static readonly string[] s_addresses =
    [
        "0", "1", "ffffffffffffffff", "fffffffffffffff8", "ffffffff80000000", "ffff888000000000",
        "ffff800000000000", "ffffea0000000000", "7fffffffffff", "ff00000000000000", "", "g",
    ];

    [Fact]
    public void EveryKeyOfVmcoreinfoWithAbsurdValues()
    {
        HostileSource source = HostileMachine.Open();
        string text = HostileMachine.Machine.Vmcoreinfo;
        int round = 0;
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string key = line[..line.IndexOf('=', StringComparison.Ordinal)];
            string[] values = key.StartsWith("SYMBOL", StringComparison.Ordinal) ? s_addresses : s_numbers;
            // A few values a key and run; with VMCORE_FUZZ_ROUNDS set, all.
            int step = Environment.GetEnvironmentVariable("VMCORE_FUZZ_ROUNDS") is null ? 5 : 1;
            for (int i = round % step; i < values.Length; i += step)
            {
                string value = values[i];
                string changed = text.Replace(line + "\n", $"{key}={value}\n", StringComparison.Ordinal);
                // The memmap's own place decides where metadata is; PT_LOADs still say what is pmem.
                HostileRun.One(source, round++ % HostileRun.Ways, noCanary: true, new() { VmcoreInfo = Encoding.Latin1.GetBytes(changed) });
            }

            HostileRun.One(source, round++ % HostileRun.Ways, noCanary: true, new()
            {
                VmcoreInfo = Encoding.Latin1.GetBytes(text.Replace(line + "\n", "", StringComparison.Ordinal)),
            });
        }
    }

    [Fact]
    public void ManyKeysOfVmcoreinfoLieAtOnce()
    {
        HostileSource source = HostileMachine.Open();
        var random = new Random(21);
        for (int round = 0; round < 60; round++)
        {
            string text = Assignment().Replace(HostileMachine.Machine.Vmcoreinfo, m => random.Next(12) != 0 ? m.Value
                : m.Groups["key"].Value + "=" + (m.Value.StartsWith("SYMBOL", StringComparison.Ordinal)
                    ? s_addresses[random.Next(s_addresses.Length)]
                    : s_numbers[random.Next(s_numbers.Length)]));
            HostileRun.One(source, round % HostileRun.Ways, noCanary: true, new() { VmcoreInfo = Encoding.Latin1.GetBytes(text) });
        }
    }

    [Fact]
    public void AHugeVmcoreinfoAndCopiesOfItDoNotMultiply()
    {
        var source = new HostileSource(HostileMachine.Machine.ToElf(new() { Vmcoreinfo = false }));
        byte[] text = new byte[8 << 20];
        text.AsSpan().Fill((byte)'a');
        for (int i = 2; i < text.Length; i += 4)
            (text[i - 1], text[i]) = ((byte)'=', (byte)'\n');

        // It describes no kernel, and the first bytes of it are enough to say so.
        Assert.Throws<MissingInformationException>(() => CrashDump.Open(source, new() { VmcoreInfo = text }));
        byte[] own = [.. Encoding.Latin1.GetBytes(HostileMachine.Machine.Vmcoreinfo), .. text];
        using CrashDump dump = CrashDump.Open(new HostileSource(HostileMachine.Machine.ToElf(new() { Vmcoreinfo = false })), new() { VmcoreInfo = own });
        Assert.InRange(dump.VmcoreInfo!.Text.Length, 1, dump.Limits.VmcoreInfoBytes);
        Assert.Contains(dump.Problems, static p => p.Code == FindingCode.VmcoreInfoTooLong);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void PageTablesThatAreTheirOwnChildren(int depth)
    {
        HostileSource source = HostileMachine.Open();
        ElfCoreFile file = ElfCoreFile.Open(source);
        using CrashDump good = CrashDump.Open(source);
        ulong root = good.Kernel!.VmcoreInfo.Symbol("swapper_pg_dir")!.Value;
        Translation translation = good.Kernel.Memory.Translate(root);
        ulong table = translation.PhysicalAddress;
        for (int level = 0; level < depth; level++)
        {
            // Down along the first entry that leads to a table.
            ReadOnlySpan<byte> entries = source.Bytes.Slice(HostileMachine.FileOffset(file, table), 4096);
            ulong next = 0;
            for (int i = 0; i < 512 && next == 0; i++)
            {
                ulong entry = BitConverter.ToUInt64(entries[(8 * i)..]);
                if ((entry & 0x81) == 1)
                    next = entry & 0xffffffffff000;
            }

            if (next == 0)
                break;
            table = next;
        }

        int at = HostileMachine.FileOffset(file, table);
        for (int i = 0; i < 512; i++)
            source.WriteNumber(at + (8 * i), table | 3);
        HostileRun.All(source, noCanary: false);
    }

    [Theory]
    [InlineData("swapper_pg_dir", 4096)]
    [InlineData("mem_section", 4096)]
    [InlineData("init_uts_ns", 512)]
    [InlineData("iomem_resource", 256)]
    [InlineData("node_data", 4096)]
    public void StructuresOfAllOnesAllZeroAndThemselves(string symbol, int length)
    {
        HostileSource source = HostileMachine.Open();
        ElfCoreFile file = ElfCoreFile.Open(source);
        using CrashDump good = CrashDump.Open(source);
        if (good.Kernel!.VmcoreInfo.Symbol(symbol) is not { } address || good.Kernel.Memory.Translate(address) is not { Status: MemoryStatus.Ok } found)
            return;
        int at = HostileMachine.FileOffset(file, found.PhysicalAddress);
        byte[] bytes = new byte[length];
        foreach (byte fill in new byte[] { 0xff, 0, 0x41 })
        {
            Array.Fill(bytes, fill);
            source.Write(at, bytes);
            HostileRun.All(source, noCanary: false);
            source.Restore();
        }

        for (int i = 0; i < length; i += 8)
            source.WriteNumber(at + i, address);
        HostileRun.All(source, noCanary: false);
    }

    [Fact]
    public void MemoryOfAllOnes()
    {
        HostileSource source = HostileMachine.Open();
        foreach (ElfSegment load in ElfCoreFile.Open(source).Loads)
        {
            byte[] ones = new byte[load.FileSize];
            Array.Fill(ones, (byte)0xff);
            source.Write((int)load.Offset, ones);
            HostileRun.One(source, 1, noCanary: true);
        }
    }

    [GeneratedRegex(@"^(?<key>[^=\n]+)=[^\n]*", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Assignment();
}
