package store

import (
	"fmt"
	"syscall"
)

const dataFolder = ".local/share"

// Magic numbers of file systems that lie on another machine (statfs(2)).
var networkFileSystems = map[uint32]string{0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x517b: "SMB", 0x5346414f: "AFS", 0x564c: "NCP", 0x00c36400: "Ceph"}

// checkLocal refuses a folder on another machine: SQLite's write-ahead log needs memory that its
// processes share.
func checkLocal(folder string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(folder, &st); err != nil {
		return nil //nolint:nilerr // opening the file will say what is wrong
	}
	if kind, found := networkFileSystems[uint32(st.Type)]; found {
		return fmt.Errorf("the folder %q lies on a network file system (%s), which SQLite cannot share; use a local disk, or a store of the form postgres://…", folder, kind)
	}
	return nil
}
