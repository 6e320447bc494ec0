package main

import (
	"fmt"
	"strings"

	"ucan/internal/nearest"
)

// unknown is the error for a word that is none of those there are; it names the nearest one.
func unknown(what, word string, known []string) error {
	hint := ""
	if near := nearest.Word(word, known); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("unknown %s %q: use %s%s", what, word, alternatives(known), hint)
}

// alternatives joins words as a sentence does: a, b or c.
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
