package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/internal/npy"
	"ucan/npg"
	"ucan/runtime/files"
	"ucan/runtime/onnx/sidefile"
)

// ErrBundle is matched by the errors of Read that say the folder is no valid bundle: absent,
// unfinished, altered or of an unknown form.
var ErrBundle = errors.New("no valid bundle")

// fileNames are the names under which Write stores files, by role.
func fileNames() map[string]string {
	return map[string]string{
		string(Mu): "mu.onnx", string(Sigma): "sigma.onnx", string(Joint): "generator.onnx", string(Base): "base.onnx",
		roleMuField: "mu.npy", roleSigmaField: "sigma.npy",
		roleInputs: "inputs.txt", roleMuRows: "mus.npy", roleSigmaRows: "sigmas.npy",
	}
}

// plainName reports whether name is that of a file in the folder itself.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && name != ManifestName && !strings.ContainsAny(name, `/\`+"\x00")
}

// Exists reports whether dir holds an npg.yaml, whatever is in it.
func Exists(dir string) bool {
	return sidefile.Check(filepath.Join(dir, ManifestName)) == nil
}

// ClassifierFile returns the file of the classifier that was trained along with the generator in
// dir; false where there is none, or dir is no finished bundle.
func ClassifierFile(dir string) (string, bool) {
	path := filepath.Join(dir, fileNames()[string(Base)])
	return path, sidefile.Check(path) == nil && Exists(dir)
}

// Write stores the bundle in dir, which is made when absent. Files appear whole or not at all, and
// npg.yaml last: a folder whose writing was interrupted has none, unless it held the same bundle
// before. Nothing else in dir is touched. Only one writer of a folder may run at a time.
func Write(dir string, b *Bundle) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write bundle %q: %w", dir, err)
		}
	}()
	contents, err := b.encode()
	if err != nil {
		return err
	}
	if err = os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	names := fileNames()
	var written []file
	for _, c := range contents {
		written = append(written, file{Role: c.role, Name: names[c.role], SHA256: digest(c.data)})
	}
	text, err := b.manifest(written).marshal()
	if err != nil {
		return err
	}
	manifest := filepath.Join(dir, ManifestName)
	old, err := files.Read(manifest, maxManifest)
	if err == nil && digest(old) != digest(text) {
		err = os.Remove(manifest) // another bundle stops being one before its files change
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, c := range contents {
		if err = atomicfile.WriteLockedBytes(filepath.Join(dir, names[c.role]), c.data); err != nil {
			return err
		}
	}
	if err = atomicfile.WriteLockedBytes(manifest, text); err != nil {
		return err
	}
	b.hash = digest(text)
	return nil
}

// content is one file to be written.
type content struct {
	role string
	data []byte
}

// encode returns the bundle's files in a fixed order.
func (b *Bundle) encode() ([]content, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	var out []content
	for _, role := range []Role{Mu, Sigma, Joint, Base} {
		if data := b.Graphs[role]; data != nil {
			out = append(out, content{string(role), data})
		}
	}
	for role := range b.Graphs {
		if !slices.Contains([]Role{Mu, Sigma, Joint, Base}, role) {
			return nil, fmt.Errorf("a graph has the unknown role %q", role)
		}
	}
	if b.Mu != nil {
		out = append(out, content{roleMuField, npy.Encode(b.Mu, b.Shape)})
	}
	if b.Sigma != nil {
		out = append(out, content{roleSigmaField, npy.Encode(b.Sigma, b.Shape)})
	}
	return append(out, b.encodeInputs()...), nil
}

