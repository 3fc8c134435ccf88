using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Kernel.Code;

/// <summary>
/// Code of the crashed kernel, instruction by instruction: what is in the dump, with all that the kernel patched. Nothing of the file that the kernel was
/// started from, and no zero for a byte that the dump does not have.
/// </summary>
public sealed class CodeListing
{
    private readonly List<Finding> _problems = [];
    private List<CodeLine> _lines = [];

    private CodeListing(KernelSymbol function, ulong address, ulong? end)
    {
        Function = function;
        Address = address;
        End = end;
    }

    /// <summary>The function: the symbol that the address belongs to.</summary>
    public KernelSymbol Function { get; }

    /// <summary>The address that was asked for.</summary>
    public ulong Address { get; }

    /// <summary>First address behind the function, which is that of the next symbol; null if it is not known.</summary>
    public ulong? End { get; }

    /// <summary>The code, by ascending address.</summary>
    public IReadOnlyList<CodeLine> Lines => _lines;

    /// <summary>What is missing of it, or in doubt.</summary>
    public IReadOnlyList<Finding> Problems => _problems;

    /// <summary>True if a symbol is of code: kallsyms has the letters of nm(1), and <c>?</c> where a module's are not in the dump.</summary>
    /// <param name="symbol">The symbol.</param>
    public static bool IsCode(KernelSymbol symbol) => symbol.Type is 't' or 'T' or 'w' or 'W' or '?';

