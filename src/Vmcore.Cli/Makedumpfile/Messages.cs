namespace Vmcore.Cli.Makedumpfile;

/// <summary>Kinds of messages, as the bits of <c>--message-level</c>.</summary>
[Flags]
internal enum MessageKind
{
    /// <summary>The progress line.</summary>
    Progress = 1,

    /// <summary>What everyone wants to know.</summary>
    Common = 2,

    /// <summary>Errors and warnings.</summary>
    Error = 4,

    /// <summary>Details for a bug report.</summary>
    Debug = 8,

    /// <summary>The report at the end.</summary>
    Report = 16,
}

/// <summary>
/// Where messages go: progress and errors to standard error, everything else to standard output, unless the dump goes there.
/// A console that is gone never ends a dump.
/// </summary>
internal sealed class Messages
{
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private bool _isDrawing;

    internal Messages(TextWriter output, TextWriter error)
    {
        _output = output;
        _error = error;
    }

    /// <summary>The kinds that are shown.</summary>
    internal MessageKind Level { get; set; } = MessageKind.Progress | MessageKind.Common | MessageKind.Error;

    /// <summary>True if the dump itself goes to standard output.</summary>
    internal bool OutputTaken { get; set; }

    internal bool Shows(MessageKind kind) => (Level & kind) != 0;

    /// <summary>Ends the line that progress is drawn in, if there is one.</summary>
    internal void EndDrawing()
    {
        if (_isDrawing)
            Write(MessageKind.Progress, "\n");
    }

    /// <summary>Writes what the command was started for: if it cannot be written, the command has failed.</summary>
    /// <exception cref="FileAccessException">Standard output does not take it.</exception>
    internal void Answer(MessageKind kind, string text)
    {
        if (!Shows(kind))
            return;
        EndDrawing();
        try
        {
            _output.Write(text);
            _output.Flush();
        }
        catch (IOException e)
        {
            throw new FileAccessException("STDOUT", $"cannot write: {e.Message}");
        }
    }

    internal void Line(MessageKind kind, string text) => Write(kind, text + "\n");

    internal void Write(MessageKind kind, string text)
    {
        if (!Shows(kind))
            return;
        TextWriter writer = OutputTaken || kind is MessageKind.Progress or MessageKind.Error ? _error : _output;
        // An error does not go on in the line that the progress is drawn in.
        if (_isDrawing && kind != MessageKind.Progress && writer == _error)
            text = "\n" + text;
        if (kind != MessageKind.Progress)
            text = TerminalText.Clean(text);
        if (writer == _error)
            _isDrawing = !text.EndsWith('\n');
        try
        {
            writer.Write(text);
            writer.Flush();
        }
        catch (IOException)
        {
            // See above.
        }
    }
}
