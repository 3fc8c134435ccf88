using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Vmcore.Findings;

namespace Vmcore.Cli.Json;

/// <summary>
/// Writes JSON. A member takes its name from the expression that gives its value, in the answer's style: <c>Put(task.ParentPid)</c> writes
/// <c>"parent_pid"</c>. Null is written as such, unless the answer leaves it out.
/// </summary>
internal sealed class JsonText
{
    private readonly Utf8JsonWriter _writer;
    private readonly JsonNamingPolicy _names;
    private readonly bool _omitsNull;
    private readonly Func<string, string>? _redact;

    // Takes away what was flushed.
    private Action? _drain;

    private JsonText(Utf8JsonWriter writer, JsonNamingPolicy names, bool omitsNull, Func<string, string>? redact)
    {
        _redact = redact;
        _writer = writer;
        _names = names;
        _omitsNull = omitsNull;
    }

    /// <summary>An object as indented UTF-8.</summary>
    /// <param name="item">The object.</param>
    /// <param name="names">The style of the names; null for snake_case.</param>
    /// <param name="omitsNull">True to leave members out that are null.</param>
    /// <param name="redact">Takes out of texts what strangers must not see; addresses and UUIDs are null then. Null to leave all in.</param>
    internal static byte[] Build(IJsonItem item, JsonNamingPolicy? names = null, bool omitsNull = false, Func<string, string>? redact = null)
    {
        using MemoryStream buffer = Buffer(item, names, omitsNull, redact: redact);
        return buffer.ToArray();
    }

    /// <summary>The same as text.</summary>
    /// <inheritdoc cref="Build"/>
    internal static string BuildText(IJsonItem item, JsonNamingPolicy? names = null, bool omitsNull = false)
    {
        using MemoryStream buffer = Buffer(item, names, omitsNull);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>An object as one line, with its newline.</summary>
    /// <param name="item">The object.</param>
    internal static string BuildLine(IJsonItem item)
    {
        using MemoryStream buffer = Buffer(item, names: null, omitsNull: false, indented: false);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    /// <summary>The same into a writer, once all of it is there.</summary>
    /// <param name="item">The object.</param>
    /// <param name="output">Where to.</param>
    internal static void Write(IJsonItem item, TextWriter output)
    {
        using MemoryStream buffer = Buffer(item, names: null, omitsNull: false);
        Drain(buffer, output, Encoding.UTF8.GetDecoder());
    }

    /// <summary>The same piece by piece, as it is made: for what may be large, and is all known before.</summary>
    /// <param name="item">The object.</param>
    /// <param name="output">Where to.</param>
    internal static void WriteAsMade(IJsonItem item, TextWriter output)
    {
        using var buffer = new MemoryStream();
        Decoder decoder = Encoding.UTF8.GetDecoder();
        using (var writer = new Utf8JsonWriter(buffer, new() { Indented = true }))
        {
            var json = new JsonText(writer, JsonNamingPolicy.SnakeCaseLower, omitsNull: false, redact: null)
            {
                _drain = () => Drain(buffer, output, decoder),
            };
            json.Write(item);
        }

        Drain(buffer, output, decoder);
    }

    private static void Drain(MemoryStream buffer, TextWriter output, Decoder decoder)
    {
        const int Piece = 1 << 14;
        char[] text = new char[Piece];
        ReadOnlySpan<byte> left = buffer.GetBuffer().AsSpan(0, (int)buffer.Length);
        while (!left.IsEmpty)
        {
            decoder.Convert(left, text, flush: false, out int used, out int written, out _);
            output.Write(text, 0, written);
            left = left[used..];
        }

        buffer.SetLength(0);
    }

    private static MemoryStream Buffer(IJsonItem item, JsonNamingPolicy? names, bool omitsNull, bool indented = true, Func<string, string>? redact = null)
    {
        var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new() { Indented = indented }))
            new JsonText(writer, names ?? JsonNamingPolicy.SnakeCaseLower, omitsNull, redact).Write(item);
        return buffer;
    }

    internal void Put(string? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            _writer.WriteStringValue(Redacted(value));
    }

    internal void Put(char value, [CallerArgumentExpression(nameof(value))] string name = "") => Put(value.ToString(), name);

