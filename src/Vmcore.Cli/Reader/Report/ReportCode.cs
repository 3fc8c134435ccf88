using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Reader.Code;
using Vmcore.Kernel.Code;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader.Report;

/// <summary>The instructions that a report shows.</summary>
/// <param name="dump">The dump.</param>
internal sealed class ReportCode(CrashDump dump)
{
    private const int Before = 10;
    private const int Count = 6;

    private IInstructionDecoder? _decoder;

    /// <summary>True if this executable decodes the dump's code.</summary>
    internal bool IsIncluded => Decoder is not null;

    private IInstructionDecoder? Decoder => _decoder ??= TryDecoder();

    private CodeNames Names => field ??= new(dump.Symbols);

    /// <summary>The instructions around an address; null if they cannot be read.</summary>
    /// <param name="address">An address in code.</param>
    internal IReadOnlyList<CodeLineInfo>? Around(ulong address)
    {
        if (Decoder is not { } decoder)
            return null;
        var listing = CodeListing.Read(dump.KernelView, decoder, new() { Address = address, Before = Before, Count = Count });
        return CodeListingInfo.From(listing, Names).Lines;
    }

    /// <summary>The log's line of code, beside what the dump has there.</summary>
    /// <param name="logged">The line.</param>
    internal LoggedCodeInfo OfLog(LoggedCode logged)
    {
        IInstructionDecoder decoder = Decoder ?? throw new MissingInformationException(Decoders.WhyNone(dump.Architecture));
        (ulong Address, KernelSymbol Symbol)? place = Find(logged);
        bool? isSame = null;
        IReadOnlyList<CodeLine>? lines = null;
        if (place is { } found)
        {
            byte[] bytes = new byte[logged.Bytes.Length];
            if (dump.KernelView.Memory?.ReadPrefix(unchecked(found.Address - (ulong)logged.Mark), bytes) == bytes.Length)
                isSame = logged.Bytes.Span.SequenceEqual(bytes);

            // Without the address, what a jump or a call leads to would be wrong.
            lines = CodeListing.Decode(dump.Architecture, decoder, logged.Bytes, logged.Mark, found.Address);
        }

        string symbol = string.Create(CultureInfo.InvariantCulture,
            $"{logged.Function}+0x{logged.Offset:x}{(logged.Module is { } module ? $" [{module}]" : "")}");
        return new(symbol, Convert.ToHexStringLower(logged.Bytes.Span), logged.Mark, isSame,
            lines is null ? null : [.. lines.Select(l => CodeLineInfo.From(l, place!.Value.Symbol, Names))]);
    }

    // Of several functions of one name nobody knows which is meant.
    private (ulong Address, KernelSymbol Symbol)? Find(LoggedCode logged)
    {
        (ulong, KernelSymbol)? found = null;
        foreach (KernelSymbol symbol in dump.Symbols?.FindAll(logged.Function) ?? [])
        {
            if (symbol.Module != logged.Module || !CodeListing.IsCode(symbol))
                continue;
            if (found is not null)
                return null;
            found = (unchecked(symbol.Address + logged.Offset), symbol);
        }

        return found;
    }

    // Where the library that decodes is not installed, the report has the bytes as before.
    private IInstructionDecoder? TryDecoder()
    {
        try
        {
            return Decoders.Of(dump.Architecture);
        }
        catch (MissingInformationException)
        {
            return null;
        }
    }
}
