using System.Text;
using System.Text.Json;

namespace Vmcore.Cli.Json;

/// <summary>A text that becomes one JSON string, piece by piece: what is large is not held twice. To be closed by <see cref="TextWriter.Dispose()"/>.</summary>
internal sealed class JsonStringWriter(Utf8JsonWriter writer) : TextWriter(System.Globalization.CultureInfo.InvariantCulture)
{
    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void Write(char value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer) => writer.WriteStringValueSegment(buffer, isFinalSegment: false);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            writer.WriteStringValueSegment(default(ReadOnlySpan<char>), isFinalSegment: true);
        base.Dispose(disposing);
    }
}
