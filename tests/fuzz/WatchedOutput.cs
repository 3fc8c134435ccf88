using System.Text;
using Vmcore.Testing;

namespace Vmcore.Fuzz;

/// <summary>
/// Takes the place of the console: looks for user data of pmem, for control characters that would reach a terminal, for internal errors, and at the amount.
/// </summary>
internal sealed class WatchedOutput(bool isError, bool looksForUserData) : TextWriter(System.Globalization.CultureInfo.InvariantCulture)
{
    private const long Most = 256L << 20;

    private readonly StringBuilder _tail = new();
    private long _length;

    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void Write(char value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer)
    {
        _length += buffer.Length;
        if (_length > Most)
            throw new FuzzException($"more than {Most} characters of output");
        foreach (char c in buffer)
        {
            if (c < ' ' && c is not ('\n' or '\t' or '\r') || c is >= '\u007f' and < '\u00a0')
                throw new FuzzException($"a control character (0x{(int)c:x2}) on {(isError ? "standard error" : "standard output")}");
        }

        // The canary may be cut by two writes.
        _tail.Append(buffer);
        if (_tail.Length > 4096 || buffer.Contains('\n'))
            Check(keep: 64);
    }

    /// <summary>Looks at what is left.</summary>
    internal void Check() => Check(keep: 0);

    private void Check(int keep)
    {
        string text = _tail.ToString();
        foreach (string mark in looksForUserData ? (ReadOnlySpan<string>)[PageText.PmemCanary, PageText.PmemStale] : [])
        {
            if (text.Contains(mark, StringComparison.Ordinal))
                throw new FuzzException($"user data of pmem in the output: {mark}");
        }

        if (text.Contains("internal error", StringComparison.Ordinal))
            throw new FuzzException($"an internal error: {text.Trim()}");
        _tail.Remove(0, Math.Max(0, _tail.Length - keep));
    }
}
