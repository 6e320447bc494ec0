package library

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// fakeELF is a minimal shared library for this machine: a header, the dynamic
// section and the version definitions that ReadVersion looks for. It cannot be
// loaded, which nothing here does.
func fakeELF(version string, machine elf.Machine) []byte {
	soname, vers := "libonnxruntime.so.1", "VERS_"+version
	dynstr := "\x00" + soname + "\x00" + vers + "\x00"
	nSoname, nVers := uint32(1), uint32(2+len(soname))
	le := binary.LittleEndian
	var verdef []byte
	for i, name := range []uint32{nSoname, nVers} {
		next := uint32(28)
		if i == 1 {
			next = 0
		}
		verdef = le.AppendUint16(verdef, 1)           // vd_version
		verdef = le.AppendUint16(verdef, uint16(1-i)) // vd_flags: BASE for the first
		verdef = le.AppendUint16(verdef, uint16(i+1)) // vd_ndx
		verdef = le.AppendUint16(verdef, 1)           // vd_cnt
		verdef = le.AppendUint32(verdef, 0)           // vd_hash
		verdef = le.AppendUint32(verdef, 20)          // vd_aux
		verdef = le.AppendUint32(verdef, next)        // vd_next
		verdef = le.AppendUint32(verdef, name)        // vda_name
		verdef = le.AppendUint32(verdef, 0)           // vda_next
	}
	dynamic := func(base uint64) []byte {
		var d []byte
		for _, e := range [][2]uint64{
			{uint64(elf.DT_STRTAB), base}, {uint64(elf.DT_SONAME), uint64(nSoname)},
			{uint64(elf.DT_VERDEFNUM), 2}, {uint64(elf.DT_NULL), 0},
		} {
			d = le.AppendUint64(le.AppendUint64(d, e[0]), e[1])
		}
		return d
	}
	const header = 64
	shstr := "\x00.dynstr\x00.gnu.version_d\x00.dynamic\x00.shstrtab\x00"
	at := uint64(header)
	offStr := at
	at += uint64(len(dynstr))
	offDef := at
	at += uint64(len(verdef))
	offDyn := at
	dyn := dynamic(offStr)
	at += uint64(len(dyn))
	offShs := at
	at += uint64(len(shstr))

	var b bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Shoff: at,
		Ehsize: header, Shentsize: 64, Shnum: 5, Shstrndx: 4,
	}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	put := func(v any) {
		if err := binary.Write(&b, le, v); err != nil {
			panic(err)
		}
	}
	put(h)
	b.WriteString(dynstr)
	b.Write(verdef)
	b.Write(dyn)
	b.WriteString(shstr)
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: offStr, Size: uint64(len(dynstr))})
	put(elf.Section64{Name: 9, Type: uint32(elf.SHT_GNU_VERDEF), Off: offDef, Size: uint64(len(verdef)), Link: 1, Info: 2})
	put(elf.Section64{Name: 24, Type: uint32(elf.SHT_DYNAMIC), Off: offDyn, Size: uint64(len(dyn)), Link: 1, Entsize: 16})
	put(elf.Section64{Name: 33, Type: uint32(elf.SHT_STRTAB), Off: offShs, Size: uint64(len(shstr))})
	return b.Bytes()
}

// native is a fake library for this machine; the tests that need one are
// Linux's.
func native(t testing.TB, version string) []byte {
	t.Helper()
	machine, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if runtime.GOOS != "linux" || !ok {
		t.Skip("fake libraries are made for Linux only")
	}
	return fakeELF(version, machine)
}

// foreign is one for another processor.
func foreign(t testing.TB, version string) []byte {
	t.Helper()
	machine := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_X86_64
	}
	return fakeELF(version, machine)
}

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

type entry struct {
	name string
	data []byte
}

func zipFile(t testing.TB, path string, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, path, b.Bytes())
}

func tgzFile(t testing.TB, path string, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.data == nil {
			h.Typeflag, h.Linkname = tar.TypeSymlink, "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return write(t, path, b.Bytes())
}
