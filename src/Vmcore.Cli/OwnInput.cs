using Vmcore.IO;

namespace Vmcore.Cli;

/// <summary>A command never writes over what it reads: that would destroy the only copy there is.</summary>
internal static class OwnInput
{
    /// <summary>Refuses an output that is one of the inputs, under whatever name.</summary>
    /// <param name="output">The file to write; it need not be there.</param>
    /// <param name="inputs">The files that are read.</param>
    /// <param name="what">What would be written, in a word.</param>
    /// <exception cref="FileAccessException">It is one of them.</exception>
    internal static void Refuse(string output, IEnumerable<string> inputs, string what)
    {
        if (FileIdentity.Of(output) is { } target && inputs.Any(input => target == FileIdentity.Of(input)))
            throw new FileAccessException(output, $"is the input itself; give another name for the {what}");
    }
}
