package table

import (
	"errors"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	tab := New("model", ">radius", "σ")
	tab.Row("resnet", "0.25", "½")
	tab.Row("a\nb\x1b[31m", 12.5)
	tab.Row("x", 1, 2, "dropped")
	// The σ column is one character wide although σ takes two bytes.
	want := "model           radius  σ\n" +
		"--------------  ------  -\n" +
		"resnet            0.25  ½\n" +
		`a\nb\u001b[31m    12.5` + "\n" +
		"x                    1  2\n"
	var b strings.Builder
	if _, err := tab.WriteTo(&b); err != nil || b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if tab.Len() != 3 {
		t.Errorf("%d rows, want 3", tab.Len())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no") }

func TestWriteError(t *testing.T) {
	if _, err := New("a").WriteTo(broken{}); err == nil {
		t.Error("the writer's error is lost")
	}
}
