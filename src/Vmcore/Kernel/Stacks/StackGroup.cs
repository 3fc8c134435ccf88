using Vmcore.Architectures;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Kernel.Stacks;

/// <summary>Tasks whose stacks in the kernel are the same, address by address: what a hundred workers that wait alike have in common.</summary>
public sealed class StackGroup
{
    internal StackGroup(TaskStack stack, IReadOnlyList<KernelTask> tasks) => (Stack, Tasks) = (stack, tasks);

    /// <summary>The stack of the first of them.</summary>
    public TaskStack Stack { get; }

    /// <summary>The tasks, in the order in which they were given; at least one.</summary>
    public IReadOnlyList<KernelTask> Tasks { get; }

    /// <summary>What two stacks must have in common to be one: the code of each frame in the kernel, and how it was found. Where a task was in user
    /// mode does not count. Null if nothing is known of the stack, which makes it equal to no other.</summary>
    internal static string? KeyOf(TaskStack stack)
    {
        if (stack.Frames.Count == 0)
            return stack.IsGone ? "gone" : null;
        var key = new System.Text.StringBuilder(stack.Frames.Count * 17);
        foreach (StackFrame frame in stack.Frames)
        {
            key.Append(frame.IsReliable ? frame.IsInterrupted ? '!' : ' ' : '?');
            if (frame.Registers is { IsUser: true })
                key.Append("user");
            else
                key.Append(frame.Address.ToString("x", System.Globalization.CultureInfo.InvariantCulture));
        }

        return key.Append(stack.Problem is { } problem ? $" {problem.Code}" : "").ToString();
    }
}