// encodeInputs returns the files of the fields by input.
func (b *Bundle) encodeInputs() []content {
	if len(b.Inputs) == 0 {
		return nil
	}
	var hashes strings.Builder
	var mus, sigmas []float32
	anyMu := slices.ContainsFunc(b.Inputs, func(in Input) bool { return in.Mu != nil })
	for _, in := range b.Inputs {
		hashes.WriteString(hex.EncodeToString(in.SHA256[:]) + "\n")
		sigmas = append(sigmas, in.Sigma...)
		if anyMu && in.Mu == nil {
			mus = append(mus, make([]float32, b.Dim())...)
		}
		mus = append(mus, in.Mu...)
	}
	shape := append([]int{len(b.Inputs)}, b.Shape...)
	out := []content{{roleInputs, []byte(hashes.String())}, {roleSigmaRows, npy.Encode(sigmas, shape)}}
	if anyMu {
		out = append(out, content{roleMuRows, npy.Encode(mus, shape)})
	}
	return out
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// limits of what Read takes into memory.
const (
	maxManifest = 1 << 20
	maxFile     = 1 << 31
)

// Read loads a bundle and checks it: form, hashes of all files, sizes of all fields, floor and
// ceiling. Its errors match [ErrBundle] when the folder is no valid bundle, are one line and say
// what to do.
func Read(dir string) (*Bundle, error) {
	root, err := sidefile.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w: %w; name the folder that \"ucan train npg --out\" wrote", ErrBundle, err)
	}
	b, err := readFrom(root)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, fmt.Errorf("read bundle %q: %w: %w", dir, ErrBundle, err)
	}
	return b, nil
}

func readFrom(root *sidefile.Folder) (*Bundle, error) {
	text, err := root.ReadFile(ManifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("it holds no npg.yaml; finish its training with --resume, or name another folder")
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	b := &Bundle{
		Kind: m.Kind, Basis: m.Basis, Shape: m.Shape, Limits: npg.Limits{Floor: m.Floor, Ceiling: npg.DefaultLimits().Ceiling},
		FixedMean: m.FixedMean, MuScale: m.MuScale, Training: m.Training, Diagnoses: m.Diagnoses, hash: digest(text),
	}
	if m.Ceiling != nil {
		b.Limits.Ceiling = *m.Ceiling
	}
	if err := checkShape(b.Shape); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	data := map[string][]byte{}
	for _, f := range m.Files {
		content, err := root.ReadFile(f.Name, maxFile)
		if err != nil {
			return nil, fmt.Errorf("file %q: %w; restore it, or train anew", f.Name, err)
		}
		if digest(content) != f.SHA256 {
			return nil, fmt.Errorf("file %q was altered: its SHA-256 is not the one in %s; restore it, or train anew", f.Name, ManifestName)
		}
		data[f.Role] = content
	}
	if err := b.decode(data); err != nil {
		return nil, err
	}
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	return b, nil
}

// decode sorts the files by role.
func (b *Bundle) decode(data map[string][]byte) error {
	b.Graphs = map[Role][]byte{}
	var err error
	for role, content := range data {
		switch role {
		case string(Mu), string(Sigma), string(Joint), string(Base):
			b.Graphs[Role(role)] = content
		case roleMuField:
			b.Mu, err = npy.Decode(content, b.Dim())
		case roleSigmaField:
			b.Sigma, err = npy.Decode(content, b.Dim())
		case roleInputs, roleMuRows, roleSigmaRows: // together, below
		default:
			err = errors.New("the role is unknown")
		}
		if err != nil {
			return fmt.Errorf("file of role %.40q: %w", role, err)
		}
	}
	return b.decodeInputs(data)
}

func (b *Bundle) decodeInputs(data map[string][]byte) error {
	if data[roleInputs] == nil {
		if data[roleSigmaRows] != nil || data[roleMuRows] != nil {
			return fmt.Errorf("fields by input without a file of role %q", roleInputs)
		}
		return nil
	}
	lines := strings.Fields(string(data[roleInputs]))
	dim := b.Dim()
	rows := map[string][]float32{}
	for _, role := range []string{roleSigmaRows, roleMuRows} {
		if data[role] == nil {
			continue
		}
		values, err := npy.Decode(data[role], dim*len(lines))
		if err != nil {
			return fmt.Errorf("file of role %q: %w", role, err)
		}
		rows[role] = values
	}
	if rows[roleSigmaRows] == nil {
		return fmt.Errorf("inputs without a file of role %q", roleSigmaRows)
	}
	for i, line := range lines {
		hash, err := hex.DecodeString(line)
		if err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("file of role %q: line %d must be a SHA-256", roleInputs, i+1)
		}
		in := Input{SHA256: [32]byte(hash), Sigma: rows[roleSigmaRows][i*dim : (i+1)*dim]}
		if mus := rows[roleMuRows]; mus != nil {
			in.Mu = mus[i*dim : (i+1)*dim]
		}
		b.Inputs = append(b.Inputs, in)
	}
	return nil
}