    /// <summary>Reads the code around an address.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="decoder">Reads instructions of its machine.</param>
    /// <param name="request">Which code.</param>
    /// <exception cref="MissingInformationException">The kernel's memory or its symbols are not there, or the address is in no code: what lies elsewhere may
    /// be of a process.</exception>
    public static CodeListing Read(KernelView kernel, IInstructionDecoder decoder, CodeRequest request)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(decoder);
        ArgumentNullException.ThrowIfNull(request);
        KernelAddressSpace memory = kernel.RequireMemory();
        Architecture architecture = kernel.RequireKernel().Architecture;
        ulong wanted = request.IsReturn ? request.Address - 1 : request.Address;
        if (!memory.IsKernelAddress(wanted) || !kernel.RequireSymbols().TryResolve(wanted, out KernelSymbol symbol, out ulong offset, out ulong? size)
            || !IsCode(symbol))
            throw new MissingInformationException(
                $"{kernel.Name}: 0x{wanted:x} is in no code that the kernel's symbols know: not of its image, of a module, or generated");
        int unit = architecture.InstructionUnit;
        if ((request.Address & (ulong)(unit - 1)) != 0)
            throw new MissingInformationException($"{kernel.Name}: no instruction begins at 0x{request.Address:x}: each begins at a multiple of {unit}");
        var listing = new CodeListing(symbol, request.Address, size is { } s ? symbol.Address + s : null);
        listing.Read(memory, architecture, decoder, request, offset);
        return listing;
    }

    /// <summary>Reads instructions out of bytes of which only one is known to be the first of an instruction.</summary>
    /// <param name="architecture">Their machine.</param>
    /// <param name="decoder">Reads instructions of it.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="mark">Offset of the one that is known.</param>
    /// <param name="address">Its virtual address; 0 if that is not known.</param>
    /// <returns>The instructions; those before the known one as they fit, from the earliest byte from which they lead to it.</returns>
    public static IReadOnlyList<CodeLine> Decode(
        Architecture architecture, IInstructionDecoder decoder, ReadOnlyMemory<byte> bytes, int mark, ulong address)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(decoder);
        ulong start = unchecked(address - (ulong)mark);
        List<CodeLine> best = [];
        for (int skip = 0; skip <= Math.Min(mark, architecture.LongestInstruction - 1); skip += architecture.InstructionUnit)
        {
            List<CodeLine> lines = CodeDecoding.Decode(new(bytes[skip..].ToArray(), unchecked(start + (ulong)skip)), architecture, decoder, address);
            int at = lines.FindIndex(l => l.Address == address);
            bool fits = at >= 0 && (at == 0 || unchecked(lines[at - 1].Address + (ulong)lines[at - 1].Length) == address)
                && !lines.GetRange(0, at).Exists(static l => l.Instruction is null);
            if (!fits && best.Count > 0)
                continue;
            if (at >= 0)
                lines[at] = lines[at] with { IsCurrent = true };
            best = lines;
            if (fits)
                break;
        }

        return best;
    }

    private void Read(KernelAddressSpace memory, Architecture architecture, IInstructionDecoder decoder, CodeRequest request, ulong offset)
    {
        ulong most = (ulong)memory.Limits.FunctionBytes, longest = (ulong)architecture.LongestInstruction;

        // Instructions differ in length on some machines: only from a function's start is it known where each begins.
        ulong start = Function.Address;
        if (offset >= most)
        {
            start = request.Address;
            _problems.Add(new(FindingCode.CodeNotFromStart, Function.Name, start));
        }

        ulong length = Extent(Function.Name, start, End, request, longest, memory.Limits, _problems, out ulong rest);
        var code = new CodeBytes(memory, start, (int)length, (int)Math.Min(longest, rest - length));
        _lines = CodeDecoding.Decode(code, architecture, decoder, request.Address);
        Choose(request, code);
        int missing = 0;
        MemoryStatus why = MemoryStatus.Ok;
        foreach (CodeLine line in _lines)
        {
            missing += line.Status == MemoryStatus.Ok ? 0 : line.Length;
            why = why == MemoryStatus.Ok ? line.Status : why;
        }

        if (missing > 0)
            _problems.Add(new(FindingCode.CodeMissing, missing, Function.Name, MemoryStatusText.Of(why)));
    }

    /// <summary>How much of a function is read.</summary>
    /// <param name="function">Its name, for what is said.</param>
    /// <param name="start">Where reading begins.</param>
    /// <param name="end">One past its last byte; null if that is not known.</param>
    /// <param name="request">Which code.</param>
    /// <param name="longest">Bytes of the longest instruction.</param>
    /// <param name="limits">How much at most.</param>
    /// <param name="problems">Where it is said that there is more.</param>
    /// <param name="rest">Bytes from <paramref name="start"/> that may be of the function.</param>
    /// <returns>Bytes.</returns>
    internal static ulong Extent(
        string function, ulong start, ulong? end, CodeRequest request, ulong longest, ReadLimits limits, List<Finding> problems, out ulong rest)
    {
        ulong most = (ulong)limits.FunctionBytes;

        // Behind the last symbol the rest of a section is filled with instructions that trap: a page of it is more than anybody reads.
        rest = end is { } known ? known - start : Math.Min(most, request.Address - start + (ulong)limits.EndlessFunctionBytes);
        ulong wanted = request.Count < (int)(most / longest) ? request.Address - start + ((ulong)request.Count * longest) : ulong.MaxValue;
        ulong length = Math.Min(Math.Min(rest, wanted), most);
        if (end is null && length < wanted)
            problems.Add(new(FindingCode.CodeEndUnknown, function, length));
        else if (length < rest && length < wanted)
            problems.Add(new(FindingCode.CodeCutShort, function, length));
        return length;
    }

    // The instructions that were asked for, with the current one marked.
    private void Choose(CodeRequest request, CodeBytes code)
    {
        ulong wanted = request.IsReturn ? request.Address - 1 : request.Address;
        int current = _lines.FindIndex(l => wanted >= l.Address && wanted - l.Address < (ulong)l.Length);
        if (current < 0)
            return;
        bool fits = request.IsReturn ? _lines[current].Address + (ulong)_lines[current].Length == request.Address : _lines[current].Address == wanted;
        if (!fits && _lines[current].Status == MemoryStatus.Ok)
            _problems.Add(new(FindingCode.CodeMisaligned, request.Address, Function.Name));

        // Where some of it is missing, nobody knows at which byte an instruction behind it begins.
        if (code.HasGapBefore(wanted))
            _problems.Add(new(FindingCode.CodeNotFromStart, Function.Name, code.EndOfGapBefore(wanted)));
        _lines[current] = _lines[current] with { IsCurrent = true };
        int first = request.Before >= current ? 0 : current - request.Before;
        int end = request.Count >= _lines.Count - current ? _lines.Count : current + Math.Max(request.Count, 1);
        _lines = _lines.GetRange(first, end - first);
    }
}
