using System.Globalization;
using System.Text;

namespace Vmcore.Kernel.Log;

/// <summary>How messages become text.</summary>
public sealed record LogTextStyle
{
    /// <summary>As makedumpfile writes them: the further lines of a message are indented, messages without text are left out.</summary>
    public static LogTextStyle Makedumpfile { get; } = new() { IndentLines = true };

    /// <summary>As vmcore-dmesg writes them: each message as it is.</summary>
    public static LogTextStyle VmcoreDmesg { get; } = new() { ShowDataless = true };

    /// <summary>True to indent the second and later lines of a message by the width of what precedes the first.</summary>
    public bool IndentLines { get; init; }

    /// <summary>True to show a line for messages whose text did not fit into the log.</summary>
    public bool ShowDataless { get; init; }

    /// <summary>True to show who logged: <c>[    T123]</c> a task, <c>[      C4]</c> a CPU.</summary>
    public bool ShowCaller { get; init; }
}

/// <summary>Writes messages as text: <c>[    1.234567] text</c>. Bytes that are neither printable ASCII nor white space become <c>\x1b</c>.</summary>
public sealed class LogTextWriter
{
    private const int CallerWidth = 8;
    private const int FlushBytes = 1 << 16;

    private readonly Stream _stream;
    private readonly LogTextStyle _style;
    private readonly MemoryStream _line = new();

    /// <summary>Creates a writer.</summary>
    /// <param name="stream">Where to write; the caller disposes of it.</param>
    /// <param name="style">The style.</param>
    public LogTextWriter(Stream stream, LogTextStyle style)
    {
        _stream = stream;
        _style = style;
    }

    /// <summary>Bytes written or held so far.</summary>
    public long Length { get; private set; }

    /// <summary>Writes a message.</summary>
    public void Write(in LogRecord record)
    {
        if (record.IsDataless && !_style.ShowDataless)
            return;
        long before = _line.Length;
        int indent = record.Timestamp is { } time ? Prefix(time, _style.ShowCaller ? record.CallerId : null) : -1;
        foreach (byte b in record.Text.Span)
        {
            if (b == '\n' && _style.IndentLines && indent >= 0)
            {
                _line.WriteByte(b);
                for (int i = 0; i < indent; i++)
                    _line.WriteByte((byte)' ');
            }
            else if (indent < 0 || b is >= 0x20 and < 0x7f or >= (byte)'\t' and <= (byte)'\r')
            {
                // A log of plain text is written as it is: it was never anything else.
                _line.WriteByte(b);
            }
            else
            {
                _line.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\\x{b:x2}")));
            }
        }

        if (!record.IsUnterminated)
            _line.WriteByte((byte)'\n');
        Length += _line.Length - before;
        if (_line.Length >= FlushBytes)
            Flush();
    }

    /// <summary>Writes what is held back.</summary>
    /// <exception cref="IOException">The stream refused.</exception>
    public void Flush()
    {
        if (_line.Length == 0)
            return;
        _stream.Write(_line.GetBuffer(), 0, (int)_line.Length);
        _line.SetLength(0);
        _stream.Flush();
    }

    private int Prefix(ulong nanoseconds, uint? caller)
    {
        const ulong Second = 1_000_000_000;
        string text = string.Create(CultureInfo.InvariantCulture, $"[{nanoseconds / Second,5}.{nanoseconds % Second / 1000:000000}] ");
        if (caller is { } id)
        {
            string who = string.Create(CultureInfo.InvariantCulture, $"{((id & LogRecord.CallerIsCpu) != 0 ? 'C' : 'T')}{id & ~LogRecord.CallerIsCpu}");
            text += $"[{who.PadLeft(CallerWidth)}] ";
        }

        _line.Write(Encoding.ASCII.GetBytes(text));
        return text.Length;
    }
}
