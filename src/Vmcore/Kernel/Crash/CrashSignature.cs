using System.Text;
using Vmcore.Findings;
using Vmcore.Hashing;

namespace Vmcore.Kernel.Crash;

/// <summary>
/// What crashes of one cause have in common, on whatever machine and release: the kind, and the innermost functions from the place of the crash outward.
/// No address, number, or name of the machine is in it. docs/triage.md has the rules.
/// </summary>
public sealed class CrashSignature
{
    /// <summary>Version of the rules. Signatures of different versions cannot be compared.</summary>
    public const int Version = 1;

    /// <summary>The most functions that count.</summary>
    public const int FramesUsed = 4;

    private const int HashBytes = 8;

    internal CrashSignature(CrashKind kind, IReadOnlyList<string> frames, string? reason, Finding? problem)
    {
        (Kind, Frames, Reason, Problem) = (kind, frames, reason, problem);
        var text = new StringBuilder($"vmcore crash signature {Version}\nkind {NameOf(kind)}\n");
        if (reason is not null)
            text.Append("reason ").Append(reason).Append('\n');
        foreach (string frame in frames)
            text.Append("frame ").Append(frame).Append('\n');
        CanonicalText = text.ToString();
        Digest = Convert.ToHexStringLower(Sha256.Hash(Encoding.UTF8.GetBytes(CanonicalText)).AsSpan(0, HashBytes));
    }

    /// <summary>What happened.</summary>
    public CrashKind Kind { get; }

    /// <summary>The functions that count, innermost first, by the names of the source; at most <see cref="FramesUsed"/>. None where the place is
    /// chance: of memory that ran out, errors of the hardware, buttons, the end of the first process.</summary>
    public IReadOnlyList<string> Frames { get; }

    /// <summary>A further part that some kinds have: of a hung task what it waits for, of the first process its exit code. Null for none.</summary>
    public string? Reason { get; }

    /// <summary>Why it may lack parts, or have wrong ones; null if it is whole.</summary>
    public Finding? Problem { get; }

    /// <summary>True if it may lack parts, or have wrong ones: that two of those are equal proves nothing.</summary>
    public bool IsPartial => Problem is not null;

    /// <summary>What is hashed: a line for each part, each with a newline, in UTF-8.</summary>
    public string CanonicalText { get; }

    /// <summary>The first 8 bytes of the SHA-256 of <see cref="CanonicalText"/>, 16 hexadecimal digits. A partial signature with the digest of a whole one
    /// may be of the same cause.</summary>
    public string Digest { get; }

    /// <summary>The signature: <c>v1:</c> and the digest; <c>v1-partial:</c> and the digest if it is partial.</summary>
    public string Text => IsPartial ? $"v{Version}-partial:{Digest}" : $"v{Version}:{Digest}";

    /// <summary>The name of a kind in signatures and in JSON: <c>page_fault</c>.</summary>
    /// <param name="kind">The kind.</param>
    public static string NameOf(CrashKind kind)
    {
        var name = new StringBuilder();
        foreach (char c in kind.ToString())
        {
            if (char.IsAsciiLetterUpper(c) && name.Length > 0)
                name.Append('_');
            name.Append(char.ToLowerInvariant(c));
        }

        return name.ToString();
    }

    /// <summary>The same as <see cref="Text"/>.</summary>
    public override string ToString() => Text;
}
