using System.Globalization;
using System.Text;

namespace Vmcore.Kdump.Capture;

/// <summary>What init says: on the console at once, and as a file beside the dump.</summary>
/// <param name="machine">The machine.</param>
internal sealed class CaptureJournal(ICaptureMachine machine)
{
    /// <summary>Name of the file. It is also the mark of a folder that we made: nothing without it is ever deleted.</summary>
    internal const string FileName = "vmcore-kdump.log";

    /// <summary>How the file begins.</summary>
    internal const string Mark = "vmcore kdump capture 1\n";

    private readonly StringBuilder _text = new(Mark);

    /// <summary>Says a line.</summary>
    internal void Say(string line)
    {
        machine.Say(line);
        _text.Append(CultureInfo.InvariantCulture, $"[{machine.Uptime.TotalSeconds,8:F1}] {line}\n");
    }

    /// <summary>Writes all that was said into a folder.</summary>
    internal void Save(string folder)
    {
        using var stream = new FileStream(Path.Combine(folder, FileName), FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        stream.Write(Encoding.UTF8.GetBytes(_text.ToString()));
        stream.Flush(flushToDisk: true);
    }
}
