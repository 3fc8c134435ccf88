using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Vmcore.IO;
using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>
/// Writes values as JSON: a struct or union is an object with its members, those of anonymous ones within it; an array is a list, of characters a string;
/// a pointer is <c>"0x…"</c>, an enum the name of its value. What pointers lead to is collected beside them.
/// </summary>
/// <param name="memory">The kernel's memory.</param>
/// <param name="symbol">Names an address; null if there is no symbol at it.</param>
/// <param name="limits">The bounds on an answer; null for the default ones.</param>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class ValueJson(IVirtualMemory memory, Func<ulong, string?> symbol, ReadLimits? limits = null)
{
    // What a reader of JSON can hold that takes all numbers for doubles.
    private const ulong LargestExact = (1UL << 53) - 1;

    private readonly SortedDictionary<ulong, string> _symbols = [];
    private readonly SortedDictionary<ulong, string> _strings = [];
    private readonly ReadLimits _limits = limits ?? ReadLimits.Default;
    private readonly AnswerBudget _budget = new(limits);

    /// <summary>The symbols that pointers were found to point to, by address.</summary>
    public IReadOnlyDictionary<ulong, string> Symbols => _symbols;

    /// <summary>The strings that pointers to characters were found to point to, by address.</summary>
    public IReadOnlyDictionary<ulong, string> Strings => _strings;

    /// <summary>True if values were left out, as null, because there were too many or too deep.</summary>
    public bool IsTruncated { get; private set; }

    /// <summary>Writes an object's value.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="item">The object.</param>
    /// <exception cref="KernelObjectException">Its bytes cannot be read.</exception>
    public void Write(Utf8JsonWriter writer, KernelObject item)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(item);
        Value(writer, item.Type, item.ReadBytes(), item.BitOffset, item.BitWidth, 0);
    }

    /// <summary>Writes what a pointer leads to: an object with <c>type</c>, <c>address</c> and <c>value</c>.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="pointer">The pointer.</param>
    /// <returns>False, and nothing is written, if the object is none, points to text, or to what has no size or cannot be read.</returns>
    public bool TryWriteTarget(Utf8JsonWriter writer, KernelObject pointer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(pointer);
        if (pointer.Type.Underlying() is not { Kind: KernelTypeKind.Pointer } type
            || KernelText.IsText(type.Target) || ValueFormatter.TryFollow(pointer) is not var (target, bytes))
            return false;
        writer.WriteStartObject();
        writer.WriteString("type", target.Type.ToString());
        writer.WriteString("address", Hex(target.Address ?? 0));
        writer.WritePropertyName("value");
        Value(writer, target.Type, bytes, 0, 0, 0);
        writer.WriteEndObject();
        return true;
    }

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    // The answer is held in memory until it is whole.
    private bool IsFull(Utf8JsonWriter writer) => writer.BytesCommitted + writer.BytesPending > _limits.AnswerCharacters;

    private void Value(Utf8JsonWriter writer, KernelType type, ReadOnlySpan<byte> bytes, int bitOffset, int bitWidth, int depth)
    {
        if (depth > _budget.Depth || !_budget.Visit(bytes.Length) || IsFull(writer))
        {
            IsTruncated = true;
            writer.WriteNullValue();
            return;
        }

        KernelType plain = type.Underlying();
        switch (plain.Kind)
        {
            case KernelTypeKind.Struct or KernelTypeKind.Union:
                writer.WriteStartObject();
                Members(writer, plain, bytes, 0, depth + 1, _budget.Depth);
                writer.WriteEndObject();
                break;
            case KernelTypeKind.Array:
                Elements(writer, plain, bytes, depth);
                break;
            case KernelTypeKind.Pointer:
                Pointer(writer, plain, ScalarBits.Read(bytes, bitOffset, bitWidth, plain));
                break;
            case KernelTypeKind.Boolean:
                writer.WriteBooleanValue(ScalarBits.Read(bytes, bitOffset, bitWidth, plain) != 0);
                break;
            case KernelTypeKind.Float:
                Float(writer, plain, bytes, bitWidth);
                break;
            case KernelTypeKind.Enum:
                IsTruncated |= !_budget.VisitNames(plain.Enumerators.Count);
                ulong number = ScalarBits.Read(bytes, bitOffset, bitWidth, plain);
                if (plain.Enumerators.Where(e => e.Value == (long)number).Select(static e => e.Name).FirstOrDefault() is { } name)
                    writer.WriteStringValue(name);
                else
                    Number(writer, number, plain.IsSigned);
                break;
            case KernelTypeKind.Integer when plain.Size == 16:
                UInt128 wide = ScalarBits.ReadWide(bytes, bitOffset, bitWidth, plain.IsSigned);
                if (plain.IsSigned ? (Int128)wide >= -(Int128)LargestExact && (Int128)wide <= LargestExact : wide <= LargestExact)
                    Number(writer, (ulong)wide, plain.IsSigned);
                else
                    writer.WriteStringValue(plain.IsSigned
                        ? ((Int128)wide).ToString(CultureInfo.InvariantCulture)
                        : wide.ToString(CultureInfo.InvariantCulture));
                break;
            case KernelTypeKind.Integer or KernelTypeKind.Character:
                Number(writer, ScalarBits.Read(bytes, bitOffset, bitWidth, plain), plain.IsSigned);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    private void Members(Utf8JsonWriter writer, KernelType type, ReadOnlySpan<byte> bytes, long start, int depth, int nesting)
    {
        foreach (KernelTypeMember member in type.Members)
        {
            if (!_budget.Visit() || IsFull(writer))
            {
                IsTruncated = true;
                return;
            }

            if (member.Name.Length == 0)
            {
                // What is unnamed and no struct is padding.
                if (member.BitWidth == 0 && nesting > 0)
                    Members(writer, member.Type.Underlying(), bytes, start + member.BitOffset, depth, nesting - 1);
                continue;
            }

            writer.WritePropertyName(member.Name);
            if (MemberBytes.TryFind(member, start, bytes, out ReadOnlySpan<byte> part, out int bitOffset))
                Value(writer, member.Type, part, bitOffset, member.BitWidth, depth);
            else
                writer.WriteNullValue();
        }
    }

    private void Elements(Utf8JsonWriter writer, KernelType type, ReadOnlySpan<byte> bytes, int depth)
    {
        KernelType element = type.Target;
        if (KernelText.IsText(element))
        {
            int nul = bytes.IndexOf((byte)0);
            ReadOnlySpan<byte> text = nul >= 0 ? bytes[..nul] : bytes;
            if (Utf8.IsValid(text))
            {
                writer.WriteStringValue(text);
                return;
            }
        }

        int size = (int)Math.Clamp(element.Size ?? 0, 0, int.MaxValue);
        long count = size == 0 ? 0 : Math.Min(type.Length ?? 0, bytes.Length / size);
        writer.WriteStartArray();
        for (int i = 0; i < count; i++)
        {
            if (IsTruncated)
                break;

            Value(writer, element, bytes.Slice(i * size, size), 0, 0, depth + 1);
        }

        writer.WriteEndArray();
    }

    private void Pointer(Utf8JsonWriter writer, KernelType type, ulong address)
    {
        writer.WriteStringValue(Hex(address));
        if (address == 0)
            return;
        if (symbol(address) is { } name)
            _symbols.TryAdd(address, name);
        if (KernelText.IsText(type.Target) && !_strings.ContainsKey(address) && KernelText.TryRead(memory, address, _budget, _limits.StringBytes) is { } text)
        {
            if (_budget.Text(text.Length))
                _strings.Add(address, Encoding.UTF8.GetString(text));
            else
                IsTruncated = true;
        }
    }

    private static void Number(Utf8JsonWriter writer, ulong value, bool signed)
    {
        if (signed && (long)value < 0)
        {
            if ((long)value >= -(long)LargestExact)
                writer.WriteNumberValue((long)value);
            else
                writer.WriteStringValue(((long)value).ToString(CultureInfo.InvariantCulture));
        }
        else if (value <= LargestExact)
        {
            writer.WriteNumberValue(value);
        }
        else
        {
            writer.WriteStringValue(value.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static void Float(Utf8JsonWriter writer, KernelType type, ReadOnlySpan<byte> bytes, int bitWidth)
    {
        // No compiler makes a bit-field of one: such a description is damaged.
        double value = bitWidth > 0 ? double.NaN : type.Size switch
        {
            4 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            8 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            _ => double.NaN,
        };

        // JSON has no word for the others.
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteNullValue();
    }
}
