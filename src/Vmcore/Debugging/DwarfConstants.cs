namespace Vmcore.Debugging;

/// <summary>Tags of entries that are looked at (DWARF 5, table 7.3).</summary>
internal static class DwarfTag
{
    internal const ushort ArrayType = 0x01;
    internal const ushort ClassType = 0x02;
    internal const ushort EnumerationType = 0x04;
    internal const ushort FormalParameter = 0x05;
    internal const ushort Member = 0x0d;
    internal const ushort PointerType = 0x0f;
    internal const ushort ReferenceType = 0x10;
    internal const ushort CompileUnit = 0x11;
    internal const ushort StructureType = 0x13;
    internal const ushort SubroutineType = 0x15;
    internal const ushort UnspecifiedParameters = 0x18;
    internal const ushort Typedef = 0x16;
    internal const ushort UnionType = 0x17;
    internal const ushort LexicalBlock = 0x0b;
    internal const ushort InlinedSubroutine = 0x1d;
    internal const ushort Subprogram = 0x2e;
    internal const ushort SubrangeType = 0x21;
    internal const ushort BaseType = 0x24;
    internal const ushort ConstType = 0x26;
    internal const ushort Enumerator = 0x28;
    internal const ushort Variable = 0x34;
    internal const ushort VolatileType = 0x35;
    internal const ushort RestrictType = 0x37;
    internal const ushort PartialUnit = 0x3c;
    internal const ushort TypeUnit = 0x41;
    internal const ushort AtomicType = 0x47;
    internal const ushort SkeletonUnit = 0x4a;
}

/// <summary>Attributes that are looked at (DWARF 5, table 7.5).</summary>
internal static class DwarfAttribute
{
    internal const ushort Sibling = 0x01;
    internal const ushort Location = 0x02;
    internal const ushort Name = 0x03;
    internal const ushort ByteSize = 0x0b;
    internal const ushort BitOffset = 0x0c;
    internal const ushort BitSize = 0x0d;
    internal const ushort StatementList = 0x10;
    internal const ushort LowPc = 0x11;
    internal const ushort HighPc = 0x12;
    internal const ushort CompilationDirectory = 0x1b;
    internal const ushort ConstantValue = 0x1c;
    internal const ushort UpperBound = 0x2f;
    internal const ushort AbstractOrigin = 0x31;
    internal const ushort Count = 0x37;
    internal const ushort DataMemberLocation = 0x38;
    internal const ushort DeclarationFile = 0x3a;
    internal const ushort Declaration = 0x3c;
    internal const ushort Encoding = 0x3e;
    internal const ushort Specification = 0x47;
    internal const ushort Type = 0x49;
    internal const ushort Ranges = 0x55;
    internal const ushort CallFile = 0x58;
    internal const ushort CallLine = 0x59;
    internal const ushort DataBitOffset = 0x6b;
    internal const ushort Signature = 0x69;
    internal const ushort StringOffsetsBase = 0x72;
    internal const ushort AddressBase = 0x73;
    internal const ushort RangeListsBase = 0x74;
}

/// <summary>Forms of attribute values (DWARF 5, table 7.6, and the GNU forms of dwz).</summary>
internal static class DwarfForm
{
    internal const ushort Addr = 0x01;
    internal const ushort Block2 = 0x03;
    internal const ushort Block4 = 0x04;
    internal const ushort Data2 = 0x05;
    internal const ushort Data4 = 0x06;
    internal const ushort Data8 = 0x07;
    internal const ushort String = 0x08;
    internal const ushort Block = 0x09;
    internal const ushort Block1 = 0x0a;
    internal const ushort Data1 = 0x0b;
    internal const ushort Flag = 0x0c;
    internal const ushort Sdata = 0x0d;
    internal const ushort Strp = 0x0e;
    internal const ushort Udata = 0x0f;
    internal const ushort RefAddr = 0x10;
    internal const ushort Ref1 = 0x11;
    internal const ushort Ref2 = 0x12;
    internal const ushort Ref4 = 0x13;
    internal const ushort Ref8 = 0x14;
    internal const ushort RefUdata = 0x15;
    internal const ushort Indirect = 0x16;
    internal const ushort SecOffset = 0x17;
    internal const ushort Exprloc = 0x18;
    internal const ushort FlagPresent = 0x19;
    internal const ushort Strx = 0x1a;
    internal const ushort Addrx = 0x1b;
    internal const ushort RefSup4 = 0x1c;
    internal const ushort StrpSup = 0x1d;
    internal const ushort Data16 = 0x1e;
    internal const ushort LineStrp = 0x1f;
    internal const ushort RefSig8 = 0x20;
    internal const ushort ImplicitConst = 0x21;
    internal const ushort Loclistx = 0x22;
    internal const ushort Rnglistx = 0x23;
    internal const ushort RefSup8 = 0x24;
    internal const ushort Strx1 = 0x25;
    internal const ushort Strx2 = 0x26;
    internal const ushort Strx3 = 0x27;
    internal const ushort Strx4 = 0x28;
    internal const ushort Addrx1 = 0x29;
    internal const ushort Addrx2 = 0x2a;
    internal const ushort Addrx3 = 0x2b;
    internal const ushort Addrx4 = 0x2c;
    internal const ushort GnuAddrIndex = 0x1f01;
    internal const ushort GnuStrIndex = 0x1f02;
    internal const ushort GnuRefAlt = 0x1f20;
    internal const ushort GnuStrpAlt = 0x1f21;
}
