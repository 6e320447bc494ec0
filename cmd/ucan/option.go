package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"ucan/internal/nearest"

	"github.com/spf13/cast"
)

// optionGroup declares options that belong together, with the places of their values, and checks
// what they were given. A command is bound to one group, which may consist of others.
type optionGroup interface {
	// declare names the options. It is called once, before the command line is read.
	declare(o *options)
	// check adds a fault for every value that cannot be used. It is called after all values are
	// set.
	check(f *faults)
}

// section is the heading under which the help of a command lists an option.
type section string

// The sections, in the order of the help.
const (
	modelSection      section = "Model"
	dataSection       section = "Data"
	noiseSection      section = "Noise"
	statisticsSection section = "Statistics"
	trainingSection   section = "Training"
	zooSection        section = "Zoo"
	otherSection      section = "Options"
	outputSection     section = "Output"
	runtimeSection    section = "Runtime"
)

func sections() []section {
	return []section{modelSection, dataSection, noiseSection, statisticsSection, trainingSection, zooSection, otherSection, outputSection, runtimeSection}
}

// options are the settings of one command, in the order of their declaration.
type options struct {
	list    []*setting
	section section
	at      map[any]*setting // by the pointer to the value
}

func newOptions() *options { return &options{section: otherSection, at: map[any]*setting{}} }

// in starts a section: options declared from here on are listed under it.
func (o *options) in(s section) { o.section = s }

// drop takes back options of a shared group that a command does not have. Their values stay the
// defaults.
func (o *options) drop(into ...any) {
	for _, value := range into {
		s := o.of(value)
		delete(o.at, value)
		o.list = slices.DeleteFunc(o.list, func(other *setting) bool { return other == s })
	}
}

// of returns the option that sets the value at the pointer; an option that was not declared is a
// fault of the programmer.
func (o *options) of(into any) *setting {
	s, ok := o.at[into]
	if !ok {
		panic(fmt.Sprintf("ucan: no option sets the %T that is asked for", into))
	}
	return s
}

func (o *options) add(into any, s setting) *setting {
	s.section = o.section
	s.into = into
	_ = s.set(s.value) // a default that is out of range asks for a value
	o.list = append(o.list, &s)
	o.at[into] = &s
	return &s
}

// text declares an option with a word, a name, or a file that is read.
func (o *options) text(into *string, key, flag, initial, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindString, value: initial, usage: usage, set: func(v any) error {
		*into = text(v)
		return nil
	}})
}

// number declares an option with a whole number from low to high.
func (o *options) number(into *int64, key, flag string, initial, low, high int64, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindInt, value: initial, usage: usage, set: func(v any) (err error) {
		*into, err = wholeNumber(v, low, high)
		return err
	}})
}

// count is number for an int.
func (o *options) count(into *int, key, flag string, initial, low, high int, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindInt, value: initial, usage: usage, set: func(v any) error {
		n, err := wholeNumber(v, int64(low), int64(high))
		*into = int(n)
		return err
	}})
}

// float declares an option with a real number.
func (o *options) float(into *float64, key, flag string, initial float64, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindFloat, value: initial, usage: usage, set: func(v any) (err error) {
		*into, err = realNumber(v)
		return err
	}})
}

// maybeFloat declares an option with a real number that may be left out; the value is then nil.
func (o *options) maybeFloat(into **float64, key, flag, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindFloat, usage: usage, set: func(v any) error {
		*into = nil
		if text(v) == "" {
			return nil
		}
		f, err := realNumber(v)
		*into = &f
		return err
	}})
}

// floats declares an option with a list of finite numbers.
func (o *options) floats(into *[]float64, key, flag, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindFloats, usage: usage, set: func(v any) error {
		*into = nil
		list, err := stringList(v)
		for _, t := range list {
			f, castErr := cast.ToFloat64E(strings.TrimSpace(t))
			if castErr != nil || math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("%q is not a finite number", t)
			}
			*into = append(*into, f)
		}
		return err
	}})
}

// words declares an option with a list of texts.
func (o *options) words(into *[]string, key, flag string, initial []string, usage string) *setting {
	s := setting{key: key, flag: flag, kind: kindStrings, usage: usage, set: func(v any) (err error) {
		*into, err = stringList(v)
		return err
	}}
	if initial != nil {
		s.value = initial
	}
	return o.add(into, s)
}

// tree declares an option whose value is a list of texts as a flag, and may be nested in the file.
func (o *options) tree(into *any, key, flag string, initial []string, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindTree, value: initial, usage: usage, set: func(v any) error {
		*into = v
		return nil
	}})
}

// on declares a switch.
func (o *options) on(into *bool, key, flag, usage string) *setting {
	return o.add(into, setting{key: key, flag: flag, kind: kindBool, value: false, usage: usage, set: func(v any) (err error) {
		if *into, err = cast.ToBoolE(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", text(v))
		}
		return nil
	}})
}

// wholeNumber reads an integer within bounds.
func wholeNumber(v any, low, high int64) (int64, error) {
	n, err := cast.ToInt64E(v)
	if f, isFloat := v.(float64); isFloat && f != math.Trunc(f) {
		err = fmt.Errorf("not whole")
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a whole number", text(v))
	case n < low || n > high:
		return n, fmt.Errorf("%d is out of range: give %s", n, between(low, high))
	}
	return n, nil
}

func realNumber(v any) (float64, error) {
	f, err := cast.ToFloat64E(v)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", text(v))
	}
	return f, nil
}

// stringList reads a list of texts; a single text is split at commas, as on the command line.
func stringList(v any) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return strings.Split(v, ","), nil
	default:
		list, err := cast.ToStringSliceE(v)
		if err != nil {
			return nil, fmt.Errorf("%v is not a list", v)
		}
		return list, nil
	}
}

func between(low, high int64) string {
	if high == math.MaxInt64 || high == math.MaxInt32 {
		return fmt.Sprintf("at least %d", low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func text(v any) string {
	if v == nil {
		return ""
	}
	s, err := cast.ToStringE(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return s
}

// unknown is the error for a word that is none of those there are; it names the nearest one.
func unknown(what, word string, known []string) error {
	return fmt.Errorf("unknown %s %q: use %s%s", what, word, alternatives(known), didYouMean(nearest.Word(word, known)))
}

// didYouMean asks back for the word that is near, "" for none.
func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", near)
}

// alternatives joins words as a sentence does: a, b or c.
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
