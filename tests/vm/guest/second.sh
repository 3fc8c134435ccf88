# The capture kernel: dumps /proc/vmcore as the case says, and switches the machine off. Read by init.
. /data/in/case.env
out=/data/out/second
mkdir -p $out
for name in iomem cmdline meminfo modules; do
    cat /proc/$name >$out/$name
done
ls /sys/bus/nd/devices >$out/nd-devices 2>/dev/null
if [ -n "$CAPTURE_DRIVERS" ]; then
    # What udev does in a capture kernel that has the drivers: load every module whose alias matches.
    while read -r module; do
        insmod "/modules/$module" >>$out/drivers.log 2>&1
    done </modules/order.pmem
    sleep 2
    ls /sys/bus/nd/devices /sys/bus/dax/devices >$out/nd-devices 2>/dev/null
    (cd /dev && ls -d pmem* dax* 2>/dev/null) >$out/pmem-devices
fi

number=0
while IFS= read -r line; do
    set -- $line
    case $1 in
    vmcore) program=/tools/makedumpfile ;;
    debian) program=/usr/bin/makedumpfile ;;
    esac
    shift
    say "dump $number: $program $*"
    started=$(cut -d ' ' -f 1 /proc/uptime)
    case " $* " in
    *" -F "*) $program "$@" /proc/vmcore >$out/dump.$number 2>$out/dump.$number.log </dev/null ;;
    *) $program "$@" /proc/vmcore $out/dump.$number >$out/dump.$number.log 2>&1 </dev/null ;;
    esac
    status=$?
    echo "exit=$status seconds=$(echo "$started $(cut -d ' ' -f 1 /proc/uptime)" | awk '{print $2 - $1}')" >$out/dump.$number.status
    say "dump $number exit=$status"
    number=$((number + 1))
done </data/in/dumps
grep -E 'MemTotal|MemFree|MemAvailable' /proc/meminfo >$out/meminfo.end
dmesg >$out/dmesg
if [ -n "$RAW" ]; then
    size=$(stat -c %s /proc/vmcore)
    say "vmcore size=$size"
    dd if=/proc/vmcore of=/dev/vdb bs=1M conv=notrunc 2>$out/raw.log || say "the raw copy failed"
    cat $out/raw.log >/dev/console
fi
sync
umount /data
sync
say "done"
poweroff -f
