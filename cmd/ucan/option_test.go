package main

import (
	"io"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDeclarationsAgree: commands that declare the same key give it one flag, kind and text, and
// one default, but where it is known to differ.
func TestDeclarationsAgree(t *testing.T) {
	t.Parallel()
	a := newApp(io.Discard, io.Discard)
	newRootCommand(a)
	otherwise := map[string]string{"ucan bench statistics.n": "10000", "ucan predict statistics.n": "1000"} // neither certifies anything
	first := map[string]*setting{}
	for _, cmd := range a.order {
		for _, s := range a.bindings[cmd].options.list {
			known, ok := first[s.key]
			if !ok {
				first[s.key] = s
				continue
			}
			t.Run(cmd.CommandPath()+" "+s.key, func(t *testing.T) {
				if s.flag != known.flag || s.short != known.short || s.kind != known.kind || s.usage != known.usage || s.section != known.section {
					t.Errorf("%+v is declared elsewhere as %+v", s, known)
				}
				want, differs := otherwise[cmd.CommandPath()+" "+s.key]
				if !differs {
					want = text(known.value)
				}
				if text(s.value) != want {
					t.Errorf("the default is %q, want %q", text(s.value), want)
				}
			})
		}
	}
}

// TestEveryCommandBindsItsOptions: a flag that no option declares would be read by nobody.
func TestEveryCommandBindsItsOptions(t *testing.T) {
	t.Parallel()
	everyCommand(func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, declared := settingOfFlag(f); !declared && f.Name != "help" {
				t.Errorf("%s: --%s is declared by no options", cmd.CommandPath(), f.Name)
			}
		})
	})
}
