package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cast"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// optionGroup declares options that belong together, with the places of their values, and checks what they were given.
// A command is bound to one group, which may consist of others.
type optionGroup interface {
	// declare names the options. It is called once, before the command line is read.
	declare(o *options)
	// check adds a fault for every value that cannot be used. It is called after all values are set.
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

// drop takes back options of a shared group that a command does not have. Their values stay the defaults.
func (o *options) drop(into ...any) {
	for _, value := range into {
		s := o.of(value)
		delete(o.at, value)
		o.list = slices.DeleteFunc(o.list, func(other *setting) bool { return other == s })
	}
}

// of returns the option that sets the value at the pointer; an option that was not declared is a fault of the programmer.
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

// as gives the flag a short form of one letter.
func (s *setting) as(short string) *setting { s.short = short; return s }

// code says that the option names code that is loaded or executed.
func (s *setting) code() *setting { s.kind = kindCode; return s }

// address says that the option names a place that data or credentials go to, or where connections are taken.
func (s *setting) address() *setting { s.kind = kindAddress; return s }

// output says that the option names a file or folder that is written.
func (s *setting) output() *setting { s.kind = kindOutput; return s }

// oneOf says which values there are, beside the default. Others are refused, with the nearest one.
func (s *setting) oneOf(values ...string) *setting {
	set := s.set
	s.set = func(v any) error {
		if t := text(v); t != text(s.value) && !slices.Contains(values, t) {
			return unknown("value", t, values)
		}
		return set(v)
	}
	return s.offers(func() []string { return values })
}

// offers says which values the shell completes; others may be given.
func (s *setting) offers(values func() []string) *setting { s.values = values; return s }

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
		return n, fmt.Errorf("%d is out of range; give %s", n, between(low, high))
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

// faults collects everything that is wrong with the options of a command, so that a user sees all of it at once.
type faults struct {
	app    *app
	args   []string   // of the command, beside its flags
	scopes []*options // those of every command, then the command's own
	broken map[*setting]bool
	list   []error
}

// of returns the option that sets the value at the pointer.
func (f *faults) of(into any) *setting {
	for _, o := range f.scopes {
		if s, ok := o.at[into]; ok {
			return s
		}
	}
	panic(fmt.Sprintf("ucan: no option sets the %T that is asked for", into))
}

// add notes what is wrong with the value at the pointer, unless it is known to be no value at all.
func (f *faults) add(into any, format string, args ...any) {
	if s := f.of(into); !f.broken[s] {
		f.list = append(f.list, fmt.Errorf("--%s (%s): %w", s.flag, s.key, fmt.Errorf(format, args...)))
	}
}

// has reports whether the command declares the option of the pointer.
func (f *faults) has(into any) bool {
	return slices.ContainsFunc(f.scopes, func(o *options) bool { return o.at[into] != nil })
}

// changed reports whether a flag, a variable or a file gives the value at the pointer, rather than its default.
func (f *faults) changed(into any) bool { return f.origin(f.of(into)) != originDefault }

// differs reports whether the value at the pointer is given and is another than its default.
func (f *faults) differs(into any) bool {
	s := f.of(into)
	return f.changed(into) && text(f.app.viper.Get(s.key)) != text(s.value)
}

func (f *faults) origin(s *setting) string { return origin(f.app.viper, f.app.flags, f.app.config, *s) }

// flagOf is the flag that sets the value at the pointer, as messages name it.
func (f *faults) flagOf(into any) string { return "--" + f.of(into).flag }

// err returns the faults found so far as one usage error.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	texts := make([]string, len(f.list))
	for i, fault := range f.list {
		texts[i] = fault.Error()
	}
	return usagef("read the configuration: %s", strings.Join(texts, "; "))
}

// binding is a group of options with the command that they belong to.
type binding struct {
	group   optionGroup
	options *options
}

// bind gives a command its options.
func (a *app) bind(cmd *cobra.Command, group optionGroup) { a.bindFlags(cmd, cmd.Flags(), group) }

func (a *app) bindFlags(cmd *cobra.Command, flags *pflag.FlagSet, group optionGroup) {
	o := newOptions()
	group.declare(o)
	flags.SortFlags = false // the help lists them as they are declared
	for _, s := range o.list {
		addFlag(flags, *s)
		if s.values != nil {
			complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return s.values(), cobra.ShellCompDirectiveNoFileComp
			}
			_ = cmd.RegisterFlagCompletionFunc(s.flag, complete) // fails only for a flag that does not exist
		}
	}
	a.bindings[cmd] = binding{group, o}
	a.order = append(a.order, cmd)
}

// resolve gives every option of the binding the value in force and checks them.
func (f *faults) resolve(b binding) {
	f.scopes = append(f.scopes, b.options)
	for _, s := range b.options.list {
		value := s.value // which another command may have otherwise
		if f.origin(s) != originDefault {
			value = f.app.viper.Get(s.key)
		}
		if err := s.set(value); err != nil {
			f.add(s.into, "%w", err)
			f.broken[s] = true
		}
	}
	b.group.check(f)
}

// unknown is the error for a word that is none of those there are; it names the nearest one.
func unknown(what, word string, known []string) error {
	hint := ""
	if near := nearest(word, known); near != "" {
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

// nearest is the known word that differs least from the given one, "" where none is close.
func nearest(word string, known []string) string {
	best, least := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours between two words
// (Damerau–Levenshtein, optimal string alignment).
func editDistance(from, to string) int {
	a, b := []rune(from), []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
