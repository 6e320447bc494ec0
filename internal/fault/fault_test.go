package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestIsFindsMarksInTheWholeTree(t *testing.T) {
	inner := Mark(Refused, io.EOF)
	both := fmt.Errorf("open: %w", errors.Join(errors.New("plain"), Wrongf("read: %w", inner)))
	for kind, want := range map[Kind]bool{Wrong: true, Refused: true, False: false, None: false} {
		if got := Is(both, kind); got != want {
			t.Errorf("kind %d: %v, want %v", kind, got, want)
		}
	}
	if !errors.Is(both, io.EOF) || both.Error() != "open: plain\nread: EOF" {
		t.Errorf("the mark changes the error: %q", both)
	}
	if Mark(False, nil) != nil || Is(nil, Wrong) || Is(io.EOF, Wrong) {
		t.Error("nil or an unmarked error has a kind")
	}
}
