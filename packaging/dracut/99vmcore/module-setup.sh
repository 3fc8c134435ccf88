#!/bin/bash
# dracut: puts vmcore, and makedumpfile, kexec and vmcore-dmesg as links to it, into the initramfs. By itself where the initramfs is
# one of kdump-utils (Fedora, RHEL) or of SUSE's kdump, so that it has our vmcore-dmesg too, which the package kexec-tools owns
# outside; for others on demand (add_dracutmodules+=" vmcore "). Its number lets it come after those modules.
# shellcheck disable=SC2154

check() {
    require_binaries /usr/bin/vmcore || return 1
    case " $add_dracutmodules $force_add_dracutmodules " in
        *" kdumpbase "* | *" kdump "*) return 0 ;;
    esac
    return 255
}

depends() {
    return 0
}

install() {
    inst_simple /usr/bin/vmcore
    mkdir -p "${initdir}/usr/bin" "${initdir}/usr/sbin"
    local link
    for link in usr/bin/makedumpfile usr/sbin/kexec usr/sbin/vmcore-dmesg; do
        ln -sf /usr/bin/vmcore "${initdir}/${link}"
    done
    # The scripts' own words are /sbin/makedumpfile and a bare makedumpfile: what another module put at either name gives way.
    for link in usr/sbin/makedumpfile usr/bin/vmcore-dmesg; do
        if [ -e "${initdir}/${link}" ] || [ -L "${initdir}/${link}" ]; then
            ln -sf /usr/bin/vmcore "${initdir}/${link}"
        fi
    done
}
