# Loads the crash kernel by "vmcore kdump load", with an initramfs that it makes of this machine; run by load.sh in cases that have "kdump".
# /dev/vde is the disk of the dumps, mounted as on any machine, so that it has a journal to replay; /dev/vdf is the spare one.
. /data/in/case.env
out=/data/out
program=/data/in/tools/vmcore
mkdir -p /lib/modules /etc/vmcore /var/lib /run /mnt/dumps
ln -sfn /data/in/modules "/lib/modules/$(uname -r)"
cp /data/in/kdump.conf /etc/vmcore/kdump.conf
if grep -q 'raw /dev/vdf' /etc/vmcore/kdump.conf; then
    $program kdump prepare /dev/vdf --yes >>$out/load.log 2>&1 </dev/null
else
    mount -t ext4 /dev/vde /mnt/dumps
    echo before >/mnt/dumps/before
fi
$program kdump test >>$out/load.log 2>&1
$program kdump estimate >>$out/load.log 2>&1
echo "# $program kdump load" >>$out/load.log
$program kdump load >>$out/load.log 2>&1
status=$?
$program kdump status >>$out/load.log 2>&1
echo "# exit $status" >>$out/load.log
cp /var/lib/vmcore/*.img $out/kdump.img
echo "VMRIG load exit=$status loaded=$(cat /sys/kernel/kexec_crash_loaded)" >/dev/console
. /data/in/kdump-after
