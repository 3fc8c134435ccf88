using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Stacks;
using Vmcore.Ranges;

namespace Vmcore.Tests.Kernel.Stacks;

/// <summary>Which CPU's registers are whose, where notes are missing: never by their order, nor by pid 0, which all idle tasks have.</summary>
public sealed class CpuRegistersTests
{
    public static TheoryData<string> Crashes => ["stock-6.12", "rfc-v2-6.1", "arm64-6.12-lpa2"];

    /// <summary>The kernel's own notes are enough, and those of the file, if the kernel's are not in the dump, in any order.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void RegistersAreThoseOfTheirCpu(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        KernelStacks whole = KernelStacks.Load(dump.KernelView);
        Assert.True(whole.DidPanic);
        Assert.All(whole.Cpus, c => Assert.NotNull(c.Registers));
        KernelStacks ofKernel = KernelStacks.Load(MaskedView.Of(dump, [], [])!);
        Assert.Equal(Said(whole), Said(ofKernel));
        IEnumerable<PfnRange> hidden = CrashNotes(dump);
        KernelStacks ofFile = KernelStacks.Load(MaskedView.Of(dump, hidden, [.. dump.KernelView.Notes.Reverse()])!);
        Assert.Equal(0, ofFile.UnassignedNotes);
        Assert.Equal(Said(whole), Said(ofFile));
    }

    /// <summary>Each CPU's note in turn is the only one.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void ACpuWithoutANoteHasNoRegistersAndAnHonestScan(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        KernelStacks whole = KernelStacks.Load(dump.KernelView);
        ElfNote[] notes = [.. dump.KernelView.Notes.Where(n => n.IsCpuStatus)];
        foreach (ElfNote only in notes)
        {
            KernelStacks stacks = KernelStacks.Load(MaskedView.Of(dump, CrashNotes(dump), [only])!);
            CpuState known = Assert.Single(stacks.Cpus, c => c.Registers is not null);
            Assert.Equal(whole.Cpus.Single(c => c.Number == known.Number).Registers!.InstructionPointer, known.Registers!.InstructionPointer);
            Assert.Equal(whole.Crashing!.Number, stacks.Crashing!.Number);
            foreach (CpuState cpu in stacks.Cpus.Where(c => c.Registers is null))
            {
                Assert.Contains("is not in the dump", cpu.Problem?.ToString(), StringComparison.Ordinal);
                TaskStack stack = stacks.Trace(cpu);
                Assert.Equal(StackMethod.Scan, stack.Method);
                Assert.Contains("it was running, but", stack.Problem?.ToString(), StringComparison.Ordinal);
                Assert.NotEmpty(stack.Frames);
                Assert.DoesNotContain(stack.Frames, f => f.IsReliable);
            }
        }
    }

    /// <summary>A call of NULL leaves an instruction pointer of 0: the registers are there all the same. Those that nobody wrote are all 0.</summary>
    [Theory]
    [MemberData(nameof(Crashes))]
    public void OnlyRegistersThatAreAllZeroAreNone(string name)
    {
        using CrashDump dump = MaskedView.Open(name);
        RegisterSet set = dump.Architecture.Registers;
        KernelStacks With(Action<Span<byte>> change)
        {
            byte[] area = dump.KernelView.NoteArea.ToArray();
            foreach (ElfNote note in dump.KernelView.Notes.Where(n => n.IsCpuStatus))
                change(area.AsSpan(note.DescriptorOffset + set.NoteOffset, set.Size));
            return KernelStacks.Load(MaskedView.Of(dump, CrashNotes(dump), area: area)!);
        }

        KernelStacks called = With(r => r.Slice(set.InstructionPointer * sizeof(ulong), sizeof(ulong)).Clear());
        Assert.All(called.Cpus, static c => Assert.Equal(0UL, c.Registers?.InstructionPointer));
        Assert.All(With(static r => r.Clear()).Cpus, static c => Assert.Null(c.Registers));
    }

    private static (int, string?, bool, ulong?)[] Said(KernelStacks stacks) =>
        [.. stacks.Cpus.Select(c => (c.Number, c.Task?.Name, c.IsCrashing, c.Registers?.InstructionPointer))];

    // The pages that hold the kernel's notes.
    private static List<PfnRange> CrashNotes(CrashDump dump)
    {
        List<PfnRange> hidden = [];
        Assert.True(dump.Symbols!.TryFind("crash_notes", out ulong symbol));
        byte[] word = new byte[8];
        Assert.Equal(Vmcore.Memory.MemoryStatus.Ok, dump.Kernel!.Memory.Read(symbol, word));
        foreach (int cpu in dump.PerCpu!.Possible)
        {
            ulong at = unchecked(BitConverter.ToUInt64(word) + dump.PerCpu.OffsetOf(cpu)!.Value);
            ulong pfn = dump.Kernel.Memory.Translate(at).PhysicalAddress >> dump.Memory.PageShift;
            hidden.Add(new(pfn, pfn + 1));
        }

        return hidden;
    }
}
