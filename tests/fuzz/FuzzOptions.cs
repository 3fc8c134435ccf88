using System.Globalization;

namespace Vmcore.Fuzz;

/// <summary>The command line.</summary>
internal sealed record FuzzOptions
{
    internal const string Usage = """
        Usage: run [--targets A,B] [--seed N] [--inputs N] [--seconds N] [--dump FILE] [--sysroots FOLDER] [--executable FILE] [--list]
        Gives mutated input to every parser and walk, by seed. The defaults are a short run. --inputs and --seconds bound each target.
        A finding names its target and seed: --targets T --seed S --inputs 1 makes it again.
        Exit status: 0 nothing found, 1 something found, 2 the command line is wrong.
        """;

    internal IReadOnlyList<string> Targets { get; init; } = [];

    internal int Seed { get; init; } = 1;

    internal long Inputs { get; init; } = long.MaxValue;

    internal double Seconds { get; init; } = double.PositiveInfinity;

    /// <summary>A raw vmcore whose kernel memory is mutated; null for the sample in tests/data.</summary>
    internal string? Dump { get; init; }

    /// <summary>A folder of captured trees of running systems; null for the synthetic one.</summary>
    internal string? Sysroots { get; init; }

    /// <summary>The executable; null for that of ./build.</summary>
    internal string? Executable { get; init; }

    internal bool List { get; init; }

    /// <summary>Set in a process that runs one target: the file that the number of the input at work is written to.</summary>
    internal string? State { get; init; }

    /// <summary>Parses the command line; null if it is wrong.</summary>
    internal static FuzzOptions? Parse(string[] args)
    {
        var options = new FuzzOptions();
        for (int i = 0; i < args.Length; i++)
        {
            if (args[i] == "--list")
            {
                options = options with { List = true };
                continue;
            }

            if (++i >= args.Length)
                return null;
            string value = args[i];
            bool isNumber = double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number is > 0 and < 1e15;
            switch (args[i - 1])
            {
                case "--targets": options = options with { Targets = value.Split(',') }; break;
                case "--seed" when isNumber: options = options with { Seed = (int)number }; break;
                case "--inputs" when isNumber: options = options with { Inputs = (long)number }; break;
                case "--seconds" when isNumber: options = options with { Seconds = number }; break;
                case "--dump": options = options with { Dump = value }; break;
                case "--sysroots": options = options with { Sysroots = value }; break;
                case "--executable": options = options with { Executable = value }; break;
                case "--state": options = options with { State = value }; break;
                default: return null;
            }
        }

        return options;
    }

    /// <summary>The command line of the process that runs one target.</summary>
    internal IEnumerable<string> For(string target, string state)
    {
        List<string> words = ["--targets", target, "--state", state, "--seed", Text(Seed)];
        if (Inputs != long.MaxValue)
            words.AddRange(["--inputs", Text(Inputs)]);
        if (!double.IsPositiveInfinity(Seconds))
            words.AddRange(["--seconds", Text(Seconds)]);
        foreach ((string name, string? value) in new[] { ("--dump", Dump), ("--sysroots", Sysroots), ("--executable", Executable) })
        {
            if (value is not null)
                words.AddRange([name, value]);
        }

        return words;
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
