using System.Text;

namespace Vmcore.Debugging;

/// <summary>The file names in the headers of .debug_line: where something is declared.</summary>
internal static class DwarfLineFiles
{
    private const ulong ContentPath = 1;
    private const ulong ContentDirectory = 2;

    /// <summary>The file with a number; null if the table does not have it.</summary>
    internal static string? Find(DwarfSections sections, DwarfUnit unit, ulong number)
    {
        if (sections.Lines is not { } lines || unit.StatementList is not (>= 0) || unit.StatementList >= lines.Length
            || number >= (ulong)sections.Limits.LineFileNames)
            return null;
        byte[] bytes = new byte[Math.Min(lines.Length - unit.StatementList.Value, sections.Limits.LineHeaderBytes)];
        try
        {
            lines.Read(unit.StatementList.Value, bytes);
            return Find(bytes, unit, (int)number, sections.Limits.LineFileNames);
        }
        catch (DwarfException)
        {
            return null;
        }
    }

    private static string? Find(byte[] bytes, DwarfUnit unit, int number, int most)
    {
        var cursor = new DwarfCursor(bytes, 0);
        bool is64 = cursor.UInt32() == 0xffff_ffff;
        if (is64)
            cursor.Skip(8);
        int version = cursor.UInt16();
        if (version is < 2 or > 5)
            return null;
        if (version >= 5)
            cursor.Skip(2);
        cursor.Offset(is64);
        cursor.Skip(version >= 4 ? 5UL : 4); // Instruction lengths, is_stmt, line base and range.
        int opcodes = cursor.Byte();
        cursor.Skip((ulong)Math.Max(0, opcodes - 1));
        return version >= 5 ? FindInTables(ref cursor, unit, is64, number, most) : FindInLists(ref cursor, number, most);
    }

    private static string? FindInTables(ref DwarfCursor cursor, DwarfUnit unit, bool is64, int number, int most)
    {
        List<(string Path, int Directory)> directories = ReadTable(ref cursor, unit, is64, most), files = ReadTable(ref cursor, unit, is64, most);
        if (number >= files.Count)
            return null;
        (string path, int directory) = files[number];
        return Join(directory > 0 && directory < directories.Count ? directories[directory].Path : "", path);
    }

    private static List<(string Path, int Directory)> ReadTable(ref DwarfCursor cursor, DwarfUnit unit, bool is64, int most)
    {
        int formats = cursor.Byte();
        var format = new (ulong Content, ushort Form)[formats];
        for (int i = 0; i < formats; i++)
            format[i] = (cursor.Uleb(), (ushort)Math.Min(cursor.Uleb(), ushort.MaxValue));
        ulong count = cursor.Uleb();
        List<(string, int)> result = [];
        for (ulong i = 0; i < Math.Min(count, (ulong)most); i++)
        {
            string path = "";
            int directory = 0;
            foreach ((ulong content, ushort form) in format)
            {
                if (content == ContentPath && form is DwarfForm.LineStrp or DwarfForm.Strp)
                    path = Encoding.UTF8.GetString(
                        unit.TextOf(new(form == DwarfForm.Strp ? DwarfTextPlace.Strings : DwarfTextPlace.LineStrings, (long)cursor.Offset(is64))));
                else if (content == ContentPath && form == DwarfForm.String)
                    path = Encoding.UTF8.GetString(cursor.CString());
                else if (content == ContentDirectory && form is DwarfForm.Data1 or DwarfForm.Data2 or DwarfForm.Udata)
                    directory = (int)Math.Min(form == DwarfForm.Udata ? cursor.Uleb() : cursor.Unsigned(form == DwarfForm.Data1 ? 1 : 2), (ulong)most);
                else
                    DwarfForms.Skip(ref cursor, unit.Header, form);
            }

            result.Add((path, directory));
        }

        return result;
    }

    private static string? FindInLists(ref DwarfCursor cursor, int number, int most)
    {
        List<string> directories = [""];
        while (directories.Count < most && cursor.CString() is { IsEmpty: false } name)
            directories.Add(Encoding.UTF8.GetString(name));
        for (int i = 1; i < most && cursor.CString() is { IsEmpty: false } name; i++)
        {
            ulong directory = cursor.Uleb();
            cursor.Uleb();
            cursor.Uleb();
            if (i == number)
                return Join(directory < (ulong)directories.Count ? directories[(int)directory] : "", Encoding.UTF8.GetString(name));
        }

        return null;
    }

    private static string Join(string directory, string path) => directory.Length == 0 || path.StartsWith('/') ? path : directory + "/" + path;
}
