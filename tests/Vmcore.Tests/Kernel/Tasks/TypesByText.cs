using System.Globalization;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel.Tasks;

/// <summary>Types of a kernel that a test makes up, a structure a line: <c>list_head 16: next ptr 0, prev ptr 8</c>, offsets in bytes. Types of members are
/// u8, u32, u64, ptr, char16, a structure of a line above, or <c>NAME[n]</c> of one.</summary>
internal static class TypesByText
{
    internal static KernelTypes Parse(string text)
    {
        var builder = new BtfBuilder();
        Dictionary<string, uint> known = new()
        {
            ["u8"] = builder.Int("u8", 1),
            ["u32"] = builder.Int("u32", 4),
            ["u64"] = builder.Int("u64", 8),
            ["char"] = builder.Int("char", 1),
            ["ptr"] = builder.Add(BtfKind.Pointer, "", 0),
        };
        known["char16"] = Array(builder, known["char"], 16, known["u32"]);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] halves = line.Split(": "), head = halves[0].Split(' ');
            List<(string, uint, uint)> members = [];
            foreach (string[] words in halves[1].Split(", ").Select(static m => m.Split(' ')))
            {
                string[] parts = words[1].TrimEnd(']').Split('[');
                uint type = parts.Length == 1 ? known[parts[0]] : Array(builder, known[parts[0]], Number(parts[1]), known["u32"]);
                members.Add((words[0], type, Number(words[2]) * 8));
            }

            known[head[0]] = builder.Composite(BtfKind.Struct, head[0], Number(head[1]), [.. members]);
        }

        return KernelTypes.From(BtfTypes.TryParse(builder.Build(), out _)!);
    }

    private static uint Array(BtfBuilder builder, uint type, uint length, uint index) =>
        builder.Add(BtfKind.Array, "", 0, 0, false, type, index, length);

    private static uint Number(string text) => uint.Parse(text, CultureInfo.InvariantCulture);
}
