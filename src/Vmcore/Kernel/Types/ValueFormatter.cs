using System.Globalization;
using System.Text;
using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>Writes values as drgn writes them: types in front, a member a line, pointers with the symbol that they point to, strings behind.</summary>
/// <remarks>Rules learnt from drgn's documentation and behaviour.</remarks>
public sealed class ValueFormatter
{
    private const int Chunk = 1 << 14;

    private readonly IVirtualMemory _memory;
    private readonly Func<ulong, string?> _symbol;
    private readonly ReadLimits _limits;
    private readonly StringBuilder _text = new();
    private readonly bool _hasShared;
    private AnswerBudget _budget;
    private TextWriter? _writer;
    private int _written;

    /// <summary>Creates a formatter.</summary>
    /// <param name="memory">The kernel's memory: for strings that pointers lead to.</param>
    /// <param name="symbol">Names an address as <c>name+0x12</c>; gives null if no symbol has it.</param>
    /// <param name="limits">Bounds of an answer; null for the default ones.</param>
    /// <param name="budget">What all values together may look at; null if each is an answer by itself.</param>
    public ValueFormatter(IVirtualMemory memory, Func<ulong, string?> symbol, ReadLimits? limits = null, AnswerBudget? budget = null)
    {
        _hasShared = budget is not null;
        _memory = memory;
        _symbol = symbol;
        _limits = limits ?? ReadLimits.Default;
        _budget = budget ?? new(_limits);
    }

    /// <summary>True if the last answer was cut, and says <c>...</c> there: it went beyond the bounds.</summary>
    public bool IsTruncated { get; private set; }

    private bool IsFull => _written + _text.Length > _limits.AnswerCharacters;

    /// <summary>Writes an object with its type. What a pointer points to is written too, if it can be read.</summary>
    /// <param name="item">The object.</param>
    /// <exception cref="KernelObjectException">It cannot be read.</exception>
    public string Format(KernelObject item)
    {
        _writer = null;
        Write(item);
        return _text.ToString();
    }

    /// <summary>The same into a writer, piece by piece: nothing that is large is held.</summary>
    /// <param name="item">The object.</param>
    /// <param name="writer">Where to.</param>
    /// <exception cref="KernelObjectException">It cannot be read; nothing was written.</exception>
    public void Format(KernelObject item, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        _writer = writer;
        Write(item);
        Flush();
        _writer = null;
    }

    private void Write(KernelObject item)
    {
        ArgumentNullException.ThrowIfNull(item);
        _text.Clear();
        if (!_hasShared)
            (_budget, _written, IsTruncated) = (new(_limits), 0, false);
        KernelType plain = item.Type.Underlying();
        if (plain.Kind == KernelTypeKind.Pointer && !KernelText.IsText(plain.Target) && TryFollow(item) is var (target, bytes))
        {
            ulong address = item.AsUInt64();
            _text.Append("*(").Append(TypeNames.Name(item.Type, _budget)).Append(')');
            if (_symbol(address) is { } name)
                _text.Append('(').Append(name).Append(" = ").Append(Hex(address)).Append(')');
            else
                _text.Append(Hex(address));
            _text.Append(" = ");
            Value(target.Type, bytes, 0, 0, 0);
        }
        else
        {
            Typed(item.Type, item.ReadBytes(), item.BitOffset, item.BitWidth, 0);
        }

        IsTruncated |= _budget.IsTruncated;
    }

    private void Flush()
    {
        if (_writer is null)
            return;
        foreach (ReadOnlyMemory<char> chunk in _text.GetChunks())
            _writer.Write(chunk.Span);
        _written += _text.Length;
        _text.Clear();
    }

    // What is beyond the bounds is not looked at; false there, and once for each place.
    private bool Continue(long bytes)
    {
        if (!IsFull && _budget.Visit(bytes))
            return true;
        IsTruncated = true;
        return false;
    }

