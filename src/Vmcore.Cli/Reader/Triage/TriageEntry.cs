using System.Text.Json;
using Vmcore.Cli.Json;

namespace Vmcore.Cli.Reader.Triage;

/// <summary>What of one dump counts for its group: just read, or out of a line that an earlier run wrote.</summary>
internal sealed record TriageEntry
{
    public string File { get; init; } = "";

    /// <summary>Empty if the line has none.</summary>
    public string Signature { get; init; } = "";

    public bool IsPartial { get; init; }

    public string Digest { get; init; } = "";

    public string Title { get; init; } = "";

    public string Kind { get; init; } = "";

    public string? Module { get; init; }

    public IReadOnlyList<string> Frames { get; init; } = [];

    /// <summary>Seconds since 1970; null if it is not known.</summary>
    public long? Time { get; init; }

    public string? Release { get; init; }

    /// <summary>Why the file could not be read; null for a dump.</summary>
    public string? Error { get; init; }

    /// <summary>Reads the object of one dump: a line of <c>triage --json</c>, or the answer of a command that tells the same in a member
    /// <c>cause</c>.</summary>
    /// <param name="reader">Stands on the object.</param>
    /// <exception cref="JsonException">It is none.</exception>
    internal static TriageEntry Read(ref Utf8JsonReader reader)
    {
        var entry = new TriageEntry();
        bool isGroup = false;
        Members(ref reader, ref entry, ref isGroup);
        return isGroup ? new() : entry;
    }

    private static void Members(ref Utf8JsonReader reader, ref TriageEntry entry, ref bool isGroup)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString() ?? "";
            reader.Read();
            switch (name)
            {
                case "cause" when reader.TokenType == JsonTokenType.StartObject:
                    Members(ref reader, ref entry, ref isGroup);
                    break;
                case "frames" when reader.TokenType == JsonTokenType.StartArray:
                    entry = entry with { Frames = Strings(ref reader) };
                    break;
                case "crash_time" when reader.TokenType == JsonTokenType.Number:
                    entry = entry with { Time = reader.TryGetInt64(out long time) ? time : null };
                    break;
                case "signature_partial":
                    entry = entry with { IsPartial = reader.TokenType == JsonTokenType.True };
                    break;
                default:
                    if (reader.TokenType == JsonTokenType.String)
                        (entry, isGroup) = (entry.With(name, reader.GetString() ?? ""), isGroup || (name == "line" && reader.ValueTextEquals("group")));
                    else
                        reader.Skip();
                    break;
            }
        }
    }

    private TriageEntry With(string name, string value) => name switch
    {
        "file" => this with { File = value },
        "signature" => this with { Signature = value },
        "digest" => this with { Digest = value },
        "title" => this with { Title = value },
        "kind" => this with { Kind = value },
        "suspected_module" => this with { Module = value },
        "release" => this with { Release = value },
        "error" => this with { Error = value },
        _ => this,
    };

    private static List<string> Strings(ref Utf8JsonReader reader)
    {
        List<string> values = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.String)
                values.Add(reader.GetString() ?? "");
            else
                reader.Skip();
        }

        return values;
    }
}

/// <summary>A line of <c>vmcore triage --json</c> on a dump; of a file that is none, <see cref="Error"/> says why.</summary>
internal sealed record TriageLine(string Line, string File, CauseInfo? Cause, string? Error) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1, "schema");
        json.Put("triage", "command");
        json.Put(Line);
        json.Put(File);
        if (Error is not null)
            json.Put(Error);
        Cause?.Write(json);
    }
}
