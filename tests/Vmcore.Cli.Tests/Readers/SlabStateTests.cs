using System.Globalization;
using Vmcore.Cli.Tests.Conformance;
using Vmcore.Findings;
using Vmcore.Kernel.Addresses;
using Vmcore.Kernel.Slab;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Whether objects of slabs are in use, on the sample of a real crash as it is and with damage: what the lists do not prove is unknown.</summary>
public sealed class SlabStateTests
{
    [Fact]
    public void CountsAreThoseOfTheObjectsOneByOne()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        SlabCaches caches = dump.OpenSlabs();
        IReadOnlyList<SlabUse> uses = caches.Count();
        Assert.True(uses.Count > 100 && uses.Sum(static u => u.InUse) > 10_000, $"{uses.Count} caches");
        foreach (SlabUse use in uses.Where(static u => u.Cache.Name is "task_struct" or "dentry" or "kmalloc-64"))
        {
            int slabs = 0, free = 0, inUse = 0;
            caches.VisitObjects([use.Cache], (slab, states) =>
            {
                slabs++;
                free += states.Count(static s => s == SlabObjectState.Free);
                inUse += states.Count(static s => s == SlabObjectState.InUse);
                Assert.Equal(slab.Objects, states.Count);
            });
            Assert.Equal((use.Slabs, use.Free, use.InUse, 0L), (slabs, free, inUse, use.Unknown));
            Assert.True(use is { Free: > 0, InUse: > 0 });
        }

