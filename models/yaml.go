package models

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
)

// ReadDeclaration reads a model.yaml. Unknown keys, values of the wrong type and
// values out of range are errors that name the file and the line; they wrap
// ErrDeclaration. A relative denoiser is taken relative to the file's folder.
func ReadDeclaration(path string) (Declaration, error) {
	b, err := files.Read(path, files.MaxYAML)
	if errors.Is(err, files.ErrTooLarge) {
		return Declaration{}, declared("%w; it is no model.yaml", err)
	}
	if err != nil {
		return Declaration{}, fmt.Errorf("read the model's declaration: %w", err)
	}
	d, err := parseDeclaration(b)
	if err != nil {
		return Declaration{}, declared("%s: %w", path, err)
	}
	if d.Denoiser != "" && !filepath.IsAbs(d.Denoiser) {
		d.Denoiser = filepath.Join(filepath.Dir(path), d.Denoiser)
	}
	return d, nil
}

// yamlLine finds the parts of the library's own messages.
var yamlLine = regexp.MustCompile(`line (\d+): (?:field (\S+) not found in type \S+)?`)

func parseDeclaration(b []byte) (Declaration, error) {
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

// FindDeclaration returns the path of the declaration beside an ONNX file:
// NAME.model.yaml for NAME.onnx, otherwise model.yaml; "" when there is neither.
func FindDeclaration(model string) (string, error) {
	stem := strings.TrimSuffix(model, filepath.Ext(model))
	for _, path := range []string{stem + ".model.yaml", filepath.Join(filepath.Dir(model), "model.yaml")} {
		switch info, err := os.Stat(path); {
		case err == nil && !info.IsDir():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look for the model's declaration: %w", err)
		}
	}
	return "", nil
}

// ResolveDeclaration returns what is declared of the model at path: the file that
// opts.YAML names or that lies beside it, if any, with opts.Declared over it; and the
// path of that file, or "". What a data source has to do before any noise (Resize,
// Crop) can be read from it before the data is opened. Faults wrap ErrDeclaration.
func ResolveDeclaration(path string, opts Options) (Declaration, string, error) {
	if err := opts.Declared.Validate(); err != nil {
		return Declaration{}, "", declared("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	file := opts.YAML
	if file == "" {
		var err error
		if file, err = FindDeclaration(path); err != nil {
			return Declaration{}, "", err
		}
	}
	if file == "" {
		return opts.Declared, "", nil
	}
	d, err := ReadDeclaration(file)
	if err != nil {
		return Declaration{}, "", err
	}
	return d.Merge(opts.Declared), file, nil
}
