// Package checkpoint stores the whole state of a training run so that a killed run continues to the
// same bytes.
//
// A checkpoint is one file: a header in JSON, tensors as little-endian float32, and a SHA-256 over
// both. It appears complete or not at all (temporary name, fsync, rename), and the one before it is
// kept, so that a file damaged later costs a few steps and not the run.
package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
	"ucan/train/optim"
)

// magic begins every checkpoint and names its form.
const magic = "ucan checkpoint 1\n"

// maxHeader bounds what is read of a header before its checksum is known.
const maxHeader = 64 << 20

// errDamaged marks a file that is not a whole checkpoint.
var errDamaged = errors.New("the checkpoint is damaged")

// header is the JSON part.
type header struct {
	// Run is the caller's.
	Run json.RawMessage `json:"run"`
	// Tensors lists names and lengths in the order of the data.
	Tensors []entry `json:"tensors"`
}

type entry struct {
	Name   string `json:"name"`
	Length int    `json:"length"`
}

// Checkpoint is what was read.
type Checkpoint struct {
	run     json.RawMessage
	tensors map[string][]float32
}

// Run decodes the caller's part of the header into v.
func (c *Checkpoint) Run(v any) error {
	if err := json.Unmarshal(c.run, v); err != nil {
		return fmt.Errorf("%w: its header cannot be read: %w", errDamaged, err)
	}
	return nil
}

// Restore copies stored values into the tensors, all or none. A tensor that is not stored, or with
// another length, is an error that says so.
func (c *Checkpoint) Restore(tensors []optim.Tensor) error {
	for _, t := range tensors {
		stored, ok := c.tensors[t.Name]
		if !ok || len(stored) != len(t.Values) {
			return fmt.Errorf("%w: it holds %d values of %q and the run has %d", errDamaged, len(stored), t.Name, len(t.Values))
		}
	}
	for _, t := range tensors {
		copy(t.Values, c.tensors[t.Name])
	}
	return nil
}

// writeFile stores run (anything that encoding/json writes) and the tensors under path in one step.
func writeFile(path string, run any, tensors []optim.Tensor) error {
	raw, err := json.Marshal(run)
	if err != nil {
		return err
	}
	h := header{Run: raw}
	for _, t := range tensors {
		h.Tensors = append(h.Tensors, entry{t.Name, len(t.Values)})
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return atomicfile.WriteLocked(path, func(w io.Writer) error {
		sum := sha256.New()
		out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
		if err := writeParts(out, text, tensors); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		_, err := w.Write(sum.Sum(nil))
		return err
	})
}

func writeParts(w io.Writer, text []byte, tensors []optim.Tensor) error {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(text)))
	for _, part := range [][]byte{[]byte(magic), size[:], text} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	buffer := make([]byte, 0, 4096)
	for _, t := range tensors {
		for v := t.Values; len(v) > 0; {
			n := min(len(v), cap(buffer)/4)
			buffer = buffer[:0]
			for _, x := range v[:n] {
				buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(x))
			}
			if _, err := w.Write(buffer); err != nil {
				return err
			}
			v = v[n:]
		}
	}
	return nil
}

// readFile reads a checkpoint. The error matches fs.ErrNotExist when there is none, errDamaged when
// it is not whole.
func readFile(path string) (c *Checkpoint, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read checkpoint %q: %w", filepath.Base(path), err)
		}
	}()
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return read(f, info.Size())
}

func read(f io.Reader, size int64) (*Checkpoint, error) {
	r := &summed{r: bufio.NewReaderSize(f, 1<<20), sum: sha256.New(), left: size - sha256.Size}
	begin, err := r.take(int64(len(magic) + 8))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(begin, []byte(magic)) {
		return nil, fmt.Errorf("%w: it does not begin like a checkpoint", errDamaged)
	}
	length := binary.LittleEndian.Uint64(begin[len(magic):])
	if length > maxHeader {
		return nil, fmt.Errorf("%w: its header would be %d bytes long", errDamaged, length)
	}
	text, err := r.take(int64(length))
	if err != nil {
		return nil, err
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	c := &Checkpoint{run: h.Run, tensors: make(map[string][]float32, len(h.Tensors))}
	for _, e := range h.Tensors {
		if e.Length < 0 || int64(e.Length) > r.left/4 || c.tensors[e.Name] != nil {
			return nil, fmt.Errorf("%w: tensor %q has an impossible size", errDamaged, e.Name)
		}
		raw, err := r.take(4 * int64(e.Length))
		if err != nil {
			return nil, err
		}
		values := make([]float32, e.Length)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		c.tensors[e.Name] = values
	}
	return c, r.check()
}

// summed reads parts of a file whose size is known, and sums what it read.
type summed struct {
	r    io.Reader
	sum  hash.Hash
	left int64 // before the checksum
}

func (s *summed) take(n int64) ([]byte, error) {
	if n > s.left {
		return nil, fmt.Errorf("%w: it ends too early", errDamaged)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	s.left -= n
	s.sum.Write(b)
	return b, nil
}

func (s *summed) check() error {
	stored := make([]byte, sha256.Size)
	if _, err := io.ReadFull(s.r, stored); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	if s.left != 0 || !bytes.Equal(stored, s.sum.Sum(nil)) {
		return fmt.Errorf("%w: its checksum is wrong", errDamaged)
	}
	return nil
}

// Names of the files of a run's folder.
const (
	fresh    = "fresh.ckpt" // newer than the latest, and whole
	latest   = "latest.ckpt"
	previous = "previous.ckpt"
)

// Save stores a new checkpoint in a folder, which it makes, and keeps the one before.
func Save(dir string, run any, tensors []optim.Tensor) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write checkpoint: %w", err)
		}
	}()
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err = writeFile(filepath.Join(dir, fresh), run, tensors); err != nil {
		return err
	}
	// Killed between the two, the folder has a previous and a fresh checkpoint: Load looks for all
	// three.
	err = os.Rename(filepath.Join(dir, latest), filepath.Join(dir, previous))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err = os.Rename(filepath.Join(dir, fresh), filepath.Join(dir, latest)); err != nil {
		return err
	}
	atomicfile.SyncDir(dir)
	return nil
}

// Load returns the newest whole checkpoint of a folder; nil when there is none, as before the
// first. damaged holds what is wrong with newer ones that were passed over.
func Load(dir string) (c *Checkpoint, damaged error) {
	for _, name := range []string{fresh, latest, previous} {
		c, err := readFile(filepath.Join(dir, name))
		if err == nil {
			return c, damaged
		}
		if !errors.Is(err, fs.ErrNotExist) {
			damaged = errors.Join(damaged, err)
		}
	}
	return nil, damaged
}
