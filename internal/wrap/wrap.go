// Package wrap breaks the text of helps into lines.
package wrap

import (
	"strings"
	"unicode/utf8"
)

// Text fills paragraphs; an indented line stays a line of its own.
func Text(text string, width int) string {
	var out, words []string
	fill := func() {
		if len(words) > 0 {
			out = append(out, Line("", 0, strings.Join(words, " "), width))
			words = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
			fill()
			out = append(out, "")
		case strings.HasPrefix(line, " "):
			fill()
			name, rest := splitEntry(line)
			out = append(out, Line(name, utf8.RuneCountInString(name), rest, width))
		default:
			words = append(words, line)
		}
	}
	fill()
	return strings.TrimRight(strings.Join(out, "\n"), "\n")
}

// splitEntry cuts an indented line where its second column begins, or after the indentation.
func splitEntry(line string) (name, rest string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	word := line[indent:]
	gap := strings.Index(word, "  ")
	if gap < 0 {
		return line[:indent], word
	}
	rest = strings.TrimLeft(word[gap:], " ")
	return line[:len(line)-len(rest)], rest
}

// Line breaks text after the prefix into lines of at most width characters; those after the first
// are indented.
func Line(prefix string, indent int, text string, width int) string {
	var b strings.Builder
	b.WriteString(prefix)
	column := utf8.RuneCountInString(prefix)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return strings.TrimRight(b.String(), " ")
}

// Example breaks long commands before their flags, as a shell reads them.
func Example(text string, width int) string {
	const glue = "\x00" // keeps a flag and its value on one line
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		command := strings.TrimLeft(line, " ")
		indent := len(line) - len(command)
		units := strings.ReplaceAll(strings.ReplaceAll(command, " ", glue), glue+"--", " --")
		broken := Line(line[:indent], indent+4, units, width-len(` \`))
		out = append(out, strings.ReplaceAll(strings.ReplaceAll(broken, "\n", " \\\n"), glue, " "))
	}
	return strings.Join(out, "\n")
}
