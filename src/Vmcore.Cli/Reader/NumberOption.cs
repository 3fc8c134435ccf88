using System.CommandLine;
using System.Globalization;

namespace Vmcore.Cli.Reader;

/// <summary>Options that take a number: what is none, or is out of range, is said in words.</summary>
internal static class NumberOption
{
    /// <summary>Makes an option.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="helpName">What the help calls the number.</param>
    /// <param name="description">What the help says of it.</param>
    /// <param name="most">The largest number; the smallest is 0.</param>
    /// <param name="aliases">Its other names.</param>
    internal static Option<int?> Create(string name, string helpName, string description, int most, params string[] aliases) =>
        new(name, aliases)
        {
            Description = description,
            HelpName = helpName,
            CustomParser = result =>
            {
                string text = result.Tokens[0].Value;
                if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= most)
                    return number;
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name}: found '{text}', expected a number from 0 to {most}"));
                return null;
            },
        };
}
