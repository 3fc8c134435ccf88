namespace Vmcore.Cli.Kexec;

/// <summary>The help text.</summary>
internal static class KexecHelp
{
    /// <summary>Prints it.</summary>
    public static void Write(TextWriter output) => output.WriteLine(
        """
        Usage: kexec -p [OPTION]... KERNEL     load a crash kernel
               kexec -p -u                     unload it
               kexec -S                        exit 1 if one is loaded, 0 if not

          -p, --load-panic          load KERNEL for a panic: a bzImage (x86-64) or Image (arm64),
                                    as it is, gzip-compressed, EFI zboot or UKI
          -u, --unload              unload the crash kernel
          -S, --status              say by the exit status whether a crash kernel is loaded
              --print-ckr-size      print the size of the memory reserved for it, in bytes
              --command-line=TEXT   command line of the capture kernel (also --append)
              --reuse-cmdline       begin it with the running kernel's, without crashkernel=
              --initrd=FILE         its initramfs (also --ramdisk)
              --reuseinitrd         use the running kernel's initramfs (needs retain_initrd)
          -s, --kexec-file-syscall  use kexec_file_load only
          -c, --kexec-syscall       use kexec_load only
          -a, --kexec-syscall-auto  use kexec_file_load, and kexec_load if that is not supported; the other way
                                    round for pmem metadata, unless only the former has what is needed (default)
          -i, --no-checks           do not verify the loaded memory after a panic
          -t, --type=TYPE           bzImage, bzImage64, Image or UKI; found out otherwise
              --mem-min=ADDR        load to no lower address than this
              --mem-max=ADDR        load to no higher address than this
              --hotplug             let the kernel update the ELF core header on hotplug
              --pass-memmap-cmdline describe the memory on the command line too
              --noefi               start the capture kernel without the firmware's runtime services
              --serial=PORT         where the stub reports damaged memory: ttyS0 to ttyS3, or 0x3f8;
                                    arm64: pl011,ADDRESS or uart8250,mmio32,ADDRESS
              --dtb=FILE            kexec_load: device tree of the machine, in place of the firmware's
              --force-dtb           kexec_file_load: hand the running kernel's device tree over, also with ACPI
          -d, --debug               print what is loaded; ask the kernel for messages
          -h, --help                print this
          -v, --version             print the version

        Persistent memory:
              --pmem=WHAT           in the dump: metadata (default, if crash_pmem.headers does not say another), region, none
              --keep-pmem-drivers   let the capture kernel drive pmem, which destroys memmaps there
              --dump-target=DEV|PATH  where the dump goes: refused if it is pmem that is kept out

        Without loading:
              --dry-run             print system call and why, segments, ELF core header, memory map, command line
              --json                print them as JSON
              --sysroot=DIR         take /proc and /sys from DIR, a tree captured elsewhere

        Also accepted: --no-cma --args-linux --elf64-core-headers --reset-vga
        --console-vga --console-serial --serial-baud=N --reuse-video-type -x -y
        """);
}
