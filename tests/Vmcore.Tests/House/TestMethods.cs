using System.Text.RegularExpressions;

namespace Vmcore.Tests.House;

/// <summary>A method of the tests.</summary>
/// <param name="File">The file that it is in.</param>
/// <param name="Name">Its name.</param>
/// <param name="Body">What it does.</param>
/// <param name="IsTest">Whether it is a test, and no helper.</param>
internal sealed record TestMethod(string File, string Name, string Body, bool IsTest);

/// <summary>The methods of the tests, read from their sources.</summary>
internal static partial class TestMethods
{
    /// <summary>The tests of a file.</summary>
    internal static IEnumerable<TestMethod> Of(SourceFile file) => Methods(file).Where(static m => m.IsTest);

    /// <summary>
    /// The tests that name no assertion, and call no method of the tests that leads to one. Methods are told apart by their names only, so a test may be
    /// passed over, but none is blamed wrongly.
    /// </summary>
    internal static IEnumerable<TestMethod> WithoutAssertion()
    {
        TestMethod[] all = [.. SourceFile.All.Where(static f => f.Path.StartsWith("tests/", StringComparison.Ordinal)).SelectMany(Methods)];
        HashSet<string> asserting = [.. all.Where(static m => Assertion().IsMatch(m.Body)).Select(static m => m.Name)];
        int before;
        do
        {
            before = asserting.Count;
            asserting.UnionWith(all.Where(m => Called().Matches(m.Body).Any(c => asserting.Contains(c.Value))).Select(static m => m.Name));
        }
        while (asserting.Count > before);
        return all.Where(m => m.IsTest && !Assertion().IsMatch(m.Body) && !Called().Matches(m.Body).Any(c => asserting.Contains(c.Value)));
    }

    private static IEnumerable<TestMethod> Methods(SourceFile file)
    {
        foreach (Match match in Header().Matches(file.Code))
            yield return new(file.Path, match.Groups["name"].Value, Body(file.Code, match.Index + match.Length), match.Groups["test"].Success);
    }

    /// <summary>From behind the name: the parameters, and the block or the expression after them.</summary>
    private static string Body(string code, int start)
    {
        int depth = 0;
        for (int i = start; i < code.Length; i++)
        {
            depth += code[i] is '{' or '(' or '[' ? 1 : code[i] is '}' or ')' or ']' ? -1 : 0;
            if (depth == 0 && code[i] is '}' or ';' && depth <= 0)
                return code[start..i];
        }

        return code[start..];
    }

    [GeneratedRegex(@"(?<test>\[(?:Fact|Theory)\b[^;{}]*?\n\s*)?"
        + @"(?:(?:public|private|internal|static|async|override|partial) )+[\w<>\[\],.? ()]+? (?<name>\w+)(?:<\w+>)?(?=\()")]
    private static partial Regex Header();

    [GeneratedRegex(@"\bAssert\.|\.Sample\(|\bKnownViolations\.")]
    private static partial Regex Assertion();

    [GeneratedRegex(@"\b[A-Z]\w*(?=\(|<|\))")]
    private static partial Regex Called();
}
