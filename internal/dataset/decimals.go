package dataset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// decimals reads the numbers of a table, with a decimal point or a decimal comma.
type decimals struct {
	mark  string // "." or ","; with a comma that was not asked for, points are read too
	given bool
	// pointLine and commaLine are where the first number with either was.
	pointLine, commaLine int
}

// parseDecimals reads ?decimal=. Where semicolons separate the cells, numbers may have decimal
// commas without being asked for: so do spreadsheets of countries that write them.
func parseDecimals(text string, separator rune) (decimals, error) {
	switch {
	case text == "" && separator == ';':
		return decimals{mark: ","}, nil
	case text == "":
		return decimals{mark: "."}, nil
	case text == "." || text == "," && separator != ',':
		return decimals{mark: text, given: true}, nil
	case text == ",":
		return decimals{}, specErrorf("option decimal=,: cells are separated by commas; name the separator with sep=")
	}
	return decimals{}, specErrorf("option decimal=%s: want a point or a comma", clip(text))
}

// isNumber reports whether a cell is a number.
func (d decimals) isNumber(cell string) bool {
	_, err := d.parse(cell, 0)
	return err == nil || isNumber(cell)
}

func isNumber(cell string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	return err == nil
}

// parse reads the number in a cell. An error that wraps strconv.ErrRange comes with one that is too
// large.
func (d *decimals) parse(cell string, line int) (float64, error) {
	text := strings.TrimSpace(cell)
	comma, point := strings.ContainsRune(text, ','), strings.ContainsRune(text, '.')
	if d.mark == "," {
		if point && d.given {
			return 0, fmt.Errorf("%s has a decimal point, and decimal=, was given", quote(text))
		}
		if strings.Count(text, ",") > 1 || comma && point {
			return 0, fmt.Errorf("%s is not a number; write it without marks between thousands", quote(text))
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && d.mark == "," && line > 0 {
		if comma && d.commaLine == 0 {
			d.commaLine = line
		}
		if point && d.pointLine == 0 {
			d.pointLine = line
		}
		if d.commaLine > 0 && d.pointLine > 0 {
			return 0, fmt.Errorf("%s: some numbers have a decimal point (line %d) and some a comma (line %d); write all alike, without marks between thousands",
				quote(cell), d.pointLine, d.commaLine)
		}
	}
	if err != nil && comma && d.mark == "." && !point {
		return 0, fmt.Errorf("%s is not a number; if that is a decimal comma, add decimal=, (and sep=; if need be)", quote(cell))
	}
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("%s is not a number", quote(cell))
	}
	return v, err
}
