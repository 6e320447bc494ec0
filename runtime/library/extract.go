package library

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"ucan/runtime/files"
)

// maxFile bounds one unpacked file: the largest library so far (the CUDA
// provider) has 0.4 GB.
const maxFile = 4 << 30

// extract puts the library of this platform and its companions from a wheel,
// archive or library file into dir, and returns the library's name there.
func extract(file, dir string) (main string, err error) {
	x := &extractor{dir: dir}
	switch name := strings.ToLower(filepath.Base(file)); {
	case strings.HasSuffix(name, ".whl"), strings.HasSuffix(name, ".zip"), strings.HasSuffix(name, ".nupkg"):
		err = x.zip(file)
	case strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.gz"):
		err = x.tgz(file)
	case libraryName(runtime.GOOS).MatchString(filepath.Base(file)):
		err = x.folder(file)
	default:
		return "", errors.New("its name is not that of a wheel (.whl), an archive (.zip, .tgz, .tar.gz) or an onnxruntime library")
	}
	if err != nil {
		return "", err
	}
	if x.main == "" {
		if x.unfit != nil {
			return "", fmt.Errorf("it holds no onnxruntime library for %s: %w", platform(), x.unfit)
		}
		return "", fmt.Errorf("it holds no onnxruntime library for %s", platform())
	}
	return x.main, nil
}

// extractor collects the wanted files of one source. Only base names are
// used, so no path in an archive can leave the folder.
type extractor struct {
	dir   string
	main  string
	unfit error // why the last library was not taken
}

// take stores one file if it is wanted and built for this platform. Packages
// for several platforms hold several of a name.
func (x *extractor) take(name string, open func() (io.ReadCloser, error)) (err error) {
	base := path.Base(filepath.ToSlash(name))
	isMain := libraryName(runtime.GOOS).MatchString(base)
	if !isMain && !companionName(runtime.GOOS).MatchString(base) {
		return nil
	}
	tmp := filepath.Join(x.dir, base+".part")
	if err = copyFile(tmp, open); err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	defer func() {
		if rerr := os.Remove(tmp); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if _, berr := readBinary(tmp); berr != nil {
		if isMain {
			x.unfit = fmt.Errorf("%s: %w", name, berr)
		}
		return nil
	}
	if isMain {
		// Archives list the file and its links; the longest name is the most
		// specific, and one copy is enough.
		if len(x.main) >= len(base) {
			return nil
		}
		if x.main != "" {
			if err = os.Remove(filepath.Join(x.dir, x.main)); err != nil {
				return err
			}
		}
		x.main = base
	}
	return os.Rename(tmp, filepath.Join(x.dir, base))
}

func copyFile(to string, open func() (io.ReadCloser, error)) (err error) {
	in, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := files.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err := io.Copy(out, io.LimitReader(in, maxFile+1))
	if err == nil && n > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", int64(maxFile))
	}
	return err
}

func (x *extractor) zip(file string) (err error) {
	r, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("it is not a zip file: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, f := range r.File {
		if !f.Mode().IsRegular() {
			continue
		}
		if err := x.take(f.Name, f.Open); err != nil {
			return err
		}
	}
	return nil
}

func (x *extractor) tgz(file string) (err error) {
	f, err := files.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("it is not a gzip file: %w", err)
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not a tar archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := x.take(h.Name, func() (io.ReadCloser, error) { return io.NopCloser(t), nil }); err != nil {
			return err
		}
	}
}

// folder takes a library on disk and the provider libraries beside it.
func (x *extractor) folder(file string) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	// The link's name may be the only one that follows the pattern.
	if err = x.take(filepath.Base(file), func() (io.ReadCloser, error) { return files.Open(real) }); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(real))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !companionName(runtime.GOOS).MatchString(e.Name()) {
			continue
		}
		from := filepath.Join(filepath.Dir(real), e.Name())
		if err = x.take(e.Name(), func() (io.ReadCloser, error) { return files.Open(from) }); err != nil {
			return err
		}
	}
	return nil
}
