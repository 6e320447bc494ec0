package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"ucan/internal/nearest"

	"github.com/spf13/cast"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// kind is the type of a setting's value, and with it what a file in the current folder may do: see
// trust.go.
type kind int

const (
	kindString  kind = iota // a word, a name, or a file that is read
	kindCode                // a file whose code is loaded or executed
	kindAddress             // a place that data or credentials are sent to, or where connections are taken
	kindOutput              // a file or folder that is written
	kindStrings
	kindInt
	kindFloat
	kindFloats
	kindBool
	kindTree // a nested YAML value; as a flag, a list of strings
)

// setting is one knob: its key in the configuration file, its flag, and by rule its variable
// (UCAN_ and the key in capitals, dots as underscores).
type setting struct {
	key, flag, short string
	kind             kind
	value            any // default; nil means unset
	usage            string
	section          section               // of the help
	values           func() []string       // what the shell completes, nil for anything
	files            bool                  // may be given instead, or follow
	set              func(value any) error // stores the value in force
	into             any                   // the pointer to where
}

func (s setting) variable() string {
	return "UCAN_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

// as gives the flag a short form of one letter.
func (s *setting) as(short string) *setting { s.short = short; return s }

// code says that the option names code that is loaded or executed.
func (s *setting) code() *setting { s.kind = kindCode; return s }

// address says that the option names a place that data or credentials go to, or where connections
// are taken.
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

// orFiles says that a file may be given as well, or follow one of the values.
func (s *setting) orFiles() *setting { s.files = true; return s }

// complete lists the values that begin with what was typed; in a list, with what follows its last
// comma.
func (s *setting) complete(typed string) (fitting []string, directive cobra.ShellCompDirective) {
	before := ""
	if s.kind == kindStrings || s.kind == kindTree {
		at := strings.LastIndex(typed, ",") + 1
		before, typed = typed[:at], typed[at:]
	}
	for _, v := range s.values() {
		if strings.HasPrefix(v, typed) {
			fitting = append(fitting, before+v)
		}
	}
	if s.files {
		return fitting, cobra.ShellCompDirectiveNoSpace
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

var allSettings struct {
	once sync.Once
	list []setting
}

// settings returns every setting of the command, in the order in which "ucan config" prints them.
func settings() []setting {
	allSettings.once.Do(func() {
		a := newApp(io.Discard, io.Discard)
		newRootCommand(a)
		for _, s := range a.declared() {
			allSettings.list = append(allSettings.list, *s)
		}
	})
	return allSettings.list
}

// declared are the settings of all commands, each once, in the order of the commands.
func (a *app) declared() []*setting {
	var all []*setting
	seen := map[string]bool{}
	for _, cmd := range a.order {
		for _, s := range a.bindings[cmd].options.list {
			if !seen[s.key] {
				seen[s.key] = true
				all = append(all, s)
			}
		}
	}
	return all
}

const (
	keyAnnotation     = "ucan_key"
	sectionAnnotation = "ucan_section"
)

// addFlag defines the flag of a setting.
func addFlag(flags *pflag.FlagSet, s setting) {
	switch s.kind {
	case kindString, kindCode, kindAddress, kindOutput:
		flags.StringP(s.flag, s.short, text(s.value), s.usage)
	case kindStrings, kindTree:
		list, _ := s.value.([]string)
		flags.StringSliceP(s.flag, s.short, list, s.usage)
	case kindInt:
		n, _ := cast.ToInt64E(s.value) // defaults are numbers or nothing
		flags.Int64P(s.flag, s.short, n, s.usage)
	case kindFloat:
		flags.VarP(newFloatFlag(s.value), s.flag, s.short, s.usage)
	case kindFloats:
		flags.StringSliceP(s.flag, s.short, nil, s.usage)
	case kindBool:
		on, _ := s.value.(bool)
		flags.BoolP(s.flag, s.short, on, s.usage)
	}
	// SetAnnotation fails only for a flag that does not exist.
	_ = flags.SetAnnotation(s.flag, keyAnnotation, []string{s.key})
	_ = flags.SetAnnotation(s.flag, sectionAnnotation, []string{string(s.section)})
}

// floatFlag is a float64 flag that can be unset, so that "not given" and 0 stay apart.
type floatFlag struct{ text string }

func newFloatFlag(value any) *floatFlag {
	if value == nil {
		return &floatFlag{}
	}
	return &floatFlag{text: fmt.Sprint(value)}
}

func (f *floatFlag) String() string { return f.text }
func (f *floatFlag) Type() string   { return "float" }
func (f *floatFlag) Set(s string) error {
	if _, err := cast.ToFloat64E(s); err != nil {
		return fmt.Errorf("%q is not a number", s)
	}
	f.text = s
	return nil
}

func settingOfFlag(f *pflag.Flag) (string, bool) {
	keys := f.Annotations[keyAnnotation]
	if len(keys) != 1 {
		return "", false
	}
	return keys[0], true
}

// bindEnvironment makes v read UCAN_* variables and know every default.
func bindEnvironment(v *viper.Viper) {
	for _, s := range settings() {
		_ = v.BindEnv(s.key, s.variable()) // fails only without a key
		if s.value != nil {
			v.SetDefault(s.key, s.value)
		}
	}
}

// variablesOfTests are read by the project's own tests, not by the command.
func variablesOfTests() []string { return []string{"UCAN_SHARED"} }

// unknownVariables says of each UCAN_* variable that no setting has which one was probably meant.
func unknownVariables(environ []string) (unknown []string) {
	known := variablesOfTests()
	for _, s := range settings() {
		known = append(known, s.variable())
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "UCAN_") && !slices.Contains(known, name) && !strings.HasPrefix(name, "UCAN_PROBE") {
			unknown = append(unknown, name+didYouMean(nearest.Word(name, known)))
		}
	}
	return unknown
}

// originDefault is the origin of a value that nobody gave.
const originDefault = "default"

// origin says where the value of the setting came from: flag, variable, file or default.
func origin(flags *pflag.FlagSet, file *configFile, s setting) string {
	if f := flags.Lookup(s.flag); f != nil && f.Changed {
		return "flag --" + s.flag
	}
	if os.Getenv(s.variable()) != "" {
		return "variable " + s.variable()
	}
	if at := file.of(s.key); at.path != "" {
		return "file " + at.path
	}
	return originDefault
}
