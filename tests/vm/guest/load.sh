# Loads the crash kernel as the case says; run by first.sh, and by the udev rule in cases that have it.
. /data/in/case.env
[ -z "$KDUMP" ] || exec sh /data/in/kdump.sh
out=/data/out
set -- $LOADER
case $1 in
vmcore) program=/data/in/tools/kexec ;;
debian) program=/sbin/kexec ;;
esac
shift
echo "# $program -p $* --command-line=\"$CAPTURE_COMMAND_LINE\"" >>$out/load.log
started=$(cut -d ' ' -f 1 /proc/uptime)
$program -p "$@" --command-line="$CAPTURE_COMMAND_LINE" --initrd=/data/in/capture.img /data/in/vmlinuz >>$out/load.log 2>&1
status=$?
echo "# exit $status after $started..$(cut -d ' ' -f 1 /proc/uptime)" >>$out/load.log
echo "VMRIG load exit=$status loaded=$(cat /sys/kernel/kexec_crash_loaded)" >/dev/console
