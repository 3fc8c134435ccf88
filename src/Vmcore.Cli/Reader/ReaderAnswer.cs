using Vmcore.Cli.Json;
using Vmcore.Findings;

namespace Vmcore.Cli.Reader;

/// <summary>
/// What every answer of a reading command has with <c>--json</c>. Addresses are text (<c>"0x…"</c>), pfns and sizes numbers, ranges half-open,
/// names in snake_case; what is not known is null.
/// </summary>
internal abstract record ReaderAnswer : IJsonItem
{
    /// <summary>Version of the command's schema. Members may be added without a new one.</summary>
    public int Schema { get; init; } = 1;

    /// <summary>The command that gave the answer; filled in when it is written.</summary>
    public string Command { get; init; } = "";

    /// <summary>The dump as the user named it, of a split dump the first file; filled in when it is written.</summary>
    public string File { get; init; } = "";

    /// <summary>The files of a split dump; null, and left out, for a dump of one file.</summary>
    public IReadOnlyList<string>? Parts { get; init; }

    /// <summary>What is missing of the answer; filled in when it is written, and asked last: what cannot be read, or is too much, may come out
    /// only then.</summary>
    public Func<IReadOnlyList<Finding>> GapsOf { get; init; } = static () => [];

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Schema);
        json.Put(Command);
        json.Put(File);
        if (Parts is not null)
            json.Put(Parts);
        WriteMembers(json);
        json.Put(GapsOf(), "gaps");
    }

    /// <summary>Writes the members that the command adds.</summary>
    /// <param name="json">Where to.</param>
    protected abstract void WriteMembers(JsonText json);
}
