namespace Vmcore.Cli.Makedumpfile;

/// <summary>A command line that cannot be carried out. The message may be empty: then the generic lines say enough.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>One option: how it is written, what it does, and what the help says of it. Everything that knows options goes by this.</summary>
internal sealed class CommandOption
{
    /// <summary>Creates an option.</summary>
    /// <param name="syntax">As the help shows it: <c>-d DL</c>, <c>-h, --help</c>, <c>--message-level N</c>. A capital word says that a value follows.</param>
    /// <param name="help">What it does; lines after the first are shown below each other. Empty for an option that the help does not list.</param>
    /// <param name="apply">Puts it into effect; gets the value, empty if it takes none. Throws <see cref="UsageException"/> for an impossible one.</param>
    internal CommandOption(string syntax, string help, Action<MakedumpfileOptions, string> apply)
    {
        Syntax = syntax;
        Help = help;
        Apply = apply;
        string[] words = syntax.Split(' ');
        TakesValue = !words[^1].StartsWith('-');
        foreach (string word in words)
        {
            if (word.StartsWith("--", StringComparison.Ordinal))
                Long = word[2..];
            else if (word.StartsWith('-'))
                Short = word[1];
        }
    }

    /// <summary>As the help shows it.</summary>
    internal string Syntax { get; }

    /// <summary>What the help says; empty if it does not list the option.</summary>
    internal string Help { get; }

    /// <summary>Puts the option into effect.</summary>
    internal Action<MakedumpfileOptions, string> Apply { get; }

    /// <summary>True if a value must follow.</summary>
    internal bool TakesValue { get; }

    /// <summary>Its letter; NUL if it has none.</summary>
    internal char Short { get; }

    /// <summary>Its long name without the dashes; null if it has none.</summary>
    internal string? Long { get; }

    /// <summary>What the parser reports for it.</summary>
    internal string Key => Short != '\0' ? Short.ToString() : Long!;
}

/// <summary>Options that the help shows under one heading.</summary>
/// <param name="Heading">The heading; empty for options that the help does not list.</param>
/// <param name="Options">The options.</param>
internal sealed record OptionGroup(string Heading, params IReadOnlyList<CommandOption> Options);
