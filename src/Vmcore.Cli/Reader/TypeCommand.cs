using System.CommandLine;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Types;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore type FILE NAME…</c></summary>
internal static class TypeCommand
{
    internal static Command Create()
    {
        var names = new Argument<string[]>("NAME") { Description = "A type: 'struct page', page, gfp_t, 'enum zone_type'.", Arity = ArgumentArity.OneOrMore };
        var plain = new Option<bool>("--no-offsets") { Description = "The declaration alone, without offsets and sizes in bytes." };
        return new ReaderCommand("type", "Show the declaration of a type, with the offset and size of each member.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("type")
                : Run(context, context.Parsed.GetRequiredValue(names), context.Parsed.GetValue(plain)), hasWords: true) { names, plain };
    }

    private static int Run(ReaderContext context, string[] names, bool plain)
    {
        List<TypeInfo> types = [];
        var budget = new AnswerBudget(context.Dump.Limits);
        foreach (string name in names)
        {
            KernelType type = context.NamedTypes.Find(name, out string? problem) ?? throw new KernelObjectException($"{context.Dump.Name}: {problem}");
            types.Add(Describe(name, type, plain, budget, context.Dump.Limits.TypeDepth));
        }

        context.Gap(budget.IsTruncated ? new Finding(FindingCode.TypesTooLarge) : null);
        if (context.IsJson)
            context.WriteJson(new TypeAnswer { Types = types });
        else
            ReaderContext.Write(string.Concat(types.Select(t => t.Declaration + (plain ? "\n" : ";\n"))));
        return 0;
    }

    private static TypeInfo Describe(string name, KernelType type, bool plain, AnswerBudget budget, int depth)
    {
        KernelType shown = type.Underlying();
        return new(
            name,
            shown.Kind.ToString().ToLowerInvariant(),
            type.Size,
            TypeDeclaration.Write(type, withOffsets: !plain, budget),
            shown.IsComposite ? Members(shown, 0, budget, depth) : [],
            [.. shown.Enumerators.Select(e => new EnumeratorInfo(e.Name, e.Value))]);
    }

    // Members of a nameless struct or union belong to the one around it: they stand below it, with offsets from the start of the whole.
    private static List<MemberInfo> Members(KernelType type, long start, AnswerBudget budget, int depth)
    {
        List<MemberInfo> members = [];
        foreach (KernelTypeMember member in type.Members)
        {
            if (!budget.TryVisit())
                break;
            string name = member.Type.ToString(budget);
            long offset = start + member.BitOffset;
            KernelType inner = member.Type.Unqualified();
            bool isNameless = member.Name.Length == 0 && inner.IsComposite && member.BitWidth == 0 && depth > 0;
            members.Add(new(
                member.Name,
                name,
                offset,
                member.BitWidth > 0 ? member.BitWidth : (member.Type.Size ?? 0) * 8,
                isNameless ? Members(inner, offset, budget, depth - 1) : null));
        }

        return members;
    }
}

/// <summary>The answer of <c>vmcore type --json</c>.</summary>
internal sealed record TypeAnswer : ReaderAnswer
{
    public IReadOnlyList<TypeInfo> Types { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Types);
    }
}

/// <summary>A type: what was asked for, <c>struct</c>, <c>union</c>, <c>enum</c>,
/// <c>integer</c> …, size in bytes, C's declaration, members and values.</summary>
internal sealed record TypeInfo(string Name, string Kind, long? Size, string Declaration,
    IReadOnlyList<MemberInfo> Members, IReadOnlyList<EnumeratorInfo> Enumerators) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Kind);
        json.Put(Size);
        json.Put(Declaration);
        json.Put(Members);
        json.Put(Enumerators);
    }
}

/// <summary>A member; offset (from the start of the type that was asked for) and size in bits, since bit-fields
/// have no other. A nameless struct or union has its own members in it; others have none, and no such list.</summary>
internal sealed record MemberInfo(string Name, string Type, long BitOffset, long BitSize, IReadOnlyList<MemberInfo>? Members) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Type);
        json.Put(BitOffset);
        json.Put(BitSize);
        if (Members is not null)
            json.Put(Members);
    }
}

/// <summary>A name of an enum.</summary>
internal sealed record EnumeratorInfo(string Name, long Value) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Value);
    }
}
