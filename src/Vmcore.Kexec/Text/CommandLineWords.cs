namespace Vmcore.Kexec;

/// <summary>A kernel command line as the kernel takes it apart: words between blanks, where double quotes hide blanks.</summary>
internal static class CommandLineWords
{
    /// <summary>The words, quotes left in them.</summary>
    public static List<string> Split(string line)
    {
        List<string> words = [];
        int start = -1;
        bool quoted = false;
        for (int i = 0; i <= line.Length; i++)
        {
            bool ends = i == line.Length || (!quoted && char.IsWhiteSpace(line[i]));
            if (!ends && start < 0)
                start = i;
            if (!ends && line[i] == '"')
                quoted = !quoted;
            if (ends && start >= 0)
            {
                words.Add(line[start..i]);
                start = -1;
            }
        }

        return words;
    }

    /// <summary>True if the word sets the parameter; the kernel takes dash and underscore for the same.</summary>
    public static bool Is(string word, string parameter)
    {
        ReadOnlySpan<char> name = word.AsSpan().Trim('"');
        int equals = name.IndexOf('=');
        name = equals < 0 ? name : name[..equals];
        if (name.Length != parameter.Length)
            return false;
        for (int i = 0; i < name.Length; i++)
        {
            if ((name[i] == '-' ? '_' : name[i]) != (parameter[i] == '-' ? '_' : parameter[i]))
                return false;
        }

        return true;
    }

    /// <summary>What stands behind the equals sign, without quotes; empty if there is none.</summary>
    public static string Value(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? "" : word[(equals + 1)..].Trim('"');
    }
}
