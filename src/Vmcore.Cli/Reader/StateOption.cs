using System.CommandLine;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader;

/// <summary>The option that chooses tasks by their states.</summary>
internal static class StateOption
{
    private const string Letters = "RSDTtXZPI";

    /// <summary>Makes the option.</summary>
    /// <param name="description">What the help says of it.</param>
    internal static Option<string?> Create(string description) => new("--state", "-s")
    {
        Description = description,
        HelpName = "STATES",
        CustomParser = static result =>
        {
            string states = result.Tokens[0].Value.Replace(",", "", StringComparison.Ordinal);
            if (states.Length > 0 && states.All(Letters.Contains))
                return states;
            result.AddError($"--state: found '{result.Tokens[0].Value}', expected letters of {string.Join(',', Letters.ToCharArray())}");
            return null;
        },
    };

    /// <summary>Tells whether a task is meant.</summary>
    /// <param name="states">The letters; null for any state.</param>
    /// <param name="task">The task.</param>
    internal static bool Includes(string? states, KernelTask task) => states is null || states.Contains(task.State, StringComparison.Ordinal);
}
