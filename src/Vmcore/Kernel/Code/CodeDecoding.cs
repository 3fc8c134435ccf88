using Vmcore.Architectures;
using Vmcore.Memory;

namespace Vmcore.Kernel.Code;

/// <summary>Bytes become instructions.</summary>
internal static class CodeDecoding
{
    /// <summary>Reads instructions one behind the other.</summary>
    /// <param name="code">The bytes.</param>
    /// <param name="architecture">Their machine.</param>
    /// <param name="decoder">Reads one.</param>
    /// <param name="boundary">An address at which an instruction begins, whatever those before it say.</param>
    internal static List<CodeLine> Decode(CodeBytes code, Architecture architecture, IInstructionDecoder decoder, ulong boundary)
    {
        List<CodeLine> lines = [];
        for (int at = 0; at < code.Length;)
        {
            ulong address = code.Start + (ulong)at;
            ReadOnlyMemory<byte> bytes = code.From(at, out MemoryStatus why, out int end);
            if (why != MemoryStatus.Ok)
            {
                end = Math.Min(end, code.Length);
                lines.Add(new(address, end - at) { Status = why });
                at = end;
                continue;
            }

            DecodedInstruction? instruction = decoder.TryDecode(bytes.Span[..Math.Min(bytes.Length, architecture.LongestInstruction)], address);
            int length = instruction?.Length ?? Math.Min(architecture.InstructionUnit, bytes.Length);
            lines.Add(new(address, length) { Bytes = bytes[..length], Instruction = instruction });
            at += length;
            if (boundary > address && boundary - address < (ulong)length)
                at = (int)(boundary - code.Start);
        }

        if (architecture.CreateReferences() is { } references)
            Follow(lines, references);
        return lines;
    }

    // Where a jump leads to, nothing is known of what the instructions above left in registers.
    private static void Follow(List<CodeLine> lines, IInstructionReferences references)
    {
        HashSet<ulong> targets = [];
        foreach (CodeLine line in lines)
        {
            if (references.Next(line.Bytes.Span, line.Address).Target is { } target)
                targets.Add(target);
        }

        references.Forget();
        for (int i = 0; i < lines.Count; i++)
        {
            CodeLine line = lines[i];
            if (targets.Contains(line.Address) || line.Status != MemoryStatus.Ok)
                references.Forget();
            InstructionReference found = references.Next(line.Bytes.Span, line.Address);
            if (line.Instruction is { } instruction)
                lines[i] = line with { Instruction = instruction with { Flow = found.Flow, Target = found.Target, Operand = found.Operand } };
        }
    }
}
