using System.Text.Json.Serialization;

namespace Vmcore.Cli.Reader;

/// <summary>
/// What every answer of a reading command has with <c>--json</c>. Addresses are text (<c>"0x…"</c>), pfns and sizes numbers, ranges half-open,
/// names in snake_case; what is not known is null.
/// </summary>
internal abstract record ReaderAnswer
{
    /// <summary>Version of the command's schema. Members may be added without a new one.</summary>
    [JsonPropertyOrder(-4)]
    public int Schema { get; init; } = 1;

    /// <summary>The command that gave the answer; filled in when it is written.</summary>
    [JsonPropertyOrder(-3)]
    public string Command { get; init; } = "";

    /// <summary>The dump as the user named it; filled in when it is written.</summary>
    [JsonPropertyOrder(-2)]
    public string File { get; init; } = "";
}
