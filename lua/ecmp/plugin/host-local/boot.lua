---Identifies machine and boot, to find reservations made before the last reboot.
--
-- Network namespaces do not outlive a boot, so a reservation made under an earlier boot of this
-- very machine belongs to nobody. Clocks prove nothing (they jump when the time is first set); the
-- kernel's boot id does. A directory on a network file system proves nothing either: its
-- reservations may be another machine's.
local sys = require "ecmp.sys"

local M = {}

---Pattern of a token, eight digits of the machine id and eight of the boot id.
M.pattern = "%x%x%x%x%x%x%x%x%-%x%x%x%x%x%x%x%x"

-- Superblock magics of file systems that one machine mounts at a time.
local own_disk <const> = {
  [0xEF53] = true,     -- ext2, ext3, ext4
  [0x58465342] = true, -- xfs
  [0x9123683E] = true, -- btrfs
  [0xF2F52010] = true, -- f2fs
  [0x2FC12FC1] = true, -- zfs
  [0x794C7630] = true, -- overlayfs
  [0x01021994] = true, -- tmpfs
}

---The token of this boot, or one that proves nothing where an id cannot be read.
---@return string token
function M.token()
  local machine <const> = sys.read("/etc/machine-id", 64) or ""
  local boot <const> = sys.read("/proc/sys/kernel/random/boot_id", 64) or ""
  return ("%s-%s"):format(machine:match("^%x%x%x%x%x%x%x%x") or "00000000",
    boot:match("^%x%x%x%x%x%x%x%x") or "00000000")
end

---Whether only this machine can have written to a directory.
---@param stat table what `sys.stat` says of it
---@return boolean
function M.is_private(stat)
  return own_disk[stat.fstype] == true
end

---Whether what was first seen under one token is certainly over under the other.
---@param seen string token of the boot under which a reservation was first seen
---@param now string token of this boot
---@return boolean
function M.is_over(seen, now)
  local machine <const>, boot <const> = now:match("^(%x+)%-(%x+)$")
  local same_machine <const> = seen:sub(1, #machine) == machine
  local known <const> = machine ~= "00000000" and boot ~= "00000000"
    and seen:sub(-8) ~= "00000000"
  return known and same_machine and seen:sub(-8) ~= boot
end

return M
