package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"ucan/npg"
	"ucan/smooth"
)

// ManifestName is the file that makes a folder a bundle.
const ManifestName = "npg.yaml"

// schema names the format.
const schema = "ucan.npg/1"

// The roles of files that are not graphs.
const (
	roleMuField    = "mu_field"    // one offset a coordinate
	roleSigmaField = "sigma_field" // one scale a coordinate
	roleInputs     = "inputs"      // text: the hash of an input a line
	roleMuRows     = "mu_fields"   // an offset field for each line of inputs
	roleSigmaRows  = "sigma_fields"
)

// manifest is npg.yaml. Guarantee repeats what the kind implies, for readers.
type manifest struct {
	Schema    string           `yaml:"schema"`
	Kind      npg.Kind         `yaml:"kind"`
	Guarantee smooth.Guarantee `yaml:"guarantee"`
	Basis     string           `yaml:"basis,omitempty"`
	Shape     []int            `yaml:"shape,flow"`
	Floor     float64          `yaml:"floor"`
	Ceiling   *float64         `yaml:"ceiling,omitempty"` // absent: none
	FixedMean bool             `yaml:"fixed_mean"`
	MuScale   float64          `yaml:"mu_scale"`
	Files     []file           `yaml:"files"`
	Training  map[string]any   `yaml:"training,omitempty"`
	Diagnoses []Diagnosis      `yaml:"diagnoses,omitempty"`
}

// file is one file beside npg.yaml.
type file struct {
	Role   string `yaml:"role"`
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"`
}

func (b *Bundle) manifest(files []file) manifest {
	m := manifest{
		Schema: schema, Kind: b.Kind, Guarantee: b.Kind.Guarantee(), Basis: b.Basis, Shape: b.Shape,
		Floor: b.Limits.Floor, FixedMean: b.FixedMean, MuScale: b.MuScale, Files: files,
		Training: b.Training, Diagnoses: b.Diagnoses,
	}
	if !math.IsInf(b.Limits.Ceiling, 1) {
		m.Ceiling = &b.Limits.Ceiling
	}
	return m
}

// marshal gives the same bytes for the same manifest: mappings are written in the order of their
// keys.
func (m manifest) marshal() ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(m), e.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// parseManifest reads npg.yaml strictly: unknown keys, a second document and a guarantee other than
// the kind's are errors.
func parseManifest(text []byte) (manifest, error) {
	var m manifest
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&m); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return m, errors.New(strings.Join(strings.Fields(err.Error()), " ")) // of several lines otherwise
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return m, errors.New("it holds more than one document")
	}
	if m.Schema != schema {
		return m, fmt.Errorf("schema is %.40q; this version reads %q", m.Schema, schema)
	}
	if m.Guarantee != m.Kind.Guarantee() {
		return m, fmt.Errorf("guarantee is %.40q, and that of kind %.40q is %q", m.Guarantee, m.Kind, m.Kind.Guarantee())
	}
	var roles, names []string
	for _, f := range m.Files {
		if slices.Contains(roles, f.Role) || slices.Contains(names, f.Name) {
			return m, fmt.Errorf("file %.60q or its role %.40q is named twice", f.Name, f.Role)
		}
		if !plainName(f.Name) {
			return m, fmt.Errorf("bad file name %.60q: a bundle names files beside npg.yaml, without a path", f.Name)
		}
		roles, names = append(roles, f.Role), append(names, f.Name)
	}
	return m, nil
}
