namespace Vmcore.Debugging;

/// <summary>Damage inside one unit of debug information: the unit is given up, the next one is read. Never leaves the reader.</summary>
internal sealed class DwarfException(string what) : Exception(what);
