package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"ucan/runtime/files"
)

// LogName is the name of the training log in a run's folder: one JSON object a line, "kind":"epoch"
// or "step".
const LogName = "train.jsonl"

// field is one key of a log line; lines keep the order of their fields.
type field struct {
	key   string
	value any
}

// encode makes a line of fields. Numbers that JSON cannot hold become null.
func encode(fields []field) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if v, ok := f.value.(float64); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
			f.value = nil
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, fmt.Errorf("write the training log: %s: %w", f.key, err)
		}
		fmt.Fprintf(&b, "%q:%s", f.key, value)
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// logFile appends lines to the training log.
type logFile struct {
	file *os.File
	size int64
}

// openLog opens the log in dir and cuts it to keep bytes, what a checkpoint says was written before
// it: lines that were written after it will be written again.
func openLog(dir string, keep int64) (_ *logFile, short bool, err error) {
	f, err := files.OpenFile(filepath.Join(dir, LogName), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, false, fmt.Errorf("open the training log: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the training log: %w", errors.Join(err, f.Close()))
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if short = info.Size() < keep; short {
		if keep, err = wholeLines(f); err != nil {
			return nil, true, err
		}
	}
	return &logFile{file: f, size: keep}, short, f.Truncate(keep)
}

// wholeLines returns the length of the file up to its last line end.
func wholeLines(f *os.File) (int64, error) {
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	return int64(bytes.LastIndexByte(b, '\n') + 1), nil
}

func (l *logFile) write(fields []field) error {
	line, err := encode(fields)
	if err != nil {
		return err
	}
	if _, err = l.file.WriteAt(line, l.size); err != nil {
		return fmt.Errorf("write the training log: %w", err)
	}
	l.size += int64(len(line))
	return nil
}
