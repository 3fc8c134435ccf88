using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vmcore.Cli.Info;

/// <summary>Writes an address as text, <c>"0x…"</c>: many readers of JSON keep only 53 bits of a number.</summary>
internal sealed class AddressConverter : JsonConverter<ulong>
{
    /// <inheritdoc/>
    public override ulong Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetString() is ['0', 'x', .. string digits] && ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            ? value : throw new JsonException("expected an address as \"0x…\"");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, ulong value, JsonSerializerOptions options) =>
        writer.WriteStringValue("0x" + value.ToString("x", CultureInfo.InvariantCulture));
}
