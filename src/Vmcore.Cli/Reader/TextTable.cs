using System.Text;

namespace Vmcore.Cli.Reader;

/// <summary>Rows of text in aligned columns, with two blanks between them. A trailing column is not padded.</summary>
/// <param name="style">Colours for the heading.</param>
/// <param name="headings">Names of the columns; one that starts with <c>&gt;</c> is aligned to the right.</param>
internal sealed class TextTable(TextStyle style, params string[] headings)
{
    private readonly bool[] _right = Array.ConvertAll(headings, h => h.StartsWith('>'));
    private readonly List<(string[] Cells, Func<string, string>? Paint)> _rows = [];

    /// <summary>Number of rows.</summary>
    internal int Count => _rows.Count;

    /// <summary>Adds a row.</summary>
    /// <param name="cells">One text for each column, without colours.</param>
    internal void Add(params string[] cells) => _rows.Add((cells, null));

    /// <summary>Adds a row in a colour.</summary>
    /// <param name="paint">The colour, for example <see cref="TextStyle.Red"/>.</param>
    /// <param name="cells">One text for each column, without colours.</param>
    internal void AddPainted(Func<string, string> paint, params string[] cells) => _rows.Add((cells, paint));

    /// <summary>The table as text, each line with a newline.</summary>
    public override string ToString()
    {
        string[] names = Array.ConvertAll(headings, h => h.TrimStart('>'));
        int[] widths = Array.ConvertAll(names, n => n.Length);
        foreach ((string[] cells, _) in _rows)
        {
            for (int i = 0; i < widths.Length; i++)
                widths[i] = Math.Max(widths[i], cells[i].Length);
        }

        var text = new StringBuilder();
        Append(names, style.Bold);
        foreach ((string[] cells, Func<string, string>? paint) in _rows)
            Append(cells, paint);
        return text.ToString();

        void Append(string[] cells, Func<string, string>? paint)
        {
            var line = new StringBuilder();
            for (int i = 0; i < widths.Length; i++)
            {
                line.Append(i == 0 ? "" : "  ");
                line.Append(_right[i] ? cells[i].PadLeft(widths[i]) : i == widths.Length - 1 ? cells[i] : cells[i].PadRight(widths[i]));
            }

            string plain = line.ToString().TrimEnd();
            text.Append(paint is null ? plain : paint(plain)).Append('\n');
        }
    }
}