    internal void Put(Guid? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null || _redact is not null))
            _writer.WriteStringValue(value!.Value);
    }

    internal void Put(bool? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            _writer.WriteBooleanValue(value!.Value);
    }

    internal void Put(long? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            _writer.WriteNumberValue(value!.Value);
    }

    internal void Put(ulong? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            _writer.WriteNumberValue(value!.Value);
    }

    internal void Put(double? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            _writer.WriteNumberValue(value!.Value);
    }

    /// <summary>An address: as text, <c>"0x…"</c>, since many readers of JSON keep only 53 bits of a number.</summary>
    internal void PutAddress(ulong? value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        Put(value is { } address && _redact is null ? "0x" + address.ToString("x", CultureInfo.InvariantCulture) : null, name);

    /// <summary>Bytes, in base 64.</summary>
    internal void PutBytes(ReadOnlySpan<byte> value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        Begin(name, isNull: false);
        _writer.WriteBase64StringValue(value);
    }

    internal void Put(IJsonItem? value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (Begin(name, value is null))
            Write(value!);
    }

    internal void Put(IReadOnlyList<IJsonItem>? value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        Put(value, static (json, item) => item.Write(json), name);

    /// <summary>A list of objects of the library.</summary>
    /// <param name="value">The list.</param>
    /// <param name="write">Writes the members of one.</param>
    /// <param name="name">The member.</param>
    internal void Put<T>(IReadOnlyList<T>? value, Action<JsonText, T> write, [CallerArgumentExpression(nameof(value))] string name = "")
        where T : class => PutList(value, name, item =>
        {
            _writer.WriteStartObject();
            write(this, item);
            _writer.WriteEndObject();
        });

    internal void Put(IReadOnlyList<string?>? value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        PutList(value, name, item => _writer.WriteStringValue(Redacted(item)));

    /// <summary>Writes findings twice, in one order: their sentences under the name, their codes under the name in the singular and <c>_codes</c>.</summary>
    internal void Put(IReadOnlyList<Finding> value, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        Put([.. value.Select(static f => f.ToString())], name);
        Put([.. value.Select(NameOf)], name.TrimEnd('s') + "Codes");
    }

    /// <summary>The code of a finding as JSON has it; null of none.</summary>
    internal static string? NameOf(Finding? finding) => finding is null ? null : JsonNamingPolicy.SnakeCaseLower.ConvertName(finding.Code.ToString());

    internal void Put(IReadOnlyList<ulong>? value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        PutList(value, name, _writer.WriteNumberValue);

    internal void Put(IReadOnlyList<double>? value, [CallerArgumentExpression(nameof(value))] string name = "") =>
        PutList(value, name, _writer.WriteNumberValue);

    /// <summary>An object with a member for each key, as it is spelled.</summary>
    /// <param name="keys">The keys; null for no object.</param>
    /// <param name="valueOf">Gives the value of a key.</param>
    /// <param name="name">The member.</param>
    internal void Put(IReadOnlyList<string>? keys, Func<string, string> valueOf, string name)
    {
        if (!Begin(name, keys is null))
            return;
        _writer.WriteStartObject();
        foreach (string key in keys!)
            _writer.WriteString(key, Redacted(valueOf(key)));
        _writer.WriteEndObject();
    }

    /// <summary>A member of any form.</summary>
    /// <param name="name">The member.</param>
    /// <param name="write">Writes its value, one.</param>
    internal void Put(string name, Action<Utf8JsonWriter> write)
    {
        _writer.WritePropertyName(name);
        write(_writer);
    }

    private string? Redacted(string? text) => text is null || _redact is null ? text : _redact(text);

    private void PutList<T>(IReadOnlyList<T>? value, string name, Action<T> write)
    {
        if (!Begin(name, value is null))
            return;
        _writer.WriteStartArray();
        for (int i = 0; i < value!.Count; i++)
            write(value[i]);
        _writer.WriteEndArray();
    }

    private void Write(IJsonItem item)
    {
        _writer.WriteStartObject();
        item.Write(this);
        _writer.WriteEndObject();
    }

    // Writes the name, and null if the value is that; true if the value is still to be written.
    private bool Begin(string expression, bool isNull)
    {
        if (isNull && _omitsNull)
            return false;
        // The writer keeps all that was not flushed, and doubles the room for it.
        const int Pending = 1 << 16;
        if (_writer.BytesPending > Pending)
        {
            _writer.Flush();
            _drain?.Invoke();
        }

        _writer.WritePropertyName(_names.ConvertName(expression[(expression.LastIndexOf('.') + 1)..]));
        if (isNull)
            _writer.WriteNullValue();
        return !isNull;
    }
}
