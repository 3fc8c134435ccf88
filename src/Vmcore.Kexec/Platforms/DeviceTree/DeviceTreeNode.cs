using System.Buffers.Binary;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>A property of a device tree: a name and bytes, whose meaning the name tells.</summary>
/// <param name="Name">Its name, for example <c>linux,initrd-start</c>.</param>
/// <param name="Value">Its value; numbers in it are big-endian.</param>
internal sealed record DeviceTreeProperty(string Name, byte[] Value);

/// <summary>A node of a device tree. Order of properties and nodes is kept.</summary>
internal sealed class DeviceTreeNode
{
    /// <summary>Creates a node without content.</summary>
    /// <param name="name">Its name with the unit address: <c>memory@40000000</c>; empty for the root.</param>
    public DeviceTreeNode(string name) => Name = name;

    /// <summary>Its name with the unit address; empty for the root.</summary>
    public string Name { get; }

    /// <summary>Its properties.</summary>
    public List<DeviceTreeProperty> Properties { get; } = [];

    /// <summary>The nodes in it.</summary>
    public List<DeviceTreeNode> Nodes { get; } = [];

    /// <summary>The node of this name below this one; null if there is none.</summary>
    /// <param name="name">The name, with or without unit address.</param>
    public DeviceTreeNode? Find(string name) => Nodes.Find(n => n.Name == name)
        ?? Nodes.Find(n => n.Name.Length > name.Length && n.Name[name.Length] == '@' && n.Name.StartsWith(name, StringComparison.Ordinal));

    /// <summary>The node of this path below this one, parts between slashes; null if there is none.</summary>
    public DeviceTreeNode? FindPath(string path)
    {
        DeviceTreeNode? node = this;
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            node = node?.Find(part);
        return node;
    }

    /// <summary>A property's value; null if there is none.</summary>
    public byte[]? Get(string name) => Properties.Find(p => p.Name == name)?.Value;

    /// <summary>A property of one or two 32-bit cells as a number; null if there is none of that length.</summary>
    public ulong? GetNumber(string name) => Get(name) switch
    {
        { Length: 4 } cell => BinaryPrimitives.ReadUInt32BigEndian(cell),
        { Length: 8 } cells => BinaryPrimitives.ReadUInt64BigEndian(cells),
        _ => null,
    };

    /// <summary>The first string of a property; null if there is none.</summary>
    public string? GetText(string name)
    {
        byte[]? value = Get(name);
        if (value is null)
            return null;
        int end = Array.IndexOf(value, (byte)0);
        return Encoding.UTF8.GetString(value, 0, end < 0 ? value.Length : end);
    }

    /// <summary>True if a property of strings holds this one, for example <c>compatible</c>.</summary>
    public bool HasText(string name, string text) =>
        Get(name) is { } value && Encoding.UTF8.GetString(value).Split('\0').Contains(text, StringComparer.Ordinal);

    /// <summary>Sets a property, in its old place if it is there.</summary>
    public void Set(string name, byte[] value)
    {
        int at = Properties.FindIndex(p => p.Name == name);
        if (at < 0)
            Properties.Add(new(name, value));
        else
            Properties[at] = new(name, value);
    }

    /// <summary>Sets a property to a number of two cells.</summary>
    public void Set(string name, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        Set(name, bytes);
    }

    /// <summary>Takes properties out.</summary>
    public void Remove(Predicate<string> name) => Properties.RemoveAll(p => name(p.Name));
}
