package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// A file ucan.yaml in the current folder is in force although nobody named it: it may come with a
// folder that was cloned or unpacked. So it may not make the command load code, send anything
// anywhere, or write outside that folder. The kind of a setting decides; there is no second list
// that a new setting could be missing from.

// needsConsent reports whether a setting is only taken from where its user put it: a flag, a
// variable, a file named by --config, or the file in the user's configuration folder.
func needsConsent(s setting) bool { return s.kind == kindCode || s.kind == kindAddress }

// untrusted returns an error that names every setting of the file that a file nobody named may not
// have.
func untrusted(doc *configDocument) error {
	values := viper.New()
	_ = values.MergeConfigMap(doc.values) // never fails
	var faults, remedies []string
	for _, s := range settings() {
		line, set := doc.lines[s.key]
		if !set {
			continue
		}
		if why := unsafe(s, values.Get(s.key)); why != "" {
			faults = append(faults, fmt.Sprintf("line %d: %s %s", line, s.key, why))
			remedies = append(remedies, fmt.Sprintf("--%s or %s", s.flag, s.variable()))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	own := "the file ucan/ucan.yaml in your configuration folder"
	if path := ownConfigFile(); path != "" {
		own = path
	}
	return fmt.Errorf("%q of the current folder: %s; a file that was not named may not do that: use %s, put it into %s, or name the file with --config %s",
		doc.path, strings.Join(faults, ", "), strings.Join(slices.Compact(remedies), ", "), own, doc.path)
}

// unsafe says why a file that nobody named may not give the setting this value, "" where it may.
func unsafe(s setting, value any) string {
	switch s.kind {
	case kindCode:
		return "names code to load"
	case kindAddress:
		return "names a place that data or credentials go to"
	case kindOutput:
		if path := text(value); path != "" && staysHere(path) != nil {
			return fmt.Sprintf("writes to %q, outside the folder", path)
		}
	case kindTree:
		if why := unsafeProviders(value); why != "" {
			return why
		}
	case kindString, kindStrings, kindInt, kindFloat, kindFloats, kindBool:
	}
	return ""
}

// staysHere returns an error for a path that leads out of the current folder, by its name or by
// links. What does not exist yet is judged by the folder it will lie in.
func staysHere(path string) error {
	if !filepath.IsLocal(path) {
		return fmt.Errorf("%q leads out of the folder", path)
	}
	root, err := os.OpenRoot(".")
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing is written through it
	for at := filepath.Clean(path); at != "."; at = filepath.Dir(at) {
		_, err := root.Stat(at) // refuses links that lead out
		if err == nil {
			return nil
		}
		if _, linkErr := root.Lstat(at); linkErr == nil || !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%q is a link that leads out of the folder", path)
		}
	}
	return nil
}

// Options of providers may name libraries to load, models, caches and services. A file that nobody
// named may give them numbers, truth values and the providers' own constants, such as EXHAUSTIVE or
// kSameAsRequested.
var (
	plainOption = regexp.MustCompile(`^(true|false|[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|k?[A-Z][A-Za-z0-9_]*)$`)
	plainName   = regexp.MustCompile(`(?i)(path|lib|file|dir|folder|plugin|url|uri|endpoint|cache|prefix|config|context|key|token)`)
)

// unsafeProviders judges a list of providers.
func unsafeProviders(value any) string {
	providers, err := providersOf(value)
	if err != nil {
		return "" // refused with the reason where providers are used
	}
	for _, p := range providers {
		if p.Name == "azure" {
			return "has the provider azure, which sends inputs to a service"
		}
		for name, option := range p.Options {
			if plainName.MatchString(name) || !plainOption.MatchString(option) {
				return fmt.Sprintf("gives %s the option %s, which may name a file or a service", p.Name, name)
			}
		}
	}
	return ""
}

// sayConfig tells that a file nobody named is in force. That file cannot silence the message, a
// flag or variable can. The processes of a supervised run leave it to the one that started them.
func (a *app) sayConfig() {
	if !a.config.implicit || a.viper.GetBool("worker.follow") || a.quietByUser() {
		return
	}
	fmt.Fprintf(a.stderr, "configuration: %s of the current folder is in force\n", implicitFile)
}

// quietByUser reports whether a flag, a variable or a file that the user named asks for silence.
func (a *app) quietByUser() bool {
	if f := a.flags.Lookup("quiet"); f != nil && f.Changed {
		return a.global.quiet
	}
	return a.global.quiet && a.config.of("quiet").path != implicitFile
}
