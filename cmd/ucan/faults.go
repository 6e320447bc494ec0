package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// faults collects everything that is wrong with the options of a command, so that a user sees all
// of it at once.
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
	f.addTo(f.of(into), fmt.Errorf(format, args...))
}

func (f *faults) addTo(s *setting, err error) {
	if f.broken[s] {
		return
	}
	err = fmt.Errorf("--%s (%s): %w", s.flag, s.key, err)
	if at := f.app.config.of(s.key); at.path != "" && strings.HasPrefix(f.origin(s), "file") {
		err = fmt.Errorf("%s: %w", at, err)
	}
	f.list = append(f.list, err)
}

// in lists the options of the command that the help shows in one of the sections.
func (f *faults) in(list ...section) (all []*setting) {
	for _, s := range f.scopes[len(f.scopes)-1].list {
		if slices.Contains(list, s.section) {
			all = append(all, s)
		}
	}
	return all
}

// changed reports whether a flag, a variable or a file gives the value at the pointer, rather than
// its default.
func (f *faults) changed(into any) bool { return f.origin(f.of(into)) != originDefault }

// differs reports whether the value at the pointer is given and is another than its default.
func (f *faults) differs(into any) bool {
	s := f.of(into)
	return f.changed(into) && text(f.app.viper.Get(s.key)) != text(s.value)
}

func (f *faults) origin(s *setting) string { return origin(f.app.flags, f.app.config, *s) }

// err returns the faults found so far as one usage error.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	if len(f.list) == 1 {
		return usagef("read the configuration: %w", f.list[0]) // which may be a missing file
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
			complete := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return s.complete(typed)
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
			f.addTo(s, err)
			f.broken[s] = true
		}
	}
	b.group.check(f)
}
