namespace Vmcore.Cli.Reader;

/// <summary>Colours for people, if they can see them: SGR sequences on a terminal, nothing elsewhere.</summary>
internal sealed class TextStyle
{
    private const string Reset = "\e[0m";

    private readonly bool _colors;

    private TextStyle(bool colors) => _colors = colors;

    /// <summary>No colours.</summary>
    internal static TextStyle Plain { get; } = new(false);

    /// <summary>Decides whether there are colours.</summary>
    /// <param name="output">Where the text goes; only to make clear that it is this one that counts.</param>
    /// <param name="redirected">True if it is no terminal.</param>
    /// <param name="when"><c>auto</c>, <c>always</c> or <c>never</c>.</param>
    internal static TextStyle For(TextWriter output, bool redirected, string when)
    {
        ArgumentNullException.ThrowIfNull(output);
        return when switch
        {
            "always" => new(true),
            "never" => Plain,
            // no-color.org: any value but an empty one switches them off.
            _ => redirected || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
                || Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb" ? Plain : new(true),
        };
    }

    /// <summary>A heading or what matters most.</summary>
    internal string Bold(string text) => Paint("\e[1m", text);

    /// <summary>What is there for completeness.</summary>
    internal string Dim(string text) => Paint("\e[2m", text);

    /// <summary>Trouble.</summary>
    internal string Red(string text) => Paint("\e[31m", text);

    /// <summary>What is fine.</summary>
    internal string Green(string text) => Paint("\e[32m", text);

    /// <summary>What wants attention.</summary>
    internal string Yellow(string text) => Paint("\e[33m", text);

    /// <summary>Names.</summary>
    internal string Cyan(string text) => Paint("\e[36m", text);

    private string Paint(string start, string text) => _colors && text.Length > 0 ? start + text + Reset : text;
}
