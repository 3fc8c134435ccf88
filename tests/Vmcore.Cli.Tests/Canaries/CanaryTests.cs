using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>
/// A machine whose pointers went wild before it crashed: each pointer that is followed is aimed at user data on the pmem, one by one, and nothing that
/// the library returns or writes has a trace of it. Which pointers are followed is learnt from what is read of the whole machine.
/// </summary>
public sealed class CanaryTests
{
    private const int MostPointers = 8;

    public static TheoryData<string, bool> Ways { get; } = CreateWays();

    [Theory]
    [MemberData(nameof(Ways))]
    public void NoPointerThatIsFollowedShowsUserData(string reader, bool pointers)
    {
        using CanaryMachine machine = Open(pointers);
        machine.Source.Reads = [];
        string whole = Run(machine, reader, "nothing");
        List<(long, int)> reads = machine.Source.Reads;
        machine.Source.Reads = null;
        IReadOnlyList<long> followed = machine.Pointers(reads);
        Assert.True(followed.Count > 0 && whole.Length > 0, $"{reader} follows no pointer, or says nothing");
        var random = new Random(20240611);
        foreach (long offset in followed.Take(2).Concat(followed.OrderBy(_ => random.Next()).Take(MostPointers)).Distinct())
        {
            machine.Source.Patch(offset, machine.CanaryAddress + 0x48);
            Run(machine, reader, string.Create(CultureInfo.InvariantCulture, $"the pointer at offset 0x{offset:x}"));
            machine.Source.Restore();
        }
    }

    [Fact]
    public void TheSamePointersShowUserDataThatIsNotFiltered()
    {
        using CanaryMachine machine = Open(pointers: false);
        machine.Source.Reads = [];
        Run(machine, "resources", "nothing");
        List<(long, int)> reads = machine.Source.Reads;
        machine.Source.Reads = null;
        int shown = 0;
        foreach (long offset in machine.Pointers(reads).TakeWhile(_ => shown == 0))
        {
            machine.Source.Patch(offset, machine.CanaryAddress + 0x48);
            using CrashDump dump = CrashDump.Open(machine.Source);
            KernelAddressSpace unfiltered = dump.Kernel!.Over(dump.Unfiltered).Memory;
            ulong? root = KernelSymbols.TryFindOne(dump.VmcoreInfo!, unfiltered, ResourceTree.RootSymbol);
            if (root is { } at && ResourceTree.TryLoad(at, unfiltered, null, out _) is { } tree)
                shown += tree.ToIomem().Contains(CanarySource.Text, StringComparison.Ordinal) ? 1 : 0;
            machine.Source.Restore();
        }

        Assert.Equal(1, shown);
    }

    [Theory]
    [InlineData("names")]
    [InlineData("log")]
    [InlineData("tasks")]
    [InlineData("resources")]
    [InlineData("pmem")]
    [InlineData("dump")]
    public void NoPageTableShowsUserData(string reader)
    {
        using CanaryMachine machine = Open(pointers: false);
        int tried = 0;
        foreach (string symbol in (string[])["init_uts_ns", "prb", "mem_section", "node_data"])
        {
            if (machine.Symbol(symbol) is not { } address)
                continue;
            foreach ((long offset, ulong entry, string level) in machine.Entries(address).ToArray())
            {
                machine.Source.Patch(offset, entry);
                Run(machine, reader, $"the {level} of {symbol}");
                machine.Source.Restore();
                tried++;
            }
        }

        // Four levels of tables, or three above a large page, of each symbol.
        Assert.True(tried >= 6, $"only {tried} entries of page tables were tried");
    }

    [Theory]
    [InlineData("names")]
    [InlineData("log")]
    [InlineData("memmap")]
    [InlineData("symbols")]
    [InlineData("resources")]
    [InlineData("pmem")]
    public void NoSymbolOfVmcoreInfoShowsUserData(string reader)
    {
        using CanaryMachine machine = Open(pointers: false);
        int tried = 0;
        byte[] value = Encoding.ASCII.GetBytes(machine.CanaryAddress.ToString("x16", CultureInfo.InvariantCulture));
        foreach ((long offset, int length, string name) in machine.SymbolTexts().Where(static s => s.Length == 16).ToArray())
        {
            machine.Source.Patch(offset, value);
            Run(machine, reader, name);
            machine.Source.Restore();
            tried++;
        }

        Assert.True(tried >= 10, $"only {tried} symbols were tried");
    }

    private static CanaryMachine Open(bool pointers)
    {
        var machine = new CanaryMachine(RealCrash.Get("sample rfc-v2-6.1").Path);
        if (pointers)
        {
            // Pages whose every word is a pointer to text, and the text.
            long page = machine.OffsetOf(machine.Canary) >> 12, text = page + 1;
            ulong target = machine.CanaryAddress + 0x1000;
            machine.Source.Word = at => at >> 12 == text ? null : target;
        }

        return machine;
    }

    private static TheoryData<string, bool> CreateWays()
    {
        var ways = new TheoryData<string, bool>();
        foreach (string reader in Readers.All.Keys.Where(static r => r is not ("dump" or "ELF dump")))
        {
            ways.Add(reader, false);
            ways.Add(reader, true);
        }

        return ways;
    }

    private static string Run(CanaryMachine machine, string reader, string changed)
    {
        string said;
        try
        {
            using CrashDump dump = CrashDump.Open(machine.Source);
            said = Readers.All[reader](dump);
        }
        catch (VmcoreException e)
        {
            said = e.Message;
        }

        foreach (string trace in CanarySource.Traces)
            Assert.False(said.Contains(trace, StringComparison.OrdinalIgnoreCase), $"{reader} shows user data ({trace}) when {changed} is aimed at it");
        return said;
    }
}
