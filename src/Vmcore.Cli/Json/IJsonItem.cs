namespace Vmcore.Cli.Json;

/// <summary>
/// An object of an answer in JSON. The members are written by hand: a serialiser, even a generated one, would be a seventh of the executable.
/// </summary>
internal interface IJsonItem
{
    /// <summary>Writes the members, in the order in which they are documented.</summary>
    /// <param name="json">Where to.</param>
    void Write(JsonText json);
}
