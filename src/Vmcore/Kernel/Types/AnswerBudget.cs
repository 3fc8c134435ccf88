using Vmcore.IO;

namespace Vmcore.Kernel.Types;

/// <summary>
/// What one answer about types or values may still look at. Types come from a file that may be damaged: they may hold themselves, in any number of ways,
/// so that a bound on depth alone leaves 2^32 steps. One budget goes through a whole answer.
/// </summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class AnswerBudget
{
    // Looking at so many bytes, or at so many names of an enum, takes about as long as one more member.
    private const int BytesPerVisit = 256, NamesPerVisit = 16;

    private readonly int _nameParts;
    private int _visits;
    private int _characters;
    private int _partsOfName;

    /// <summary>Creates a budget.</summary>
    /// <param name="limits">The bounds; null for the default ones.</param>
    public AnswerBudget(ReadLimits? limits = null)
    {
        limits ??= ReadLimits.Default;
        (_visits, _characters, Depth, DeclarationDepth) = (limits.AnswerVisits, limits.AnswerCharacters, limits.TypeDepth, limits.DeclarationDepth);
        _nameParts = _partsOfName = limits.NameParts;
    }

    /// <summary>How many types may be inside each other.</summary>
    internal int Depth { get; }

    /// <summary>How many nameless types are declared inside each other.</summary>
    internal int DeclarationDepth { get; }

    /// <summary>True once something was left out.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Charges a look at a member; false if no more are left.</summary>
    public bool TryVisit() => Visit();

    /// <summary>Charges a look at a member, an element or a parameter; false if no more are left.</summary>
    /// <param name="bytes">Bytes of memory that are looked at for it.</param>
    internal bool Visit(long bytes = 0) => Take(ref _visits, 1 + (Math.Max(bytes, 0) / BytesPerVisit));

    /// <summary>Begins the name of a type: one alone may not take all.</summary>
    internal void BeginName() => _partsOfName = _nameParts;

    /// <summary>Charges a part of a type's name, and its characters; false if no more are left.</summary>
    internal bool Part(int characters)
    {
        if (--_partsOfName >= 0)
            return Visit() && Text(characters);
        IsTruncated = true;
        return false;
    }

    /// <summary>Charges a look for a value among the names of an enum.</summary>
    internal bool VisitNames(int count) => Visit((long)count / NamesPerVisit * BytesPerVisit);

    /// <summary>Charges characters of text; false if no more are left.</summary>
    internal bool Text(int characters) => Take(ref _characters, characters);

    private bool Take(ref int left, long cost)
    {
        if (cost <= left)
        {
            left -= (int)cost;
            return true;
        }

        left = 0;
        IsTruncated = true;
        return false;
    }
}
