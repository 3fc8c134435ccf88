using System.Text;

namespace Vmcore.Kdump.Configuration;

/// <summary>The configuration's file: a line is a key, an equals sign and a value; <c>#</c> begins a line that is a comment.</summary>
internal static class ConfigurationFile
{
    /// <summary>Where it is.</summary>
    internal const string Path = "/etc/vmcore/kdump.conf";

    /// <summary>The longest file that is read, in bytes.</summary>
    internal const int Limit = 1 << 16;

    /// <summary>Reads the text of a file.</summary>
    /// <param name="text">The text; empty for all defaults.</param>
    /// <param name="file">Its name, for messages.</param>
    /// <exception cref="KdumpException">A key is unknown or stands twice, or a value is none; names file, line, what was found, what is expected.</exception>
    internal static KdumpConfiguration Parse(string text, string file)
    {
        if (text.Length > Limit)
            throw new KdumpException($"{file}: found more than {Limit >> 10} KiB, expected a configuration of a few lines");
        var configuration = new KdumpConfiguration();
        var lines = new Dictionary<string, int>(StringComparer.Ordinal);
        string[] rows = text.Split('\n');
        for (int i = 0; i < rows.Length; i++)
        {
            string line = rows[i].Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            string place = $"{file}:{i + 1}";
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw new KdumpException($"{place}: found '{line}', expected KEY = VALUE");
            string name = line[..equals].TrimEnd(), value = line[(equals + 1)..].TrimStart();
            ConfigurationKey key = ConfigurationKey.All.FirstOrDefault(k => k.Name == name)
                ?? throw new KdumpException($"{place}: found the key '{name}', "
                    + $"expected one of {string.Join(", ", ConfigurationKey.All.Select(static k => k.Name))}");
            if (!lines.TryAdd(name, i + 1) && !key.MayRepeat)
                throw new KdumpException($"{place}: found '{name}' for the second time, expected it once: it stands in line {lines[name]} too");
            configuration = key.Apply(configuration, value)
                ?? throw new KdumpException($"{place}: {name}: found '{value}', expected {Advice(key, value)}");
        }

        return configuration;
    }

    /// <summary>A file with every key, its meaning and its default, all of it comments.</summary>
    internal static string Template()
    {
        var text = new StringBuilder("# kdump by vmcore: see vmcore-kdump(8). A key that is not given has the value shown here.\n");
        foreach (ConfigurationKey key in ConfigurationKey.All)
        {
            text.Append('\n');
            foreach (string line in Wrapped(key.Text, 100))
                text.Append("# ").Append(line).Append('\n');
            text.Append('#').Append(key.Name).Append(key.Default.Length == 0 ? " =" : " = ").Append(key.Default).Append('\n');
        }

        return text.ToString();
    }

    private static string Advice(ConfigurationKey key, string value)
    {
        if (key.Name is not ("target" or "fallback"))
            return key.Expected;
        return KdumpTarget.Parse(value, out string advice) is null ? advice : "at most 8 of them";
    }

    private static IEnumerable<string> Wrapped(string text, int columns)
    {
        var line = new StringBuilder();
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > columns)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length == 0 ? "" : " ").Append(word);
        }

        yield return line.ToString();
    }
}