        Assert.Empty(caches.Problems);
    }

    [Fact]
    public void EveryTaskIsInUse()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        SlabCaches caches = dump.OpenSlabs();
        HashSet<ulong> inUse = [];
        caches.VisitObjects(caches.All.Where(static c => c.Name == "task_struct"), (slab, states) =>
        {
            for (int i = 0; i < states.Count; i++)
            {
                if (states[i] == SlabObjectState.InUse)
                    inUse.Add(slab.AddressOf(i));
            }
        });
        ulong[] tasks = [.. dump.Tasks!.Tasks.Where(static t => t.Pid != 0).Select(static t => t.Address)];
        Assert.All(tasks, t => Assert.Contains(t, inUse));
    }

    /// <summary>Init memory that the kernel freed has slabs too: what an address is does not say the symbol that once was there.</summary>
    [Theory]
    [InlineData("sample rfc-v2-6.1", false)]
    [InlineData("stock-6.12", true)]
    public void ObjectsInFreedInitMemoryAreObjects(string name, bool hasSome)
    {
        using CrashDump dump = CrashDump.Open(RealCrash.Get(name).Path);
        AddressFinder finder = dump.OpenAddresses();
        SlabCaches caches = dump.OpenSlabs();
        List<(ulong Address, ulong Other)> picked = [];
        int number = 0;
        caches.VisitObjects(caches.All, (slab, _) =>
        {
            ulong address = slab.AddressOf(slab.Objects - 1);
            ulong? image = dump.KernelView.RequireMemory().ImageAddressOf(dump.KernelView.RequireMemory().Translate(address).PhysicalAddress);
            if (image is not null || number++ % 50 == 0)
                picked.Add((address, image ?? address));
        });
        Assert.Equal(hasSome, picked.Exists(static p => p.Address != p.Other && p.Other != 0));
        foreach ((ulong address, ulong other) in picked.Take(200))
        {
            foreach (ulong asked in (ulong[])[address, other])
            {
                AddressFacts facts = finder.Find(asked);
                Assert.Equal((asked, address, null), (asked, facts.Object?.Address, facts.Symbol));
                Assert.Equal(address, facts.KnownBy);
            }
        }
    }

    /// <summary>Of a slab whose list is damaged nothing is told; of the others all.</summary>
    /// <param name="value">What stands in the place of the list's first object.</param>
    [Theory]
    [InlineData(0UL)]
    [InlineData(0xdeadUL)]
    [InlineData(0xffff888000000001UL)]
    public void ADamagedListProvesNothing(ulong value)
    {
        (SlabPages slab, int[] free) = SlabWithFree();
        using TemporaryFolder folder = new();
        AssertUnknown(PatchedSample.WithValue(folder, Invariant($"((struct slab *)0x{slab.Address:x})->freelist"), value), slab, free);
    }

    /// <summary>A link from a free object back to itself: the list has as many objects as it can have, but not as the slab counts.</summary>
    [Fact]
    public void ACycleProvesNothing()
    {
        (SlabPages slab, int[] free) = SlabWithFree();
        ulong first = slab.AddressOf(free[0]);
        using TemporaryFolder folder = new();
        string cache = Invariant($"((struct kmem_cache *)0x{slab.Cache.Address:x})->offset");
        ulong link;
        using (CrashDump dump = CrashDump.Open(PatchedSample.Original))
            link = first + dump.Evaluate(cache).AsUInt64();
        AssertUnknown(PatchedSample.WithValue(folder, Invariant($"((struct list_head *)0x{link:x})->next"), first), slab, free);
    }

    /// <summary>The cache says how many objects a slab has; a slab that says something else is none of it.</summary>
    [Fact]
    public void ASlabThatItsCacheDoesNotMakeIsNotCounted()
    {
        (SlabPages slab, _) = SlabWithFree();
        using TemporaryFolder folder = new();
        using CrashDump dump = CrashDump.Open(
            PatchedSample.WithValue(folder, Invariant($"((struct slab *)0x{slab.Address:x})->counters"), ((ulong)(slab.Objects + 1) << 16) | 1));
        SlabCaches caches = dump.OpenSlabs();
        Assert.Null(caches.SlabAt(slab.Start));
        _ = caches.Count();
        Finding problem = Assert.Single(caches.Problems);
        Assert.Equal((FindingCode.SlabsIncomplete, "1 slabs are not as their cache makes them, or it cannot be read"), (problem.Code, problem.ToString()));
    }

    [Fact]
    public void ANameThatNoCacheHasIsAGap()
    {
        ToolResult result = Tool.Run(Executable.Vmcore, "slab", PatchedSample.Original, "nosuch");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no slab cache nosuch", result.Error, StringComparison.Ordinal);
    }

    private static void AssertUnknown(string dumpFile, SlabPages slab, int[] free)
    {
        using CrashDump dump = CrashDump.Open(dumpFile);
        SlabCaches caches = dump.OpenSlabs();
        SlabObject item = caches.Find(slab.AddressOf(free[^1]), out _)!;
        Assert.Equal(SlabObjectState.Unknown, caches.StateOf(item, out Finding? problem));
        Assert.Equal(FindingCode.SlabStateUnknown, problem?.Code);
        SlabObject used = caches.Find(slab.AddressOf(Enumerable.Range(0, slab.Objects).First(i => !free.Contains(i))), out _)!;
        Assert.Equal(SlabObjectState.Unknown, caches.StateOf(used, out _));
        int others = 0;
        caches.VisitObjects([slab.Cache], (each, states) =>
        {
            if (each.Address == slab.Address)
                Assert.All(states, static s => Assert.Equal(SlabObjectState.Unknown, s));
            else
                others += states.Count(static s => s == SlabObjectState.InUse);
        });
        Assert.True(others > 0);
        Assert.NotEmpty(caches.Problems);
    }

    // A slab with two free objects or more, all of them on its own list, and one in use.
    private static (SlabPages Slab, int[] Free) SlabWithFree()
    {
        using CrashDump dump = CrashDump.Open(PatchedSample.Original);
        SlabCaches caches = dump.OpenSlabs();
        (SlabPages, int[])? found = null;
        caches.VisitObjects(caches.All.Where(static c => c.Name.StartsWith("kmalloc-", StringComparison.Ordinal)), (slab, states) =>
        {
            int[] free = [.. Enumerable.Range(0, slab.Objects).Where(i => states[i] == SlabObjectState.Free)];
            if (free.Length > 1 && free.Length < slab.Objects
                && free.Length == slab.Objects - (int)dump.Evaluate(Invariant($"((struct slab *)0x{slab.Address:x})->inuse")).AsUInt64())
                found ??= (slab, free);
        });
        Assert.NotNull(found);
        return found.Value;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
