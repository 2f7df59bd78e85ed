#!/bin/bash
# initrd.sh TREE KERNEL OUT: the initial RAM disk, by dracut inside the tree. In a mount namespace of its own, so that
# nothing of it reaches the machine.
set -euo pipefail
[ -n "${RINGBOX_PRIVATE:-}" ] || RINGBOX_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
tree=$1 kernel=$2 out=$3
cat >"$tree/etc/dracut.conf.d/ringbox.conf" <<F
hostonly="no"
hostonly_cmdline="no"
compress="zstd"
early_microcode="no"
dracutmodules+=" systemd systemd-initrd systemd-udevd systemd-repart systemd-veritysetup systemd-journald systemd-modules-load systemd-sysctl systemd-tmpfiles systemd-sysusers dm rootfs-block kernel-modules fs-lib base shutdown udev-rules watchdog-modules ringbox "
drivers=" virtio_blk virtio_scsi virtio_pci virtio_mmio nvme ahci ata_piix sd_mod usb_storage uas xhci_pci ehci_pci mmc_block sdhci sdhci_pci sdhci_acpi sdhci_iproc dw_mmc dm_mod dm_verity squashfs ext4 vfat nls_cp437 nls_ascii nls_iso8859-1 efivarfs i6300esb iTCO_wdt sp5100_tco sha256 crc32c loop "
filesystems=" squashfs ext4 vfat "
F
for folder in dev proc sys; do mount --rbind "/$folder" "$tree/$folder"; done
chroot "$tree" ldconfig
chroot "$tree" dracut --force --quiet --no-hostonly --kver "$kernel" --reproducible /boot/initrd.img 2>&1 | tail -n 15
for folder in dev proc sys; do umount -l "$tree/$folder"; done
mv "$tree/boot/initrd.img" "$out"
rm "$tree/etc/dracut.conf.d/ringbox.conf"
# dracut goes on when something is missing: what the box cannot start without is looked for.
list=$(zstd -dcq "$out" 2>/dev/null | cpio -t --quiet)
for path in usr/bin/systemd-repart systemd/systemd-veritysetup sbin/mkfs.ext4 sbin/e2fsck ringbox-machine-id.service emergency.service dm-verity.ko squashfs.ko virtio_blk.ko nvme.ko libkmod.so repart.d/50-data.conf; do
  case $list in *"$path"*) ;; *) echo "the initial RAM disk lacks $path" >&2; exit 1 ;; esac
done
