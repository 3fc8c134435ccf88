using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Modules;

/// <summary>
/// Where the instructions come from that kprobes execute out of line: each probe has a slot with a copy of the instruction that a breakpoint replaced. While
/// the copy runs, the stack is as it is at the original.
/// </summary>
/// <remarks>Source: kernel/kprobes.c (kprobe_table, KPROBE_HASH_BITS), struct kprobe and struct arch_specific_insn.</remarks>
internal sealed class KprobeSlots
{
    private const int Chains = 64;

    // No instruction is longer; behind it is the jump back.
    private const ulong LongestInstruction = 15;

    private readonly List<(ulong Slot, ulong Origin)> _slots = [];

    private KprobeSlots()
    {
    }

    /// <summary>Reads the table of probes; what a kernel does not have, or the dump has not, is left out.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="types">The kernel's types.</param>
    internal static KprobeSlots Load(IVirtualMemory memory, KernelSymbols symbols, KernelTypes types)
    {
        var slots = new KprobeSlots();
        if (symbols.FindInImage("kprobe_table")[0] is not { } table || types.FindNamed(KernelTypeKind.Struct, "kprobe") is not { } type
            || types.MemberOffset("kprobe", "hlist") is not { } link)
            return slots;
        int left = memory.Limits.CodePieces;
        for (ulong chain = 0; chain < Chains && memory.TryReadUInt64(table + (sizeof(ulong) * chain), out ulong first); chain++)
        {
            foreach (ulong node in first == 0 ? [] : ListWalk.Chain(memory, first, 0, left, new()))
            {
                left--;
                slots.Add(KernelObject.At(memory, type, unchecked(node - (ulong)link)));
            }
        }

        slots._slots.Sort(static (a, b) => a.Slot.CompareTo(b.Slot));
        return slots;
    }

    /// <summary>The address of the original instruction.</summary>
    /// <param name="address">An address in a slot: of the copy, or right behind it.</param>
    /// <returns>Null if there is no slot.</returns>
    internal ulong? OriginOf(ulong address)
    {
        int index = _slots.FindLastIndex(s => s.Slot <= address);
        return index >= 0 && address - _slots[index].Slot <= LongestInstruction ? _slots[index].Origin + (address - _slots[index].Slot) : null;
    }

    private void Add(KernelObject probe)
    {
        try
        {
            ulong slot = probe.Member("ainsn").Member("insn").AsUInt64(), origin = probe.Member("addr").AsUInt64();
            if (slot != 0 && origin <= ulong.MaxValue - LongestInstruction)
                _slots.Add((slot, origin));
        }
        catch (KernelObjectException)
        {
            // One that cannot be read has no origin here; the others have.
        }
    }
}
