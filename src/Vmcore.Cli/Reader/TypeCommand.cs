using System.CommandLine;
using Vmcore.Cli.Json;
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
            context => Run(context, context.Parsed.GetRequiredValue(names), context.Parsed.GetValue(plain)), hasWords: true) { names, plain };
    }

    private static int Run(ReaderContext context, string[] names, bool plain)
    {
        List<TypeInfo> types = [];
        foreach (string name in names)
        {
            KernelType type = context.NamedTypes.Find(name, out string? problem) ?? throw new KernelObjectException($"{context.Dump.Name}: {problem}");
            types.Add(Describe(name, type, plain));
        }

        if (context.IsJson)
            context.WriteJson(new TypeAnswer { Types = types });
        else
            ReaderContext.Write(string.Concat(types.Select(t => t.Declaration + (plain ? "\n" : ";\n"))));
        return 0;
    }

    private static TypeInfo Describe(string name, KernelType type, bool plain)
    {
        KernelType shown = type.Underlying();
        return new(
            name,
            shown.Kind.ToString().ToLowerInvariant(),
            type.Size,
            TypeDeclaration.Write(type, withOffsets: !plain),
            [.. shown.Kind == KernelTypeKind.Function
                ? []
                : shown.Members.Select(m => new MemberInfo(m.Name, m.Type.ToString(), m.BitOffset, m.BitWidth > 0 ? m.BitWidth : (m.Type.Size ?? 0) * 8))],
            [.. shown.Enumerators.Select(e => new EnumeratorInfo(e.Name, e.Value))]);
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

/// <summary>A member; offset and size in bits, since bit-fields have no other.</summary>
internal sealed record MemberInfo(string Name, string Type, long BitOffset, long BitSize) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Type);
        json.Put(BitOffset);
        json.Put(BitSize);
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
