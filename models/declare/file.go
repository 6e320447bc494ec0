package declare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"ucan/runtime/files"
	"ucan/runtime/onnx/sidefile"
)

// Read reads a model.yaml. Unknown keys, values of the wrong type and
// values out of range are errors that name the file and the line; they wrap
// [Err]. A denoiser is taken relative to the file's folder, and lies in it
// or below.
func Read(path string) (Declaration, error) {
	f, err := files.Open(path)
	if err != nil {
		return Declaration{}, fmt.Errorf("read the model's declaration: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	return readFrom(f, path)
}

// readBeside reads a declaration that was found beside a model. Nobody named it, so it may not lead
// elsewhere.
func readBeside(path string) (Declaration, error) {
	folder, err := sidefile.Open(filepath.Dir(path))
	if err != nil {
		return Declaration{}, fmt.Errorf("read the model's declaration: %w", err)
	}
	defer folder.Close() //nolint:errcheck // read only
	f, err := folder.Open(filepath.Base(path))
	if err != nil {
		return Declaration{}, Errorf("%s: %w; put the file itself beside the model", path, err)
	}
	defer f.Close() //nolint:errcheck // read only
	return readFrom(f, path)
}

func readFrom(f *os.File, path string) (Declaration, error) {
	b, err := files.ReadAll(f, files.MaxYAML)
	if errors.Is(err, files.ErrTooLarge) {
		return Declaration{}, Errorf("%s: %w; it is not a model.yaml", path, err)
	}
	if err != nil {
		return Declaration{}, fmt.Errorf("read the model's declaration: %w", err)
	}
	d, err := parse(b)
	if err != nil {
		return Declaration{}, Errorf("%s: %w", path, err)
	}
	if d.Denoiser != "" {
		if d.Denoiser, err = denoiserBeside(path, filepath.FromSlash(d.Denoiser)); err != nil {
			return Declaration{}, Errorf("%s: denoiser: %w; name another one by --denoiser FILE", path, err)
		}
	}
	return d, nil
}

// denoiserBeside returns the path of the denoiser that a declaration names. A declaration may have
// come with its model, so what it names lies in its folder or below.
func denoiserBeside(path, name string) (string, error) {
	folder, err := sidefile.Open(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer folder.Close()                                                           //nolint:errcheck // read only
	if _, err = folder.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // a missing one is named when it is opened
		return "", fmt.Errorf("%q: %w", name, err)
	}
	return filepath.Join(filepath.Dir(path), name), nil
}

// yamlLine finds the parts of the library's own messages.
var yamlLine = regexp.MustCompile(`line (\d+): (?:field (\S+) not found in type \S+)?`)

func parse(b []byte) (Declaration, error) {
	var d Declaration
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		if errors.Is(err, io.EOF) {
			return Declaration{}, nil // an empty file declares nothing
		}
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "yaml: ", ""), "unmarshal errors:\n  ")
		text = yamlLine.ReplaceAllStringFunc(text, func(m string) string {
			if s := yamlLine.FindStringSubmatch(m); s[2] != "" {
				return fmt.Sprintf("line %s: unknown key %q", s[1], s[2])
			}
			return m
		})
		return Declaration{}, errors.New(strings.Join(strings.Fields(text), " "))
	}
	if err := dec.Decode(new(Declaration)); !errors.Is(err, io.EOF) {
		return Declaration{}, errors.New("it holds more than one document; keep one")
	}
	if err := d.Validate(); err != nil {
		return Declaration{}, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return d, nil
}

// find returns the path of the declaration beside an ONNX file:
// NAME.model.yaml for NAME.onnx, otherwise model.yaml; "" when there is neither. A link
// to nothing counts: a declaration that is missing must not pass for none.
func find(model string) (string, error) {
	stem := strings.TrimSuffix(model, filepath.Ext(model))
	for _, path := range []string{stem + ".model.yaml", filepath.Join(filepath.Dir(model), "model.yaml")} {
		switch info, err := os.Lstat(path); {
		case err == nil && !info.IsDir():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look for the model's declaration: %w", err)
		}
	}
	return "", nil
}

// Resolve returns what is declared of the ONNX file at path: the declaration that lies beside it,
// if any, with over on top; and the path of that declaration, or "". What a data source has to do
// before any noise (Resize, Crop) can be read from it before the data is opened.
func Resolve(path string, over Declaration) (Declaration, string, error) {
	file, err := find(path)
	if err != nil {
		return Declaration{}, "", err
	}
	return merge(file, readBeside, over)
}

// ResolveFile is [Resolve] with the declaration of the given file; "" stands for none.
func ResolveFile(file string, over Declaration) (Declaration, string, error) {
	return merge(file, Read, over)
}

func merge(file string, read func(string) (Declaration, error), over Declaration) (Declaration, string, error) {
	if err := over.Validate(); err != nil {
		return Declaration{}, "", Errorf("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if file == "" {
		return over, "", nil
	}
	d, err := read(file)
	if err != nil {
		return Declaration{}, "", err
	}
	return d.Merge(over), file, nil
}
