package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cast"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// values reads typed settings and collects every fault, so that a user sees all of them at once.
type values struct {
	viper  *viper.Viper
	flags  *pflag.FlagSet
	file   configFile
	faults []error
}

func (a *app) values() *values { return &values{viper: a.viper, flags: a.flags, file: a.config} }

// err returns the faults found so far as one usage error.
func (r *values) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	texts := make([]string, len(r.faults))
	for i, f := range r.faults {
		texts[i] = f.Error()
	}
	return usagef("read the configuration: %s", strings.Join(texts, "; "))
}

func (r *values) fault(key, format string, args ...any) {
	s := findSetting(key)
	r.faults = append(r.faults, fmt.Errorf("--%s (%s): %s", s.flag, key, fmt.Sprintf(format, args...)))
}

func (r *values) given(key string) bool { return text(r.viper.Get(key)) != "" }

// changed reports whether flag, variable or file gives the setting, rather than its default.
func (r *values) changed(key string) bool {
	return origin(r.viper, r.flags, r.file, findSetting(key)) != "default"
}

// differs reports whether the setting is given and is another than its default.
func (r *values) differs(key string) bool {
	return r.changed(key) && r.text(key) != text(findSetting(key).value)
}

func (r *values) text(key string) string { return text(r.viper.Get(key)) }

func (r *values) flag(key string) bool {
	b, err := cast.ToBoolE(r.viper.Get(key))
	if err != nil {
		r.fault(key, "%q is neither true nor false", r.text(key))
	}
	return b
}

func (r *values) int(key string, low, high int64) int64 {
	n, err := cast.ToInt64E(r.viper.Get(key))
	if f, isFloat := r.viper.Get(key).(float64); isFloat && f != math.Trunc(f) {
		err = fmt.Errorf("not whole")
	}
	switch {
	case err != nil:
		r.fault(key, "%q is not a whole number", r.text(key))
	case n < low || n > high:
		r.fault(key, "%d is out of range; give %s", n, between(low, high))
	}
	return n
}

func between(low, high int64) string {
	if high == math.MaxInt64 || high == math.MaxInt32 {
		return fmt.Sprintf("at least %d", low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

func (r *values) float(key string) float64 {
	f, err := cast.ToFloat64E(r.viper.Get(key))
	if err != nil {
		r.fault(key, "%q is not a number", r.text(key))
	}
	return f
}

func (r *values) floats(key string) []float64 {
	var out []float64
	for _, t := range r.list(key) {
		f, err := cast.ToFloat64E(strings.TrimSpace(t))
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.fault(key, "%q is not a finite number", t)
			continue
		}
		out = append(out, f)
	}
	return out
}

// list reads a list of strings; a single string is split at commas, as on the command line.
func (r *values) list(key string) []string {
	switch v := r.viper.Get(key).(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return nil
		}
		return strings.Split(v, ",")
	default:
		list, err := cast.ToStringSliceE(v)
		if err != nil {
			r.fault(key, "%v is not a list", v)
		}
		return list
	}
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