    /// <summary>What a pointer points to, if its size is known and it can be read.</summary>
    internal static (KernelObject Target, byte[] Bytes)? TryFollow(KernelObject pointer)
    {
        try
        {
            KernelType target = pointer.Type.Underlying().Target.Underlying();
            if (target.Kind is KernelTypeKind.Void or KernelTypeKind.Function || target is { Kind: KernelTypeKind.Array, Length: null } || target.Size is null)
                return null;
            KernelObject item = pointer.Dereference();
            return (item, item.ReadBytes());
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    private void Typed(KernelType type, ReadOnlySpan<byte> bytes, int bitOffset, int bitWidth, int depth)
    {
        _text.Append('(').Append(TypeNames.Name(type, _budget)).Append(')');
        Value(type, bytes, bitOffset, bitWidth, depth);
    }

    // The value alone; bytes start with the one that has its first bit, and may go on behind it.
    private void Value(KernelType type, ReadOnlySpan<byte> bytes, int bitOffset, int bitWidth, int depth)
    {
        if (depth > _budget.Depth || !Continue(bytes.Length))
        {
            IsTruncated = true;
            _text.Append("...");
            return;
        }

        if (_text.Length >= Chunk)
            Flush();

        KernelType plain = type.Underlying();
        switch (plain.Kind)
        {
            case KernelTypeKind.Struct or KernelTypeKind.Union:
                if (plain.Members.Count == 0)
                {
                    _text.Append("{}");
                    break;
                }

                _text.Append("{\n");
                Members(plain, bytes, 0, depth + 1, _budget.Depth);
                _text.Append('\t', depth).Append('}');
                break;
            case KernelTypeKind.Array:
                Elements(plain, bytes, depth);
                break;
            case KernelTypeKind.Pointer:
                Pointer(plain, ScalarBits.Read(bytes, bitOffset, bitWidth, plain));
                break;
            case KernelTypeKind.Float:
                // No compiler makes a bit-field of one: such a description is damaged.
                _text.Append(bitWidth > 0 ? "<float>" : plain.Size switch
                {
                    4 => BitConverter.ToSingle(bytes).ToString(CultureInfo.InvariantCulture),
                    8 => BitConverter.ToDouble(bytes).ToString(CultureInfo.InvariantCulture),
                    _ => "<float>",
                });
                break;
            case KernelTypeKind.Enum:
                Enum(plain, (long)ScalarBits.Read(bytes, bitOffset, bitWidth, plain));
                break;
            case KernelTypeKind.Void or KernelTypeKind.Function:
                _text.Append("<no value>");
                break;
            case KernelTypeKind.Integer when plain.Size == 16:
                UInt128 wide = ScalarBits.ReadWide(bytes, bitOffset, bitWidth, plain.IsSigned);
                _text.Append(plain.IsSigned ? ((Int128)wide).ToString(CultureInfo.InvariantCulture) : wide.ToString(CultureInfo.InvariantCulture));
                break;
            default:
                ulong value = ScalarBits.Read(bytes, bitOffset, bitWidth, plain);
                _text.Append(plain.IsSigned ? ((long)value).ToString(CultureInfo.InvariantCulture) : value.ToString(CultureInfo.InvariantCulture));
                break;
        }
    }

    private void Members(KernelType type, ReadOnlySpan<byte> bytes, long start, int depth, int nesting)
    {
        foreach (KernelTypeMember member in type.Members)
        {
            if (!Continue(0))
            {
                _text.Append('\t', depth).Append("...\n");
                return;
            }

            if (member.Name.Length == 0 && member.BitWidth == 0 && nesting > 0)
            {
                Members(member.Type.Underlying(), bytes, start + member.BitOffset, depth, nesting - 1);
                continue;
            }

            _text.Append('\t', depth).Append('.').Append(member.Name).Append(" = ");
            if (MemberBytes.TryFind(member, start, bytes, out ReadOnlySpan<byte> part, out int bitOffset))
                Typed(member.Type, part, bitOffset, member.BitWidth, depth);
            else
                _text.Append("<outside of the struct>");
            _text.Append(",\n");
        }
    }

    private void Elements(KernelType type, ReadOnlySpan<byte> bytes, int depth)
    {
        KernelType element = type.Target, plain = element.Underlying();
        if (KernelText.IsText(element) && type.Length is > 0)
        {
            int nul = bytes.IndexOf((byte)0);
            Text(nul >= 0 ? bytes[..nul] : bytes);
            return;
        }

        int size = (int)Math.Clamp(element.Size ?? 0, 0, int.MaxValue);
        long count = size == 0 ? 0 : Math.Min(type.Length ?? 0, bytes.Length / size);
        while (count > 0 && IsZero(plain, bytes.Slice((int)(count - 1) * size, size), _budget.Depth))
            count--;
        if (count == 0)
        {
            _text.Append("{}");
            return;
        }

        bool oneLine = IsOneLine(plain);
        _text.Append(oneLine ? "{ " : "{\n");
        for (int i = 0; i < count; i++)
        {
            if (IsTruncated)
            {
                _text.Append(oneLine ? ", ..." : "...\n");
                break;
            }

            if (oneLine)
                _text.Append(i == 0 ? "" : ", ");
            else
                _text.Append('\t', depth + 1);
            Value(element, bytes.Slice(i * size, size), 0, 0, depth + 1);
            if (!oneLine)
                _text.Append(",\n");
        }

        if (oneLine)
            _text.Append(" }");
        else
            _text.Append('\t', depth).Append('}');
    }

    private bool IsOneLine(KernelType type)
    {
        for (int i = 0; i < _budget.Depth && type.Kind == KernelTypeKind.Array; i++)
            type = type.Target.Underlying();
        return !type.IsComposite;
    }

    // Padding does not count, nor what a bit-field leaves.
    private bool IsZero(KernelType type, ReadOnlySpan<byte> bytes, int depth)
    {
        if (!Continue(bytes.Length))
            return false;
        if (!bytes.ContainsAnyExcept((byte)0))
            return true;
        if (depth == 0 || !type.IsComposite)
            return false;
        foreach (KernelTypeMember member in type.Members)
        {
            if (!Continue(0))
                return false;
            KernelType inner = member.Type.Underlying();
            long at = member.BitOffset / 8, size = member.BitWidth > 0 ? ((member.BitOffset % 8) + member.BitWidth + 7) / 8 : inner.Size ?? 0;
            if (at < 0 || size < 0 || at + size > bytes.Length)
                continue;
            ReadOnlySpan<byte> part = bytes.Slice((int)at, (int)size);
            bool zero = member.BitWidth > 0 ? ScalarBits.Read(part, (int)(member.BitOffset % 8), member.BitWidth, inner) == 0
                : inner.IsComposite ? IsZero(inner, part, depth - 1) : !part.ContainsAnyExcept((byte)0);
            if (!zero)
                return false;
        }

        return true;
    }

    private void Pointer(KernelType type, ulong value)
    {
        string? name = _symbol(value);
        if (name is not null)
            _text.Append(name).Append(" = ");
        _text.Append(Hex(value));
        if (KernelText.IsText(type.Target) && KernelText.TryRead(_memory, value, _budget, _limits.StringBytes) is { } text)
        {
            _text.Append(" = ");
            Text(text);
        }
    }

    private void Enum(KernelType type, long value)
    {
        IsTruncated |= !_budget.VisitNames(type.Enumerators.Count);
        foreach (KernelEnumerator item in type.Enumerators)
        {
            if (item.Value == value)
            {
                _text.Append(item.Name);
                return;
            }
        }

        _text.Append(type.IsSigned ? value.ToString(CultureInfo.InvariantCulture) : ((ulong)value).ToString(CultureInfo.InvariantCulture));
    }

    private void Text(ReadOnlySpan<byte> text)
    {
        _text.Append('"');
        foreach (byte b in text)
        {
            _ = b switch
            {
                (byte)'"' => _text.Append("\\\""),
                (byte)'\\' => _text.Append("\\\\"),
                (byte)'\a' => _text.Append("\\a"),
                (byte)'\b' => _text.Append("\\b"),
                (byte)'\t' => _text.Append("\\t"),
                (byte)'\n' => _text.Append("\\n"),
                (byte)'\v' => _text.Append("\\v"),
                (byte)'\f' => _text.Append("\\f"),
                (byte)'\r' => _text.Append("\\r"),
                >= 0x20 and < 0x7f => _text.Append((char)b),
                _ => _text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}"),
            };
        }

        _text.Append('"');
    }
}
