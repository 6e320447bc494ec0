package library

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// VersionError says that a library is outside the versions that work.
type VersionError struct {
	Found string
}

// Error names what is needed, what was found and what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("version %s does not fit: the binding needs API %d, which onnxruntime %s to below %s provides; install %s by `ucan runtime install`",
		e.Found, API, Oldest, Below, Pinned)
}

// CheckVersion returns a *VersionError for versions that the binding cannot
// work with, and an ordinary error for what is no version.
func CheckVersion(v string) error {
	if _, ok := parseVersion(v); !ok {
		return fmt.Errorf("%q is not a version number", v)
	}
	if compareVersions(v, Oldest) < 0 || compareVersions(v, Below) >= 0 {
		return &VersionError{Found: v}
	}
	return nil
}

// parseVersion reads major.minor.patch; a suffix after it (-rc1, +cu12) is
// ignored.
func parseVersion(v string) (n [3]int, ok bool) {
	m := versionPattern().FindStringSubmatch(v)
	if m == nil || !strings.HasPrefix(v, m[0]) {
		return n, false
	}
	for i := range n {
		x, err := strconv.Atoi(m[i+1])
		if err != nil {
			return n, false
		}
		n[i] = x
	}
	return n, true
}

func compareVersions(a, b string) int {
	x, _ := parseVersion(a)
	y, _ := parseVersion(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] - y[i]
		}
	}
	return 0
}

// Within reports whether from ≤ version < below, all three as major.minor.patch;
// a suffix (-rc1) does not count. What is no version is not within.
func Within(version, from, below string) bool {
	_, ok := parseVersion(version)
	return ok && compareVersions(version, from) >= 0 && compareVersions(version, below) < 0
}

// sameMinor says whether two versions differ in the patch level at most.
func sameMinor(a, b string) bool {
	x, okA := parseVersion(a)
	y, okB := parseVersion(b)
	return okA && okB && x[0] == y[0] && x[1] == y[1]
}

func versionPattern() *regexp.Regexp { return regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`) }

// ReadVersion reads the version of an onnxruntime library from the file,
// without loading it: from the ELF version definition VERS_x.y.z, the Mach-O
// dylib version or the PE version resource (which has no patch level: it reads
// as 0), else from the file's name. "" with a nil error means that the file
// does not tell. A file for another operating
// system or processor is an error.
func ReadVersion(path string) (string, error) {
	v, err := readBinary(path)
	if err != nil {
		return "", err
	}
	if v != "" {
		return v, nil
	}
	return versionPattern().FindString(filepath.Base(path)), nil
}

func readBinary(path string) (string, error) {
	switch runtime.GOOS {
	case "windows":
		return peVersion(path, runtime.GOARCH)
	case "darwin", "ios":
		return machoVersion(path, runtime.GOARCH)
	default:
		return elfVersion(path, runtime.GOARCH)
	}
}

func elfVersion(path, arch string) (v string, err error) {
	defer recovered(&err)
	f, err := elf.Open(path)
	if err != nil {
		return "", notALibrary(err)
	}
	defer func() { _ = f.Close() }() // read only
	want := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM,
		"ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV, "loong64": elf.EM_LOONGARCH,
	}
	if m, ok := want[arch]; ok && m != f.Machine {
		return "", fmt.Errorf("it is built for %s, this machine is %s", f.Machine, arch)
	}
	if f.Type != elf.ET_DYN {
		return "", errors.New("it is not a shared library")
	}
	// The names of version definitions stand in the string table that their
	// section is linked to. (debug/elf's DynamicVersions reads all symbols for
	// the same answer.)
	defs := f.SectionByType(elf.SHT_GNU_VERDEF)
	if defs == nil || int(defs.Link) >= len(f.Sections) {
		return "", nil
	}
	table, err := f.Sections[defs.Link].Data()
	if err != nil {
		return "", nil // an unreadable table: the file does not tell
	}
	for name := range bytes.SplitSeq(table, []byte{0}) {
		if rest, ok := strings.CutPrefix(string(name), "VERS_"); ok {
			if _, ok := parseVersion(rest); ok {
				return rest, nil
			}
		}
	}
	return "", nil
}

func machoVersion(path, arch string) (v string, err error) {
	defer recovered(&err)
	f, closer, err := openMacho(path, arch)
	if err != nil {
		return "", err
	}
	defer func() { _ = closer() }() // read only
	if f.Type != macho.TypeDylib {
		return "", errors.New("it is not a dynamic library")
	}
	const idDylib = 0xd // LC_ID_DYLIB: cmd, size, name, timestamp, current, compatibility
	for _, l := range f.Loads {
		raw := l.Raw()
		if len(raw) >= 20 && f.ByteOrder.Uint32(raw) == idDylib {
			n := f.ByteOrder.Uint32(raw[16:])
			if n == 0 {
				return "", nil
			}
			return fmt.Sprintf("%d.%d.%d", n>>16, n>>8&0xff, n&0xff), nil
		}
	}
	return "", nil
}

func openMacho(path, arch string) (*macho.File, func() error, error) {
	want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[arch]
	if fat, err := macho.OpenFat(path); err == nil {
		for _, a := range fat.Arches {
			if a.Cpu == want {
				return a.File, fat.Close, nil
			}
		}
		return nil, nil, errors.Join(fmt.Errorf("it holds no code for %s", arch), fat.Close())
	}
	f, err := macho.Open(path)
	if err != nil {
		return nil, nil, notALibrary(err)
	}
	if f.Cpu != want {
		return nil, nil, errors.Join(fmt.Errorf("it is built for %s, this machine is %s", f.Cpu, arch), f.Close())
	}
	return f, f.Close, nil
}

func peVersion(path, arch string) (v string, err error) {
	defer recovered(&err)
	f, err := pe.Open(path)
	if err != nil {
		return "", notALibrary(err)
	}
	defer func() { _ = f.Close() }() // read only
	want := map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64, "386": pe.IMAGE_FILE_MACHINE_I386}
	if m, ok := want[arch]; ok && m != f.Machine {
		return "", fmt.Errorf("it is built for machine %#x, this one is %s", f.Machine, arch)
	}
	s := f.Section(".rsrc")
	if s == nil {
		return "", nil
	}
	data, err := s.Data()
	if err != nil {
		return "", nil // an unreadable resource: the file does not tell
	}
	// VS_FIXEDFILEINFO: signature, structure version, file version high, low.
	i := bytes.Index(data, []byte{0xbd, 0x04, 0xef, 0xfe})
	if i < 0 || len(data) < i+16 {
		return "", nil
	}
	high := binary.LittleEndian.Uint32(data[i+8:])
	// What follows is the date of the build, not the patch level.
	return fmt.Sprintf("%d.%d.0", high>>16, high&0xffff), nil
}

func notALibrary(err error) error {
	return fmt.Errorf("it is not a shared library for %s: %w", runtime.GOOS, err)
}

// recovered turns a panic of the debug packages, which are not hardened
// against hostile files, into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("it is a damaged shared library: %v", r)
	}
}
