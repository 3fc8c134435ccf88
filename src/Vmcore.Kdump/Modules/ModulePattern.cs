namespace Vmcore.Kdump.Modules;

/// <summary>Patterns of modules.alias, as fnmatch(3) reads them: <c>*</c>, <c>?</c> and <c>[a-z]</c>.</summary>
internal static class ModulePattern
{
    /// <summary>True if a device's alias fits a pattern.</summary>
    internal static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0, t = 0, star = -1, mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && One(pattern, p, text[t], out int next))
            {
                p = next;
                t++;
            }
            else if (star >= 0)
            {
                // The last star takes one character more. Earlier ones never need to.
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }

    private static bool One(ReadOnlySpan<char> pattern, int at, char c, out int next)
    {
        next = at + 1;
        int close = pattern[at] == '[' ? pattern[at..].IndexOf(']') : -1;
        if (close < 0)
            return pattern[at] == '?' || pattern[at] == c;
        next = at + close + 1;
        ReadOnlySpan<char> set = pattern.Slice(at + 1, close - 1);
        for (int i = 0; i < set.Length; i++)
        {
            if (i + 2 < set.Length && set[i + 1] == '-')
            {
                if (c >= set[i] && c <= set[i + 2])
                    return true;
                i += 2;
            }
            else if (set[i] == c)
            {
                return true;
            }
        }

        return false;
    }
}
