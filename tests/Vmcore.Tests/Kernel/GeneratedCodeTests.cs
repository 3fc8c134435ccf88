using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>Code that is there for a time, by the kernel's lists of it: BPF programs, ftrace's trampolines, pages of kprobes, and modules that load.</summary>
public sealed class GeneratedCodeTests
{
    private const ulong Data = 0xffff_ffff_8200_0000, Area = 0xffff_ffff_c000_0000;

    private readonly byte[] _data = new byte[0x4000];

    [Fact]
    public void EachPieceHasTheNameOfKallsyms()
    {
        // Heads of lists at 0, 0x10, in caches at 0x20 and 0x40 (member pages at 8).
        List(0, Data + 0x1000, Data + 0x1400);
        Program(0x1000 - 0x210, Area + 0x100, 0x80, "bpf_prog_6deef7357e7b4530");
        Program(0x1400 - 0x210, Area + 0x200, 0x40, "bpf_trampoline_6442534");
        List(0x10, Data + 0x2010);
        Word(0x2000, Area + 0x1000);
        Word(0x2008, 0x100);
        Word(0x2020, 1 << 2);
        List(0x28, Data + 0x2100);
        Word(0x2110, Area + 0x2000);
        List(0x48);
        GeneratedCode code = GeneratedCode.Load(Memory(), Symbols(), Types());
        Assert.Equal(["bpf_prog_6deef7357e7b4530", "bpf_trampoline_6442534", "ftrace_trampoline", "kprobe_insn_page"], code.Pieces.Select(p => p.Name));
        Assert.Equal(["bpf", "bpf", "__builtin__ftrace", "__builtin__kprobes"], code.Pieces.Select(p => p.Owner));
        Assert.Equal(GeneratedKind.Bpf, code.Find(Area + 0x17f)!.Kind);
        Assert.Null(code.Find(Area + 0x180));
        Assert.Null(code.Find(Area + 0xff));
        Assert.True(code.Find(Area + 0x1080)!.SavesRegisters);
        Assert.Equal("kprobe_insn_page", code.Find(Area + 0x2fff)!.Name);
    }

    [Fact]
    public void AnInstructionInASlotLeadsToItsOriginal()
    {
        // Two probes in one chain of the table at 0x3000, a third in another; the slots lie side by side.
        Probe(0x2200, 0x2300, Data + 0x10, Area + 0x2000);
        Probe(0x2300, 0, Data + 0x20, Area + 0x2020);
        Probe(0x2400, 0, Data + 0x30, 0);
        Word(0x3000 + (8 * 7), Data + 0x2200);
        Word(0x3000 + (8 * 63), Data + 0x2400);
        GeneratedCode code = GeneratedCode.Load(Memory(), Symbols(), Types());
        Assert.Equal(Data + 0x10, code.OriginOf(Area + 0x2000));
        Assert.Equal(Data + 0x15, code.OriginOf(Area + 0x2005));
        Assert.Equal(Data + 0x20, code.OriginOf(Area + 0x2020));
        Assert.Null(code.OriginOf(Area + 0x2018));
        Assert.Null(code.OriginOf(Area + 0x1fff));

        // A chain in a circle ends.
        Word(0x2300, Data + 0x2200);
        Assert.Equal(Data + 0x10, GeneratedCode.Load(Memory(), Symbols(), Types()).OriginOf(Area + 0x2000));
    }

    [Fact]
    public void DamagedListsGiveWhatCanBeRead()
    {
        Word(0, Data + 0x1000);
        Word(8, Data);
        Word(0x1000, 0x1234);
        Program(0x1000 - 0x210, Area + 0x100, ulong.MaxValue, "bpf_prog_of_impossible_size");
        List(0x10, Data + 0x2010);
        Word(0x2000, 0x1000);
        Word(0x2008, 0x100);
        Assert.Empty(GeneratedCode.Load(Memory(), Symbols(), Types()).Pieces);
        Assert.Empty(GeneratedCode.Load(new FakeVirtualMemory(), Symbols(), Types()).Pieces);
    }

    private FakeVirtualMemory Memory() => new FakeVirtualMemory().Add(Data, _data);

    private static KernelSymbols Symbols() => KernelSymbols.Of(new Table(("bpf_kallsyms", Data), ("ftrace_ops_trampoline_list", Data + 0x10),
        ("kprobe_insn_slots", Data + 0x20), ("kprobe_optinsn_slots", Data + 0x40), ("kprobe_table", Data + 0x3000)));

    private static KernelTypes Types()
    {
        var builder = new BtfBuilder();
        uint word = builder.Int("unsigned long", 8), character = builder.Add(BtfKind.Int, "char", 1, 0, false, 8 | (1u << 24));
        uint name = builder.Add(BtfKind.Array, "", 0, 0, false, character, word, 512);
        uint list = builder.Composite(BtfKind.Struct, "list_head", 16, ("next", word, 0), ("prev", word, 64));
        builder.Composite(BtfKind.Struct, "bpf_ksym", 0x220, ("start", word, 0), ("end", word, 64), ("name", name, 128), ("lnode", list, 0x210 * 8));
        builder.Composite(BtfKind.Struct, "ftrace_ops", 0x40,
            ("trampoline", word, 0), ("trampoline_size", word, 64), ("list", list, 128), ("flags", word, 256));
        builder.Composite(BtfKind.Struct, "kprobe_insn_cache", 0x20, ("mutex", word, 0), ("pages", list, 64));
        builder.Composite(BtfKind.Struct, "kprobe_insn_page", 0x20, ("list", list, 0), ("insns", word, 128));
        uint instruction = builder.Composite(BtfKind.Struct, "arch_specific_insn", 0x10, ("insn", word, 64));
        builder.Composite(BtfKind.Struct, "kprobe", 0x40, ("hlist", list, 0), ("addr", word, 128), ("ainsn", instruction, 256));
        return KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
    }

    private void Program(int at, ulong start, ulong size, string name)
    {
        Word(at, start);
        Word(at + 8, unchecked(start + size));
        Encoding.ASCII.GetBytes(name, _data.AsSpan(at + 16));
    }

    private void Probe(int at, int next, ulong address, ulong slot)
    {
        Word(at, next == 0 ? 0 : Data + (ulong)next);
        Word(at + 16, address);
        Word(at + 32 + 8, slot);
    }

    // A circular list: its head, and the links of its entries.
    private void List(int head, params ulong[] entries)
    {
        int at = head;
        foreach (ulong entry in entries)
        {
            Word(at, entry);
            at = (int)(entry - Data);
        }

        Word(at, Data + (ulong)head);
    }

    private void Word(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_data.AsSpan(at), value);

    private sealed class Table(params (string Name, ulong Address)[] symbols) : ISymbolTable
    {
        public int Count => symbols.Length;

        public KallsymsEncoding Encoding => KallsymsEncoding.Absolute;

        public ulong AddressOf(int index) => symbols[index].Address;

        public KernelSymbol At(int index) => new(symbols[index].Address, 'd', symbols[index].Name);

        public IEnumerable<KernelSymbol> All() => Enumerable.Range(0, Count).Select(At);

        public void Find(ReadOnlySpan<string> names, Span<int> indexes)
        {
            for (int i = 0; i < names.Length; i++)
            {
                string name = names[i];
                indexes[i] = Array.FindIndex(symbols, s => s.Name == name);
            }
        }
    }
}
