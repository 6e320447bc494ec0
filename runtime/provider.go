package runtime

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Provider is an onnxruntime execution provider by name, with its options as
// onnxruntime spells them.
type Provider struct {
	// Name in lower case: "cpu", "cuda" or another of ProviderNames, or a name of
	// the user's own for a plugin given by LibraryOption.
	Name string
	// Options are handed to the provider. For cuda, use_tf32 is "0" unless set
	// here, because TF32 moves logits by far more than a change of device.
	Options map[string]string
}

// CPU is the name of the provider that every library has.
const CPU = "cpu"

// Validate refuses names that are not in ProviderNames and have no LibraryOption,
// wrapping ErrUnknownProvider, and empty option names, wrapping ErrOptions.
func (p Provider) Validate() error {
	if err := p.validatePlugin(); err != nil {
		return err
	}
	for k := range p.Options {
		if k == "" {
			return fmt.Errorf("%w: provider %q has an option without a name", ErrOptions, p.Name)
		}
	}
	return nil
}

// ParseProviders makes providers of names (case does not matter, spaces
// around them neither, empty ones are skipped) and options by provider name.
// No name at all means the CPU. Options for a provider that is not listed are
// an error, as they would silently do nothing.
func ParseProviders(names []string, options map[string]map[string]string) ([]Provider, error) {
	var (
		out  []Provider
		errs []error
	)
	used := make(map[string]bool)
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		p := Provider{Name: name, Options: maps.Clone(options[name])}
		if err := p.Validate(); err != nil {
			errs = append(errs, err)
		}
		if used[name] {
			errs = append(errs, fmt.Errorf("%w: provider %q is listed twice", ErrOptions, name))
		}
		used[name] = true
		out = append(out, p)
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !used[name] {
			errs = append(errs, fmt.Errorf("%w: options are given for provider %q, which is not among the providers", ErrOptions, name))
		}
	}
	if len(out) == 0 {
		out = []Provider{{Name: CPU}}
	}
	return out, errors.Join(errs...)
}

// Fallback tells that a wanted provider was passed over, or did not get all
// computing nodes.
type Fallback struct {
	Provider string `json:"provider"`
	Reason   string `json:"reason"` // one line
}

// tidy cuts onnxruntime's CUDA errors, which carry C++ signatures, source lines
// and the host's name, down to what CUDA said.
func tidy(err error) error {
	text := err.Error()
	i := strings.LastIndex(text, "CUDA failure")
	if i < 0 {
		return err
	}
	said, _, _ := strings.Cut(text[i:], " ;")
	return errors.New(strings.TrimSpace(said))
}
