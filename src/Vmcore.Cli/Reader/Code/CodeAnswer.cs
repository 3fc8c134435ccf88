using System.Globalization;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Code;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader.Code;

/// <summary>The answer of <c>vmcore dis --json</c>.</summary>
internal sealed record CodeAnswer : ReaderAnswer
{
    public IReadOnlyList<CodeListingInfo> Listings { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json) => json.Put(Listings);
}

/// <summary>Code of one function.</summary>
internal sealed record CodeListingInfo : IJsonItem
{
    /// <summary>Name of the function; null if only the log has the code, and does not say of what.</summary>
    public string? Function { get; init; }

    public string? Module { get; init; }

    /// <summary>Its first address, and the first behind it; null if not known.</summary>
    public ulong? Start { get; init; }

    /// <inheritdoc cref="Start"/>
    public ulong? End { get; init; }

    /// <summary>What was asked for, or where the CPU was.</summary>
    public ulong? Address { get; init; }

    /// <summary><c>dump</c> or <c>log</c>: where the bytes are from.</summary>
    public string Source { get; init; } = "dump";

    /// <summary>Why it is shown: for people.</summary>
    public string? Title { get; init; }

    public IReadOnlyList<CodeLineInfo> Lines { get; init; } = [];

    /// <summary>Describes a listing.</summary>
    /// <param name="listing">The listing.</param>
    /// <param name="names">Names of addresses.</param>
    /// <param name="lines">Lines of the source; null if there are none.</param>
    internal static CodeListingInfo From(CodeListing listing, CodeNames names, SourceLines? lines = null) => new()
    {
        Function = listing.Function.Name,
        Module = listing.Function.Module,
        Start = listing.Function.Address,
        End = listing.End,
        Address = listing.Address,
        Lines = [.. listing.Lines.Select(l => CodeLineInfo.From(l, listing.Function, names) with
        {
            Places = lines is null ? [] : SourcePlaceInfo.From(lines.Find(l.Address)),
        })],
    };

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Function);
        json.Put(Module);
        json.PutAddress(Start);
        json.PutAddress(End);
        json.PutAddress(Address);
        json.Put(Source);
        json.Put(Lines);
    }
}

/// <summary>One instruction, or bytes that are none or are missing.</summary>
internal sealed record CodeLineInfo : IJsonItem
{
    public ulong Address { get; init; }

    /// <summary>Function and offset: <c>schedule+0x12</c>.</summary>
    public string? Symbol { get; init; }

    public int Length { get; init; }

    /// <summary>The bytes in the order of memory, as hexadecimal digits; null if they are not in the dump.</summary>
    public string? Bytes { get; init; }

    /// <summary>The instruction; null if the bytes are none that is known.</summary>
    public string? Text { get; init; }

    /// <summary><c>next</c>, <c>call</c>, <c>jump</c>, <c>branch</c>, <c>return</c> or <c>trap</c>; null without an instruction.</summary>
    public string? Flow { get; init; }

    public ulong? Target { get; init; }

    public string? TargetSymbol { get; init; }

    public ulong? Operand { get; init; }

    public string? OperandSymbol { get; init; }

    public bool Current { get; init; }

    /// <summary>Why the bytes are missing; null if they are there.</summary>
    public string? Missing { get; init; }

    /// <summary>Where in the source it is from, with the functions that it was inlined into; empty if that is not known.</summary>
    public IReadOnlyList<SourcePlaceInfo> Places { get; init; } = [];

    /// <summary>Describes a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="function">The function that it is of; null if it is not known.</param>
    /// <param name="names">Names of addresses.</param>
    internal static CodeLineInfo From(CodeLine line, KernelSymbol? function, CodeNames names) => new()
    {
        Address = line.Address,
        Symbol = function is not { } symbol ? null : line.Address < symbol.Address ? names.Of(line.Address)
            : string.Create(CultureInfo.InvariantCulture, $"{symbol.Name}+0x{line.Address - symbol.Address:x}"),
        Length = line.Length,
        Bytes = line.Status == MemoryStatus.Ok ? Convert.ToHexStringLower(line.Bytes.Span) : null,
        Text = line.Instruction?.Text,
        Flow = line.Instruction?.Flow.ToString().ToLowerInvariant(),
        Target = line.Instruction?.Target,
        TargetSymbol = line.Instruction?.Target is { } target ? names.Of(target) : null,
        Operand = line.Instruction?.Operand,
        OperandSymbol = line.Instruction is { } instruction ? names.OfOperand(instruction) : null,
        Current = line.IsCurrent,
        Missing = line.Status == MemoryStatus.Ok ? null : MemoryStatusText.Of(line.Status),
    };

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Symbol);
        json.Put(Length);
        json.Put(Bytes);
        json.Put(Text);
        json.Put(Flow);
        json.PutAddress(Target);
        json.Put(TargetSymbol);
        json.PutAddress(Operand);
        json.Put(OperandSymbol);
        json.Put(Current);
        json.Put(Missing);
        json.Put(Places, "source");
    }
}

/// <summary>A place in the source, and the function that it is in.</summary>
internal sealed record SourcePlaceInfo(string? Function, string? SourceFile, int? Line, bool Inlined) : IJsonItem
{
    /// <summary>Describes places.</summary>
    internal static IReadOnlyList<SourcePlaceInfo> From(IReadOnlyList<SourcePlace> places) =>
        [.. places.Select(static p => new SourcePlaceInfo(p.Function, p.File, p.Line, p.IsInlined))];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Function);
        json.Put(SourceFile);
        json.Put(Line);
        json.Put(Inlined);
    }
}
