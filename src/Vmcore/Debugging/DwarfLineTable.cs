namespace Vmcore.Debugging;

/// <summary>Addresses of one line of source.</summary>
/// <param name="Start">The first, at link time.</param>
/// <param name="End">The first behind it.</param>
/// <param name="File">Number of the file in the table's header.</param>
/// <param name="Line">Number of the line; 0 if the compiler names none.</param>
internal sealed record DwarfLineRow(ulong Start, ulong End, ulong File, int Line);

/// <summary>The program in .debug_line that says which line each address is of. Source: DWARF 4 and 5, 6.2.</summary>
internal static class DwarfLineTable
{
    /// <summary>Runs the program of a unit.</summary>
    /// <param name="sections">The sections.</param>
    /// <param name="unit">The unit.</param>
    /// <returns>The rows by ascending address; none if the unit has no table.</returns>
    /// <exception cref="DwarfException">It is damaged, or larger than <c>ReadLimits</c> allows.</exception>
    internal static DwarfLineRow[] Read(DwarfSections sections, DwarfUnit unit)
    {
        if (sections.Lines is not { } lines || unit.StatementList is not (>= 0 and var start) || start >= lines.Length)
            return [];
        byte[] head = new byte[Math.Min(lines.Length - start, 12)];
        lines.Read(start, head);
        var cursor = new DwarfCursor(head, 0);
        ulong length = cursor.UInt32();
        bool is64 = length == 0xffff_ffff;
        if (is64)
            length = cursor.UInt64();
        long first = start + cursor.At;
        if (length > (ulong)(lines.Length - first) || length > (ulong)sections.Limits.LineTableBytes)
            throw new DwarfException($"a line table of {length} bytes");
        byte[] bytes = new byte[length];
        lines.Read(first, bytes);
        return Run(bytes, is64, sections.Limits.LineRows);
    }

    private static DwarfLineRow[] Run(byte[] bytes, bool is64, int most)
    {
        var cursor = new DwarfCursor(bytes, 0);
        int version = cursor.UInt16();
        if (version is < 2 or > 5)
            throw new DwarfException($"a line table of version {version}");
        int addressSize = 8;
        if (version >= 5)
        {
            addressSize = cursor.Byte();
            cursor.Skip(1);
        }

        ulong header = cursor.Offset(is64);
        int program = header > (ulong)(bytes.Length - cursor.At) ? throw new DwarfException("the head of a line table") : cursor.At + (int)header;
        byte unit = cursor.Byte();
        if (version >= 4)
            cursor.Skip(1); // Operations of an instruction: none of our machines has several.
        cursor.Skip(1);
        sbyte lineBase = (sbyte)cursor.Byte();
        byte lineRange = cursor.Byte(), opcodeBase = cursor.Byte();
        if (lineRange == 0 || opcodeBase == 0)
            throw new DwarfException("the head of a line table");
        byte[] operands = cursor.Take((ulong)(opcodeBase - 1)).ToArray();
        var rows = new Rows(most);
        cursor = new(bytes, program);
        while (!cursor.IsAtEnd)
        {
            byte opcode = cursor.Byte();
            if (opcode >= opcodeBase)
            {
                int special = opcode - opcodeBase;
                rows.Address = unchecked(rows.Address + ((ulong)(special / lineRange) * unit));
                rows.Line = unchecked(rows.Line + lineBase + (special % lineRange));
                rows.Add();
                continue;
            }

            switch (opcode)
            {
                case 0: Extended(ref cursor, rows, addressSize); break;
                case 1: rows.Add(); break;
                case 2: rows.Address = unchecked(rows.Address + (cursor.Uleb() * unit)); break;
                case 3: rows.Line = unchecked(rows.Line + (int)cursor.Sleb()); break;
                case 4: rows.File = cursor.Uleb(); break;
                case 8: rows.Address = unchecked(rows.Address + ((ulong)((255 - opcodeBase) / lineRange) * unit)); break;
                case 9: rows.Address = unchecked(rows.Address + cursor.UInt16()); break;
                default:
                    for (int i = 0; i < operands[opcode - 1]; i++)
                        cursor.Uleb();
                    break;
            }
        }

        return rows.Sorted();
    }

    private static void Extended(ref DwarfCursor cursor, Rows rows, int addressSize)
    {
        ulong length = cursor.Uleb();
        ReadOnlySpan<byte> bytes = cursor.Take(length);
        if (bytes.IsEmpty)
            return;
        switch (bytes[0])
        {
            case 1:
                rows.End();
                break;
            case 2:
                var inner = new DwarfCursor(bytes, 1);
                rows.Address = inner.Unsigned(Math.Min(bytes.Length - 1, Math.Min(addressSize, 8)));
                break;
        }
    }

    /// <summary>The registers of the program, and the rows that it made.</summary>
    private sealed class Rows(int most)
    {
        private readonly List<DwarfLineRow> _rows = [];
        private ulong _start;
        private ulong _file;
        private int _line;
        private bool _isOpen;

        internal ulong Address { get; set; }

        internal ulong File { get; set; } = 1;

        internal int Line { get; set; } = 1;

        // A row goes on to the next one; of several at one address the last counts.
        internal void Add()
        {
            Close();
            (_start, _file, _line, _isOpen) = (Address, File, Line, true);
        }

        internal void End()
        {
            Close();
            (Address, File, Line, _isOpen) = (0, 1, 1, false);
        }

        internal DwarfLineRow[] Sorted() => [.. _rows.OrderBy(static r => r.Start)];

        private void Close()
        {
            if (!_isOpen || Address <= _start)
                return;
            if (_rows.Count >= most)
                throw new DwarfException($"a line table of more than {most} rows");
            if (_rows.Count > 0 && _rows[^1] is var last && last.End == _start && last.File == _file && last.Line == _line)
                _rows[^1] = last with { End = Address };
            else
                _rows.Add(new(_start, Address, _file, _line));
        }
    }
}
