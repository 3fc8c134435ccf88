using System.Text.Json;
using Vmcore.Cli.Json;
using Vmcore.Verification;

namespace Vmcore.Cli.Reader;

/// <summary>A manifest as JSON: what <c>makedumpfile --manifest</c> writes and <c>vmcore verify --manifest</c> reads.</summary>
internal static class ManifestText
{
    /// <summary>A manifest as UTF-8.</summary>
    internal static byte[] Build(DumpManifest manifest) => JsonText.Build(new Item(manifest));

    /// <summary>Reads one. Members that are not known are skipped.</summary>
    /// <param name="utf8">The text.</param>
    /// <exception cref="JsonException">It is no JSON, or a member has another type; the message says which.</exception>
    internal static DumpManifest Parse(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        try
        {
            reader.Read();
            DumpManifest manifest = ReadManifest(ref reader);
            // What follows the object is an error.
            reader.Read();
            return manifest;
        }
        catch (JsonException e) when (e.LineNumber is { } line)
        {
            throw new JsonException($"no JSON in line {line + 1}", e);
        }
    }

    private static DumpManifest ReadManifest(ref Utf8JsonReader reader)
    {
        var manifest = new DumpManifest { Ranges = null! };
        Expect(ref reader, JsonTokenType.StartObject, "the manifest", "an object");
        while (Next(ref reader, out string name))
        {
            switch (name)
            {
                case "schema": manifest = manifest with { Schema = Int(ref reader, name) }; break;
                case "file": manifest = manifest with { File = Text(ref reader, name) }; break;
                case "size": manifest = manifest with { Size = Long(ref reader, name) }; break;
                case "sha256": manifest = manifest with { Sha256 = Text(ref reader, name)! }; break;
                case "release": manifest = manifest with { Release = Text(ref reader, name) }; break;
                case "crash_time": manifest = manifest with { CrashTime = reader.TokenType == JsonTokenType.Null ? null : Long(ref reader, name) }; break;
                case "dump_level": manifest = manifest with { DumpLevel = reader.TokenType == JsonTokenType.Null ? null : Int(ref reader, name) }; break;
                case "ranges": manifest = manifest with { Ranges = Ranges(ref reader) }; break;
                case "parts": manifest = manifest with { Parts = Parts(ref reader) }; break;
                default: reader.Skip(); break;
            }
        }

        return manifest;
    }

    private static List<ManifestFile> Parts(ref Utf8JsonReader reader)
    {
        List<ManifestFile> parts = [];
        Expect(ref reader, JsonTokenType.StartArray, "parts", "a list");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var part = new ManifestFile { Sha256 = null!, Ranges = null! };
            Expect(ref reader, JsonTokenType.StartObject, "a part", "an object");
            while (Next(ref reader, out string name))
            {
                switch (name)
                {
                    case "file": part = part with { File = Text(ref reader, name) ?? "" }; break;
                    case "size": part = part with { Size = Long(ref reader, name) }; break;
                    case "sha256": part = part with { Sha256 = Text(ref reader, name)! }; break;
                    case "ranges": part = part with { Ranges = Ranges(ref reader) }; break;
                    default: reader.Skip(); break;
                }
            }

            parts.Add(part);
        }

        return parts;
    }

    private static List<ManifestRange> Ranges(ref Utf8JsonReader reader)
    {
        List<ManifestRange> ranges = [];
        Expect(ref reader, JsonTokenType.StartArray, "ranges", "a list");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            long offset = 0, length = 0;
            string? sha256 = null;
            Expect(ref reader, JsonTokenType.StartObject, "a range", "an object");
            while (Next(ref reader, out string name))
            {
                switch (name)
                {
                    case "offset": offset = Long(ref reader, name); break;
                    case "length": length = Long(ref reader, name); break;
                    case "sha256": sha256 = Text(ref reader, name); break;
                    default: reader.Skip(); break;
                }
            }

            ranges.Add(new(offset, length, sha256!));
        }

        return ranges;
    }

    // Goes to the value of the next member; false at the end of the object.
    private static bool Next(ref Utf8JsonReader reader, out string name)
    {
        name = "";
        if (!reader.Read() || reader.TokenType == JsonTokenType.EndObject)
            return false;
        name = Unescaped(ref reader, "the name of a member")!;
        return reader.Read();
    }

    private static int Int(ref Utf8JsonReader reader, string name)
    {
        long value = Long(ref reader, name);
        return value is >= int.MinValue and <= int.MaxValue ? (int)value : throw new JsonException($"{name}: {value}, expected a smaller number");
    }

    private static long Long(ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.Number, name, "a number");
        return reader.TryGetInt64(out long value) ? value : throw new JsonException($"{name}: a number that is not whole or too large");
    }

    private static string? Text(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        Expect(ref reader, JsonTokenType.String, name, "text");
        return Unescaped(ref reader, name);
    }

    // The reader checks UTF-8 only when it is asked for the text.
    private static string? Unescaped(ref Utf8JsonReader reader, string what)
    {
        try
        {
            return reader.GetString();
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException($"{what}: text that is no UTF-8", e);
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type, string what, string expected)
    {
        if (reader.TokenType != type)
            throw new JsonException($"{what}: {Word(reader.TokenType)}, expected {expected}");
    }

    private static string Word(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        JsonTokenType.True or JsonTokenType.False => "true or false",
        _ => "null",
    };

    private sealed class Item(DumpManifest manifest) : IJsonItem
    {
        public void Write(JsonText json)
        {
            json.Put(manifest.Schema);
            json.Put(manifest.File);
            json.Put(manifest.Size);
            json.Put(manifest.Sha256);
            json.Put(manifest.Release);
            json.Put(manifest.CrashTime);
            json.Put(manifest.DumpLevel);
            Put(json, manifest.Ranges);
            if (manifest.Parts is not { } parts)
                return;
            json.Put(
                parts,
                static (json, part) =>
                {
                    json.Put(part.File);
                    json.Put(part.Size);
                    json.Put(part.Sha256);
                    Put(json, part.Ranges);
                });
        }

        private static void Put(JsonText json, IReadOnlyList<ManifestRange> ranges) => json.Put(
            ranges,
            static (json, range) =>
            {
                json.Put(range.Offset);
                json.Put(range.Length);
                json.Put(range.Sha256);
            });
    }
}
