using Vmcore.Cli.Makedumpfile.Modes;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>The command <c>makedumpfile</c>: a drop-in for the tool that kdump services run. Each mode is a class of its own.</summary>
internal static class MakedumpfileCommand
{
    /// <summary>Runs the command.</summary>
    /// <returns>The exit status.</returns>
    internal static int Run(string[] args)
    {
        var messages = new Messages(Console.Out, Console.Error);
        var options = new MakedumpfileOptions();
        try
        {
            options.Parse(args);
            messages.OutputTaken = options.Flattened;
            if (options.Help || options.Version)
            {
                messages.Answer(MessageKind.Common, options.Help ? HelpText.Usage() : HelpText.Version);
                return ExitStatus.Success;
            }

            OptionRules.Check(options);
        }
        catch (UsageException e)
        {
            if (e.Message.Length > 0)
                messages.Line(MessageKind.Common, e.Message);
            messages.Write(MessageKind.Common, "Commandline parameter is invalid.\nTry `makedumpfile --help' for more information.\n");
            if (!options.CheckParams)
                messages.Write(MessageKind.Common, "\nmakedumpfile Failed.\n");
            return ExitStatus.Failure;
        }
        catch (FileAccessException e)
        {
            messages.Line(MessageKind.Error, e.Message);
            return ExitStatus.Failure;
        }

        if (options.CheckParams)
            return ExitStatus.Success;
        messages.Level = options.MessageLevel;
        int status;
        try
        {
            status = RunMode(options, messages);
        }
        catch (VmcoreException e)
        {
            messages.Line(MessageKind.Error, e.Message);
            status = ExitStatus.Failure;
        }

        // A table at the end of which stands "Completed" could not be parsed by what parses it today.
        if (status != ExitStatus.Success || options.Mode != CommandMode.MemoryUsage)
            messages.Write(MessageKind.Common, status == ExitStatus.Success ? "\nmakedumpfile Completed.\n" : "\nmakedumpfile Failed.\n");
        return status;
    }

    private static int RunMode(MakedumpfileOptions options, Messages messages) => options.Mode switch
    {
        CommandMode.Rearrange => new Rearrange(options, messages).Run(),
        CommandMode.Reassemble => new Reassemble(options, messages).Run(),
        CommandMode.DumpDmesg => new DumpDmesg(options, messages).Run(),
        CommandMode.MemoryUsage => new MemoryUsageTable(options, messages).Run(),
        CommandMode.GenerateVmcoreInfo => new GenerateVmcoreInfo(options, messages).Run(),
        CommandMode.CreateDump => new CreateDump(options, messages).Run(),
        _ => throw new InvalidOperationException($"no such mode: {options.Mode}"),
    };
}
