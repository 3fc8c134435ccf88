namespace Vmcore.Cli;

/// <summary>A long option: its name, the short option or code it stands for, and whether it takes a value.</summary>
/// <param name="Name">Name without the dashes.</param>
/// <param name="Key">What the parser reports: the short option's letter as a string, or a name.</param>
/// <param name="TakesValue">True if a value must follow.</param>
internal sealed record LongOption(string Name, string Key, bool TakesValue = false);

/// <summary>One option found on the command line.</summary>
/// <param name="Key">The option's key: a letter, or the key of a <see cref="LongOption"/>.</param>
/// <param name="Value">Its value, null if it takes none.</param>
internal sealed record ParsedOption(string Key, string? Value);

/// <summary>
/// Command lines as getopt_long(3) reads them: bundled short options, values attached or apart, long options that may be
/// abbreviated, options and operands in any order, <c>--</c> ends the options. Services rely on each of these.
/// </summary>
internal sealed class GetOpt
{
    private readonly string _shortOptions;
    private readonly IReadOnlyList<LongOption> _longOptions;

    /// <summary>Creates a parser.</summary>
    /// <param name="shortOptions">Letters; one that is followed by a colon takes a value.</param>
    /// <param name="longOptions">The long options.</param>
    public GetOpt(string shortOptions, IReadOnlyList<LongOption> longOptions)
    {
        _shortOptions = shortOptions;
        _longOptions = longOptions;
    }

    /// <summary>Parses the arguments.</summary>
    /// <param name="args">The arguments without the program's name.</param>
    /// <param name="options">Receives the options in the order given.</param>
    /// <param name="operands">Receives everything else in the order given.</param>
    /// <returns>Null, or one sentence that says what is wrong.</returns>
    public string? Parse(IReadOnlyList<string> args, List<ParsedOption> options, List<string> operands)
    {
        for (int i = 0; i < args.Count; i++)
        {
            string arg = args[i];
            if (arg == "--")
            {
                for (i++; i < args.Count; i++)
                    operands.Add(args[i]);
                return null;
            }

            string? error = null;
            if (arg.StartsWith("--", StringComparison.Ordinal))
                error = ParseLong(arg[2..], args, ref i, options);
            else if (arg.Length > 1 && arg[0] == '-')
                error = ParseShort(arg, args, ref i, options);
            else
                operands.Add(arg);
            if (error is not null)
                return error;
        }

        return null;
    }

    private string? ParseLong(string text, IReadOnlyList<string> args, ref int index, List<ParsedOption> options)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        string name = equals >= 0 ? text[..equals] : text;
        LongOption? option = FindLong(name, out string? error);
        if (option is null)
            return error;
        if (!option.TakesValue)
        {
            if (equals >= 0)
                return $"option '--{option.Name}' doesn't allow an argument";
            options.Add(new(option.Key, null));
            return null;
        }

        if (equals >= 0)
            options.Add(new(option.Key, text[(equals + 1)..]));
        else if (++index < args.Count)
            options.Add(new(option.Key, args[index]));
        else
            return $"option '--{option.Name}' requires an argument";
        return null;
    }

    private LongOption? FindLong(string name, out string? error)
    {
        error = null;
        List<LongOption> matches = [];
        foreach (LongOption option in _longOptions)
        {
            if (option.Name == name)
                return option;
            if (option.Name.StartsWith(name, StringComparison.Ordinal))
                matches.Add(option);
        }

        // Two names for the same thing are not ambiguous.
        if (matches.Count > 0 && matches.TrueForAll(m => m.Key == matches[0].Key))
            return matches[0];
        error = matches.Count == 0
            ? $"unrecognized option '--{name}'"
            : $"option '--{name}' is ambiguous; possibilities: {string.Join(' ', matches.Select(m => $"'--{m.Name}'"))}";
        return null;
    }

    private string? ParseShort(string arg, IReadOnlyList<string> args, ref int index, List<ParsedOption> options)
    {
        for (int i = 1; i < arg.Length; i++)
        {
            int at = arg[i] == ':' ? -1 : _shortOptions.IndexOf(arg[i], StringComparison.Ordinal);
            if (at < 0)
                return $"invalid option -- '{arg[i]}'";
            string key = arg[i].ToString();
            if (at + 1 >= _shortOptions.Length || _shortOptions[at + 1] != ':')
            {
                options.Add(new(key, null));
                continue;
            }

            if (i + 1 < arg.Length)
                options.Add(new(key, arg[(i + 1)..]));
            else if (++index < args.Count)
                options.Add(new(key, args[index]));
            else
                return $"option requires an argument -- '{key}'";
            return null;
        }

        return null;
    }
}
