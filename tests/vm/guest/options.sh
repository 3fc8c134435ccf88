# Runs Debian's kexec and ours with the same options, in the first kernel, and writes down what each did: its exit status,
# whether a crash kernel is loaded afterwards, and for "print" what it printed. Run by first.sh.
. /data/in/case.env
log=/data/out/options
kernel=/data/in/vmlinuz
initrd=/data/in/capture.img
long=$(head -c 3000 /dev/zero | tr '\0' x)
gzip -c $kernel >/tmp/vmlinuz.gz
head -c 300000 /dev/urandom >/tmp/noise

once() {
    program=$1
    shift
    /sbin/kexec -p -u >/dev/null 2>&1
    [ "$before" = loaded ] && /sbin/kexec -p $kernel --initrd=$initrd >/dev/null 2>&1
    $program "$@" >/tmp/out 2>/tmp/err </dev/null
    echo "$?/$(cat /sys/kernel/kexec_crash_loaded)"
}

# Both must do the same. "differs": they do not, and docs/compatibility.md says why.
try() {
    what=$1
    shift
    debian=$(once /sbin/kexec "$@")
    [ "$what" = print ] && debian="$debian/$(cat /tmp/out)"
    cat /tmp/err >>/data/out/options.debian.err
    ours=$(once /data/in/tools/kexec "$@")
    [ "$what" = print ] && ours="$ours/$(cat /tmp/out)"
    { echo "# $*" | cut -c 1-200; cat /tmp/err; } >>/data/out/options.err
    echo "$what $before debian=$debian ours=$ours $*" | cut -c 1-250 >>$log
}

for before in none loaded; do
    try same -S
    try same -S -p
    try same -p -S $kernel
    try same -p -u
    try same -pu -s
    try same -p -u -c
    try same -p -u -a
    try same -p /nonexistent
    try same -p
    try same -p --initrd=/nonexistent $kernel
    try same -p /tmp/noise
    try same -p --nonsense $kernel
    try same -p --mem-min=abc $kernel
    try same -p --mem-max=1M $kernel
    try same -p -t nonsense $kernel
    try same -p -c $kernel --append=$long
done
before=none
try print --print-ckr-size
try same --help
try same --version
try same -p $kernel
try same -p --append=quiet --initrd=$initrd $kernel
try same -p --command-line="quiet nr_cpus=1" --ramdisk $initrd $kernel
try same -p --reuse-cmdline --append=nr_cpus=1 $kernel
try same $kernel -p
try same -p -c -d $kernel
try same -p -s $kernel
try same -p -s --initrd=$initrd --append=quiet $kernel
try same -p -a $kernel
try same -p -s /nonexistent
try same -p -s --initrd=/nonexistent $kernel
try same -p -s /tmp/noise
try same -p -a /tmp/noise
try differs -p -s $kernel --append=$long
try differs -p -c /tmp/vmlinuz.gz
try differs -p -a /tmp/vmlinuz.gz
try same -p -i $kernel
try same -p -c -x -y $kernel
try same -p -t bzImage64 $kernel
try same -p -t bzImage $kernel
try same -p --mem-min=0x1000000 $kernel
try same -p -c --mem-min=0xfffffff000 $kernel
try same -p --pass-memmap-cmdline $kernel
try same -p --reset-vga --console-vga --console-serial --serial=0x3f8 --serial-baud=115200 --reuse-video-type $kernel
try same -p --noefi --elf64-core-headers $kernel
try same -p --elf32-core-headers $kernel
try same -p --reuseinitrd $kernel
try differs -p --real-mode $kernel
try same -p --print-ckr
try differs -p -s /tmp/vmlinuz.gz
try differs -p $kernel quiet
try differs -l $kernel
/sbin/kexec -u >/dev/null 2>&1
/sbin/kexec -p -u >/dev/null 2>&1
say "options $(grep -c . $log)"
