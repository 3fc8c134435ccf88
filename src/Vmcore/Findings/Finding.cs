using System.Globalization;

namespace Vmcore.Findings;

/// <summary>
/// Something that is wrong with a dump, or that its sources do not agree on, and that does not keep it from being read. A program asks the code; a person
/// reads the sentence.
/// </summary>
/// <remarks>Parameters may be texts of the crashed machine, such as a name in its resource tree: nothing to send to a terminal as it is.</remarks>
public sealed class Finding
{
    /// <summary>Creates a finding.</summary>
    /// <param name="code">What was found.</param>
    /// <param name="parameters">The parameters that the code's description lists, in its order.</param>
    public Finding(FindingCode code, params IReadOnlyList<object> parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Code = code;
        Parameters = parameters;
    }

    /// <summary>A finding whose only parameter is a text, or none.</summary>
    /// <param name="code">What was found.</param>
    /// <param name="text">The parameter; null if nothing was found.</param>
    internal static Finding? Of(FindingCode code, string? text) => text is null ? null : new(code, text);

    /// <summary>What was found.</summary>
    public FindingCode Code { get; }

    /// <summary>What the sentence is about, as <see cref="Code"/> lists it: names are strings, addresses and counts numbers, ranges are ranges.</summary>
    public IReadOnlyList<object> Parameters { get; }

    /// <summary>True if something is missing or damaged, so that an answer may lack it; false if sources do not agree, and it is known which of them is
    /// right.</summary>
    public bool MeansMissing => Code is not (FindingCode.PmemInfoBlockStale or FindingCode.PmemByInfoBlock or FindingCode.PmemOnlyFlagged
        or FindingCode.PmemNotListed or FindingCode.PmemListDiffers or FindingCode.PmemListedElsewhere or FindingCode.PmemMemmapOutside);

    /// <summary>The sentence for the operator. Its words may change; the code stays.</summary>
    public override string ToString() => string.Format(CultureInfo.InvariantCulture, FindingText.Of(Code), [.. Parameters]);
}
