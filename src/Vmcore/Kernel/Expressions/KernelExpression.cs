using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Expressions;

/// <summary>
/// The part of C that names things in a kernel and calculates with them: symbols, numbers, <c>.</c> and <c>-&gt;</c>, <c>[i]</c>, <c>*</c>,
/// <c>&amp;</c>, casts; arithmetic, bit operations, comparisons, <c>&amp;&amp;</c>, <c>||</c> and <c>!</c>, with C's precedence and types of results;
/// <c>sizeof</c>, <c>offsetof</c>, <c>container_of</c>; <c>per_cpu(variable, cpu)</c> and <c>per_cpu_ptr(pointer, cpu)</c>, without a CPU for all of them;
/// and lists and trees: <c>list_for_each(head, type, member)</c>, the same with <c>hlist</c>, <c>llist</c> and <c>rb</c>,
/// <c>xa_for_each(array, type)</c>, <c>mt_for_each(tree, type)</c>, <c>chain_for_each(first, member)</c>. Such a list stands for all its structures, and
/// the rest of the expression is taken of each: <c>list_for_each(modules, struct module, list)-&gt;name</c>.
/// </summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class KernelExpression
{
    // Below this address nothing is mapped (mmap_min_addr, and the kernel's own page 0): a pointer to there is NULL, or a member of NULL.
    private const ulong FirstAddress = 4096;

    // What is known of a variable without a type is its address; a cast can say the rest.
    private static readonly KernelType s_unknown = new(KernelTypeKind.Pointer, "", sizeof(ulong), () => KernelType.Void);

    private readonly KernelExpressionContext _context;
    private readonly string _text;
    private readonly ExpressionNode _root;
    private readonly Dictionary<ExpressionNode, KernelObject> _current = [];
    private bool _isNamed;
    private bool _isMeasured;
    private int? _cpu;

    private KernelExpression(string text, KernelExpressionContext context)
    {
        var parser = new ExpressionParser(text, context);
        (_text, _context, _root) = (text, context, parser.ParseAll());
        HasUntyped = parser.HasUntyped;
    }

    /// <summary>True if it stands for several values, or none: those of a list, a tree, or of all CPUs.</summary>
    public bool IsSequence => _root.Source is not null;

    /// <summary>True if a variable is in it whose type the dump does not say.</summary>
    public bool HasUntyped { get; }

    /// <summary>Reads an expression; nothing of the kernel's memory is read.</summary>
    /// <param name="text">For example <c>init_task.tasks</c>, <c>((struct page *)0xffffea0000000000)-&gt;flags</c>.</param>
    /// <param name="context">The kernel.</param>
    /// <exception cref="KernelObjectException">It is malformed, or names what is not there.</exception>
    public static KernelExpression Parse(string text, KernelExpressionContext context)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(context);
        return new(text, context);
    }

    /// <summary>Finds out what an expression names.</summary>
    /// <param name="text">The expression, which has one value.</param>
    /// <param name="context">The kernel.</param>
    /// <exception cref="KernelObjectException">It is malformed, names what is not there, or stands for several values.</exception>
    public static KernelObject Evaluate(string text, KernelExpressionContext context) => Parse(text, context).Value();

    /// <summary>The value. What is in memory is read when its own value is asked for.</summary>
    /// <exception cref="KernelObjectException">It stands for several values; or a part of it, which the message names, cannot be calculated: there is no such
    /// member, a pointer is NULL or cannot be read, a number is divided by 0.</exception>
    public KernelObject Value()
    {
        _isNamed = false;
        return IsSequence ? throw new KernelObjectException($"'{_text}' stands for several values, where one is expected") : One(_root);
    }

    /// <summary>The values, one after the other; each is calculated when it is asked for. One that cannot be is a problem, and the others come all the same;
    /// where the list itself is damaged, that is the last problem.</summary>
    public IEnumerable<ExpressionValue> Values()
    {
        _current.Clear();
        return Each(_root);
    }

    private IEnumerable<ExpressionValue> Each(ExpressionNode node)
    {
        if (node.Source is not { } source)
        {
            yield return Try(node, null, () => One(node));
            yield break;
        }

        foreach (ExpressionValue item in Items(source))
        {
            // What is wrong with the list is passed on.
            if (item.Item is { } element)
                _current[source] = element;
            yield return item.Item is null ? item : Try(node, item.Item, () => One(node));
        }
    }

    // A value, or why there is none.
    private ExpressionValue Try(ExpressionNode node, KernelObject? element, Func<KernelObject?> calculate)
    {
        (_isNamed, _isMeasured) = (false, false);
        try
        {
            return new(Named(node, calculate), element, _cpu, null);
        }
        catch (KernelObjectException e)
        {
            return new(null, element, _cpu, e.Message);
        }
    }

    private string TextOf(ExpressionNode node) => _text[node.Start..node.End].Trim();

    private T Named<T>(ExpressionNode node, Func<T> calculate)
    {
        try
        {
            return calculate();
        }
        catch (KernelObjectException e) when (!_isNamed && node.Left is not null)
        {
            _isNamed = true;
            throw new KernelObjectException($"'{TextOf(node)}': {e.Message}");
        }
    }

    private KernelObject One(ExpressionNode node) => _current.TryGetValue(node, out KernelObject? item) ? item
        : node.Kind == ExpressionKind.Number ? KernelObject.Value(_context.Memory, node.Type!, node.Value)
        : node.Kind == ExpressionKind.Symbol ? Variable(node, node.Value)
        : Named(node, () => Calculate(node));

    private KernelObject Calculate(ExpressionNode node)
    {
        ExpressionNode left = node.Left!;
        switch (node.Kind)
        {
            case ExpressionKind.Member:
                return Pointer(left).Member(node.Name);
            case ExpressionKind.Index:
                return Pointer(left).Element((long)One(node.Right!).AsUInt64());
            case ExpressionKind.Cast:
                return Cast(node.Type!, left);
            case ExpressionKind.Container:
                KernelObject inner = Pointer(left);
                CheckMember(inner, node.Type!, node.Name);
                return inner.ContainerOf(node.Type!, node.Name).AddressOf();
            case ExpressionKind.PerCpu:
                return Variable(node, unchecked(node.Value + OffsetOf(left)));
            case ExpressionKind.PerCpuPointer:
                return PerCpu(One(left), OffsetOf(node.Right!));
            case ExpressionKind.Unary:
                return Unary(node.Name, left);
            default:
                return Binary(node.Name, left, node.Right!);
        }
    }

    // As the kernel's own macro has it: what is pointed to is of the member's type, or of none.
    private static void CheckMember(KernelObject inner, KernelType outer, string member)
    {
        KernelType type = inner.Type.Underlying();
        if (type.Kind == KernelTypeKind.Pointer)
            type = type.Target.Underlying();
        else if (inner.Address is null)
            return;
        if (type.Kind != KernelTypeKind.Void && outer.FindPath(member)?.Type is { } own && !IsSame(type, own.Underlying()))
            throw new KernelObjectException($"'{member}' of '{outer}' is a '{own}', and what is pointed to is a '{type}'");
    }

    private static bool IsSame(KernelType one, KernelType other) => one.Kind == other.Kind && (one.Kind switch
    {
        KernelTypeKind.Pointer or KernelTypeKind.Array => one.ToString() == other.ToString()
            || IsSame(one.Target.Underlying(), other.Target.Underlying()),
        _ => one.Name == other.Name && (one.Name.Length > 0 || one.Size == other.Size),
    });

    private KernelObject Variable(ExpressionNode node, ulong address) => node.Type is { } type ? KernelObject.At(_context.Memory, type, address)
        : KernelObject.Value(_context.Memory, s_unknown, address);

    private static bool IsUnknown(KernelObject item) => ReferenceEquals(item.Type, s_unknown);

    // What is behind a pointer is asked for: one that lies in memory and is NULL has nothing behind it. (T *)0 is meant so.
    private KernelObject Pointer(ExpressionNode node)
    {
        KernelObject item = One(node);
        if (!_isMeasured && item.Address is not null && item.Type.Underlying().Kind == KernelTypeKind.Pointer
            && item.AsUInt64() is var address and < FirstAddress)
            throw new KernelObjectException(address == 0 ? $"'{TextOf(node)}' is NULL" : $"'{TextOf(node)}' is 0x{address:x}, where nothing is");
        return item;
    }

    private KernelObject Known(ExpressionNode node)
    {
        KernelObject item = One(node);
        return !IsUnknown(item) ? item : throw new KernelObjectException($"the dump does not say what type '{TextOf(node)}' has: "
            + $"--type TYPE or *(TYPE *){TextOf(node)} has its value, &{TextOf(node)} its address");
    }

    private KernelObject Cast(KernelType type, ExpressionNode node)
    {
        KernelObject operand = One(node);
        KernelType plain = type.Underlying();

        // A struct "cast" of a number names what is at that address.
        if (plain.IsComposite)
            return operand.Address is null ? KernelObject.At(_context.Memory, type, operand.AsUInt64()) : operand.As(type);
        if (plain.Kind is KernelTypeKind.Float or KernelTypeKind.Function or KernelTypeKind.Void)
            throw new KernelObjectException($"nothing is calculated as '{type}'");
        if (plain.Kind != KernelTypeKind.Pointer)
            operand = Known(node);
        return plain.Kind == KernelTypeKind.Boolean
            ? KernelObject.Value(_context.Memory, type, ExpressionArithmetic.IsTrue(operand) ? 1UL : 0) : operand.As(type);
    }

    private KernelObject Unary(string name, ExpressionNode operand)
    {
        switch (name)
        {
            case "*":
                return Pointer(operand).Dereference();
            case "&":
                KernelObject item = One(operand);
                return IsUnknown(item) ? KernelObject.Value(_context.Memory, TypeNameParser.PointerTo(KernelType.Void), item.AsUInt64()) : item.AddressOf();
            case "!":
                return ExpressionArithmetic.Truth(_context, !ExpressionArithmetic.IsTrue(Known(operand)));
            case "sizeof":
                _isMeasured = true;
                item = Known(operand);
                _isMeasured = false;
                return item.BitWidth > 0 ? throw new KernelObjectException("a bit-field has no size in bytes")
                    : KernelObject.Value(_context.Memory, ExpressionArithmetic.Type(_context, "unsigned long"),
                        (ulong)(item.Type.Size ?? throw new KernelObjectException($"the size of '{item.Type}' is not known")));
            default:
                return ExpressionArithmetic.Unary(_context, name, Known(operand));
        }
    }

    private KernelObject Binary(string name, ExpressionNode left, ExpressionNode right)
    {
        if (name is "&&" or "||")
        {
            bool isTrue = ExpressionArithmetic.IsTrue(Known(left));
            return ExpressionArithmetic.Truth(_context, isTrue == (name == "&&") ? ExpressionArithmetic.IsTrue(Known(right)) : isTrue);
        }

        // An address and a distance from it are clear without a type.
        bool isSum = name is "+" or "-";
        return ExpressionArithmetic.Binary(_context, name, isSum ? One(left) : Known(left), isSum ? One(right) : Known(right));
    }

    private ulong OffsetOf(ExpressionNode node) =>
        Known(node).AsUInt64() is var cpu && cpu <= int.MaxValue ? OffsetOf((int)cpu) : throw new KernelObjectException($"there is no CPU {cpu}");

    private ulong OffsetOf(int cpu) => _context.PerCpuOffset(cpu) ?? throw new KernelObjectException($"there is no CPU {cpu}");

    private KernelObject PerCpu(KernelObject pointer, ulong offset) => pointer.Type.Underlying().Kind == KernelTypeKind.Pointer && pointer.AsUInt64() != 0
        ? KernelObject.Value(_context.Memory, pointer.Type, unchecked(pointer.AsUInt64() + offset))
        : throw new KernelObjectException($"'{pointer.Type}' is no pointer to a variable of each CPU, or is NULL");

    private IEnumerable<ExpressionValue> Items(ExpressionNode source)
    {
        if (source.Kind is ExpressionKind.PerCpu)
        {
            foreach (int cpu in _context.Cpus)
            {
                _cpu = cpu;
                yield return Try(source, null, () => Variable(source, unchecked(source.Value + OffsetOf(cpu))));
            }

            if (_context.Cpus.Count == 0)
                yield return new(null, null, null, "the numbers of the CPUs are not in the dump");
            yield break;
        }

        foreach (ExpressionValue head in Each(source.Left!))
        {
            if (head.Item is null)
            {
                yield return head;
                continue;
            }

            IEnumerator<KernelObject>? items = null;
            while (true)
            {
                // A list that is damaged ends behind its last good entry, with a word on it.
                ExpressionValue item = Try(source, head.Item, () =>
                    (items ??= Walk(source, head.Item).GetEnumerator()).MoveNext() ? items.Current : null);
                if (item.Item is not null || item.Problem is not null)
                    yield return item;
                if (item.Item is null)
                    break;
            }
        }
    }

    private IEnumerable<KernelObject> Walk(ExpressionNode node, KernelObject head)
    {
        if (node.Kind == ExpressionKind.PerCpuPointer)
            return OfCpus(head);
        if (node.Name == "chain_for_each")
            return Pointers(head.ChainOf(node.Right!.Name));
        string[] names = node.Name switch
        {
            "list_for_each" => ["list_head"],
            "hlist_for_each" => ["hlist_head"],
            "llist_for_each" => ["llist_head"],
            "rb_for_each" => ["rb_root", "rb_root_cached"],
            "xa_for_each" => ["xarray"],
            _ => ["maple_tree"],
        };

        // A list of lists has pointers to heads; a variable without a type is a head, since it is used as one.
        if (IsUnknown(head))
        {
            head = KernelObject.At(_context.Memory, _context.Types.Find("struct " + names[0])
                ?? throw new KernelObjectException($"there is no type 'struct {names[0]}'"), head.AsUInt64());
        }

        KernelType type = head.Type.Underlying();
        if (type.Kind == KernelTypeKind.Pointer)
        {
            type = type.Target.Underlying();
            if (head.AsUInt64() < FirstAddress)
                throw new KernelObjectException("the head is NULL");
        }

        if (!names.Contains(type.Name, StringComparer.Ordinal))
            throw new KernelObjectException($"'{head.Type}' is no 'struct {names[0]}'");
        return Pointers(node.Name is "xa_for_each" or "mt_for_each" ? head.EntriesOf(_context.Types, node.Type!) : head.ListOf(node.Type!, node.Right!.Name));
    }

    private static IEnumerable<KernelObject> Pointers(IEnumerable<KernelObject> items) => items.Select(static i => i.AddressOf());

    private IEnumerable<KernelObject> OfCpus(KernelObject pointer)
    {
        foreach (int cpu in _context.Cpus)
        {
            _cpu = cpu;
            yield return PerCpu(pointer, OffsetOf(cpu));
        }
    }
}
