using System.Text;

namespace Vmcore.Cli.Reader.Exec;

/// <summary>
/// Takes indented JSON and holds it as one line. Strings of JSON have no newline in them, so what follows one is indentation.
/// </summary>
internal sealed class OneLineWriter() : TextWriter(System.Globalization.CultureInfo.InvariantCulture)
{
    private const int Kept = 1 << 16;

    private StringBuilder _text = new();
    private bool _isIndented;

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <summary>True if nothing was written.</summary>
    internal bool IsEmpty => _text.Length == 0;

    /// <inheritdoc/>
    public override void Write(char value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer)
    {
        while (!buffer.IsEmpty)
        {
            if (_isIndented)
                buffer = buffer.TrimStart(' ');
            int end = buffer.IndexOf('\n');
            _text.Append(end < 0 ? buffer : buffer[..end]);
            _isIndented = end >= 0 || (_isIndented && buffer.IsEmpty);
            buffer = end < 0 ? [] : buffer[(end + 1)..];
        }
    }

    /// <summary>Writes the line somewhere else.</summary>
    internal void CopyTo(TextWriter output) => output.Write(_text);

    /// <summary>Forgets it, and the room for it if that was much.</summary>
    internal void Clear()
    {
        if (_text.Capacity > Kept)
            _text = new();
        _text.Clear();
        _isIndented = false;
    }
}
