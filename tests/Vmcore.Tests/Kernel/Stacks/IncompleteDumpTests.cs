using Vmcore.Architectures;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Tasks;
using Vmcore.Ranges;

namespace Vmcore.Tests.Kernel.Stacks;

/// <summary>
/// Stacks of real crashes of which pages are missing, against those of the whole dump: a frame that is said to be reliable is the same frame at the same
/// place. Run where VMCORE_FIXTURES names a folder with whole dumps.
/// </summary>
public sealed class IncompleteDumpTests
{
    public static TheoryData<string> Crashes => ["stock-6.12", "rfc-v2-6.1", "arm64-6.12-lpa2"];

    /// <summary>Dumps in the order of their pages (makedumpfile's) that were cut: what lies above is missing.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void ACutDumpHasNoFalseFrame(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        ulong[] present = [.. dump.Memory.PresentPages()];
        int answered = 0;
        foreach (int percent in (int[])[10, 20, 50, 80, 85, 90, 95, 99])
            answered += Compare(dump, [new(present[(int)((long)present.Length * percent / 100)], ulong.MaxValue >> dump.Memory.PageShift)]) > 0 ? 1 : 0;
        Assert.True(answered > 0, "no cut dump gives stacks");
    }

    /// <summary>Page tables of the kernel are missing, all of the last level or some of all: the image and the direct map are found without.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void MissingPageTablesMakeNoFalseFrame(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        List<ulong> tables = [];
        dump.Kernel!.Memory.VisitTables(1 << 16, (address, _) => tables.Add(address >> dump.Memory.PageShift));
        Assert.True(tables.Count > 20);
        var random = new Random(12);
        Assert.True(Compare(dump, [.. tables.Skip(1).Where(_ => random.Next(4) == 0).Select(t => new PfnRange(t, t + 1))]) >= 0);
        int found = Compare(dump, [.. tables.Select(t => new PfnRange(t, t + 1))]);

        // Stacks lie in vmalloc's part where the kernel has CONFIG_VMAP_STACK: what they hold is lost, and said to be.
        Assert.True(found >= 0, "symbols and tasks are in the image and in the direct map");
    }

    /// <summary>Parts of the unwind tables are missing.</summary>
    [Fact]
    public void MissingUnwindTablesMakeNoFalseFrame()
    {
        using CrashDump dump = MaskedView.Open("stock-6.12");
        const ulong AddressSize = 4, EntrySize = 6;
        ulong?[] found = dump.Symbols!.Find("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind");
        ulong bytes = found[1]!.Value - found[0]!.Value;
        for (int step = 1; step <= 5; step += 2)
        {
            List<PfnRange> hidden = [];
            foreach ((ulong start, ulong end) in (ReadOnlySpan<(ulong, ulong)>)[
                (found[0]!.Value, found[1]!.Value), (found[2]!.Value, found[2]!.Value + (bytes / AddressSize * EntrySize))])
            {
                for (ulong at = start; at < end; at += (ulong)(step * dump.Memory.PageSize))
                {
                    ulong pfn = dump.Kernel!.Memory.Translate(at).PhysicalAddress >> dump.Memory.PageShift;
                    hidden.Add(new(pfn, pfn + 1));
                }
            }

            int reliable = Compare(dump, hidden);
            Assert.True(step == 1 ? reliable <= dump.Tasks!.Tasks.Count + 1 : reliable > 0, $"{reliable} reliable frames");
        }
    }

    /// <summary>Any pages are missing.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void MissingPagesMakeNoFalseFrame(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        var random = new Random(7);
        ulong[] present = [.. dump.Memory.PresentPages()];
        for (int i = 0; i < 6; i++)
            _ = Compare(dump, [.. present.Where(_ => random.Next(2000 >> i) == 0).Select(p => new PfnRange(p, p + 1))]);
    }

    // Number of reliable frames; -1 if there are no symbols, types or tasks to begin with.
    private static int Compare(CrashDump dump, IReadOnlyList<PfnRange> hidden)
    {
        if (MaskedView.Of(dump, hidden) is not { } view)
            return -1;
        KernelStacks whole = KernelStacks.Load(dump.KernelView), stacks;
        try
        {
            stacks = KernelStacks.Load(view);
        }
        catch (MissingInformationException)
        {
            return -1;
        }

        int reliable = 0;
        foreach (KernelTask task in view.Tasks!.Tasks)
        {
            if (dump.Tasks!.Tasks.FirstOrDefault(t => t.Address == task.Address) is not { } same)
                continue;
            TaskStack expected = whole.Trace(same), stack = stacks.Trace(task);
            List<StackFrame> proven = [.. stack.Frames.Where(f => f.IsReliable)];
            Assert.True(proven.Count <= expected.Frames.Count, $"{task.Name}: {proven.Count} frames of {expected.Frames.Count}");
            for (int i = 0; i < proven.Count; i++)
            {
                Assert.True((proven[i].Address, proven[i].StackPointer) == (expected.Frames[i].Address, expected.Frames[i].StackPointer),
                    $"{task.Pid} {task.Name}: frame {i} is 0x{proven[i].Address:x} at 0x{proven[i].StackPointer:x}, {stack.Problem}");
            }

            Assert.True(proven.Count == expected.Frames.Count || stack.Problem is not null, $"{task.Pid} {task.Name} ends without a word");
            reliable += proven.Count;
        }

        return reliable;
    }
}
