namespace Vmcore.Architectures;

/// <summary>What an architecture asks of the crashed kernel's description of itself (vmcoreinfo). The rooms below Kernel know no more of it.</summary>
internal interface IKernelKeys
{
    /// <summary>Page size in bytes; null if it is not given.</summary>
    int? PageSize { get; }

    /// <summary><c>SYMBOL(name)</c>: a run-time address; null if absent.</summary>
    ulong? Symbol(string name);

    /// <summary><c>NUMBER(name)</c>; null if absent.</summary>
    long? Number(string name);

    /// <summary><c>SIZE(type)</c> in bytes; null if absent.</summary>
    int? Size(string type);

    /// <summary><c>LENGTH(array)</c> in elements; null if absent.</summary>
    int? Length(string array);

    /// <summary>A key whose value is hexadecimal without <c>0x</c>; null if absent.</summary>
    ulong? Hex(string key);
}
