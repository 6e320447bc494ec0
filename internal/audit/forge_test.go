package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/certificate"
)

// forged is one altered certificate line.
type forged struct {
	path, how string
	line      []byte
}

// TestEveryAlteration alters every member of real certificates of every kind, seals each again as a
// forger would, and accepts none that the list of underivable members lacks. Every entry of the
// list must be needed. The published schema lets all pass that is accepted, and no member that does
// not exist.
func TestEveryAlteration(t *testing.T) {
	subtest.Long(t)
	var mutex sync.Mutex
	needed := map[string]bool{} // guarded by mutex
	schema := schemaOf(t)
	for name, line := range subtest.Rows(specimens(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, findings, err := newChecker(nil, build).checkLine(line)
			if err != nil || len(findings) > 0 {
				t.Fatalf("the honest certificate: %v %v", findings, err)
			}
			checker := newChecker(nil, build)
			for _, f := range forgeries(t, line) {
				_, findings, err := checker.checkLine(f.line)
				if err != nil || len(findings) > 0 {
					if f.how == "added" && !strings.Contains(f.path, "noise.parameters") && validate(t, schema, f.line) == nil {
						t.Errorf("%s: the schema lets an unknown member pass", f.path)
					}
					continue
				}
				if err := validate(t, schema, f.line); err != nil {
					t.Errorf("%s %s: accepted, and the schema refuses it: %v", f.path, f.how, err)
				}
				open := false
				for _, o := range underivable() {
					if o.matches(c, f.path) {
						open = true
						mutex.Lock()
						needed[o.Path+" "+o.Where] = true
						mutex.Unlock()
					}
				}
				if !open {
					t.Errorf("%s %s: accepted", f.path, f.how)
				}
			}
		})
	}
	t.Cleanup(func() { // after all rows
		for _, o := range underivable() {
			if !needed[o.Path+" "+o.Where] {
				t.Errorf("%s of %q is called underivable, and every alteration of it was found", o.Path, o.Where)
			}
		}
	})
}

// forgeries returns every alteration of every member of a line, sealed.
func forgeries(t *testing.T, line []byte) []forged {
	t.Helper()
	var out []forged
	add := func(path, how string, tree any) {
		text := encode(tree)
		id, err := certificate.LineID(text)
		if err == nil && path != "id" {
			text = reseal(text, id)
		}
		out = append(out, forged{path, how, text})
	}
	var walk func(path []string)
	walk = func(path []string) {
		name := strings.Join(path, ".")
		switch v := at(decode(line), path).(type) {
		case map[string]any:
			add(join(path, "stranger"), "added", edit(decode(line), append(slices.Clone(path), "stranger"), func(any) (any, bool) { return 1.0, true }))
			for _, member := range slices.Sorted(maps.Keys(v)) {
				walk(append(slices.Clone(path), member))
			}
		case []any:
			add(name, "longer", edit(decode(line), path, func(v any) (any, bool) { return longer(v), true }))
			if len(v) > 0 {
				add(name, "shorter", edit(decode(line), path, func(v any) (any, bool) { return v.([]any)[1:], true }))
			}
			for i := range v {
				walk(append(slices.Clone(path), strconv.Itoa(i)))
			}
		}
		if len(path) == 0 {
			return
		}
		for how, value := range others(at(decode(line), path)) {
			add(name, how, edit(decode(line), path, func(any) (any, bool) { return value, true }))
		}
		if _, inObject := at(decode(line), path[:len(path)-1]).(map[string]any); inObject {
			add(name, "absent", edit(decode(line), path, func(any) (any, bool) { return nil, false }))
			out = append(out, forged{name, "twice", twice(t, line, path)})
		}
	}
	walk(nil)
	// One vote moved between two classes, so that all sums stay as they are.
	for _, votes := range []string{"selection", "counts"} {
		path := []string{"statistics", votes}
		of, _ := at(decode(line), path).(map[string]any)
		for _, class := range slices.Sorted(maps.Keys(of)) {
			for _, to := range []string{"0", "1", "2", "3"} {
				if to != class {
					add(join(path, class), "moved to "+to, edit(decode(line), path, func(v any) (any, bool) { return moved(v.(map[string]any), class, to), true }))
				}
			}
		}
	}
	return out
}

// moved takes a vote from one class and gives it to another.
func moved(votes map[string]any, from, to string) map[string]any {
	count := func(class string) int64 {
		n, ok := votes[class].(json.Number)
		if !ok {
			return 0
		}
		v, err := n.Int64()
		if err != nil {
			panic(err)
		}
		return v
	}
	out := maps.Clone(votes)
	if out[from] = json.Number(strconv.FormatInt(count(from)-1, 10)); count(from) == 1 {
		delete(out, from)
	}
	out[to] = json.Number(strconv.FormatInt(count(to)+1, 10))
	return out
}

func join(path []string, name string) string {
	return strings.Join(append(slices.Clone(path), name), ".")
}

// others are values that a member does not have.
func others(v any) map[string]any {
	out := map[string]any{}
	if v != nil {
		out["null"] = nil
	}
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			break
		}
		values := map[string]float64{
			"an ulp up": math.Nextafter(f, math.Inf(1)), "an ulp down": math.Nextafter(f, math.Inf(-1)), "one more": f + 1, "one less": f - 1,
			"half": f / 2, "twice": 2 * f, "a billionth up": f * (1 + 1e-9), "a billionth down": f * (1 - 1e-9), "huge": 1e15, "zero": 0, "negative": -f,
		}
		for how, x := range values {
			if x != f && !math.IsInf(x, 0) {
				out[how] = json.Number(strconv.FormatFloat(x, 'g', -1, 64))
			}
		}
		out["a string"] = v.String()
		out["infinite"] = "Infinity"
	case string:
		out["another string"], out["empty"], out["a number"], out["upper case"] = v+"x", "", json.Number("7"), strings.ToUpper(v)
		out["without its last"] = v[:max(0, len(v)-1)]
		if len(v) == 64 {
			out["another hash"] = strings.Repeat("ab", 32)
		}
		for _, words := range [][]string{ // the other values of an enumeration
			{"deployed", "pinned", "selector", "none"}, {"certified", "abstained", "failed"}, {"argmin", "argmax", "label", "threshold:0.5"},
			{"laplace", "gaussian"}, {"l1", "l2", "linf"}, {"float32", "lattice"}, {"fixed", "adaptive", "two-stage"},
			{"pattern", "dataset", "field", "certification", "per-input"}, {"strict", "default", "fast", "custom"},
		} {
			if !slices.Contains(words, v) {
				continue
			}
			for _, word := range words {
				out[word] = word
			}
		}
		if strings.HasPrefix(v, "pattern:") {
			out["pattern:l2"] = "pattern:l2"
		}
		if v == "-Infinity" {
			out["zero"] = json.Number("0")
		}
		delete(out, v)
		for how, value := range out {
			if value == v {
				delete(out, how)
			}
		}
	case bool:
		out["inverted"] = !v
		out["a string"] = fmt.Sprint(v)
	case nil:
		out["a number"], out["a string"], out["false"], out["an object"], out["an array"] = json.Number("1"), "x", false, map[string]any{}, []any{json.Number("1")}
	case map[string]any:
		out["empty"], out["an array"] = map[string]any{}, []any{}
		if len(v) == 0 {
			delete(out, "empty")
		}
	case []any:
		out["an object"] = map[string]any{}
		if len(v) > 0 {
			out["empty"] = []any{}
		}
	}
	return out
}

func longer(v any) []any {
	list := v.([]any)
	if len(list) == 0 {
		return []any{json.Number("1")}
	}
	return append(slices.Clone(list), list[len(list)-1])
}

func decode(line []byte) any {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(out.Bytes())
}

func reseal(line []byte, id string) []byte {
	o, ok := decode(line).(map[string]any)
	if !ok {
		return line
	}
	if _, there := o["id"]; there {
		o["id"] = id
	}
	return encode(o)
}

// at returns the value at a path.
func at(v any, path []string) any {
	for _, name := range path {
		switch o := v.(type) {
		case map[string]any:
			v = o[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil {
				panic(err)
			}
			v = o[i]
		}
	}
	return v
}

// edit replaces the value at a path, or removes it.
func edit(v any, path []string, change func(any) (any, bool)) any {
	if len(path) == 0 {
		value, _ := change(v)
		return value
	}
	switch o := v.(type) {
	case map[string]any:
		value, keep := o[path[0]], true
		if len(path) > 1 {
			value = edit(value, path[1:], change)
		} else {
			value, keep = change(value)
		}
		if o[path[0]] = value; !keep {
			delete(o, path[0])
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil {
			panic(err)
		}
		o[i] = edit(o[i], path[1:], change)
	}
	return v
}

// twice repeats a member, as two readers would read differently.
func twice(t *testing.T, line []byte, path []string) []byte {
	t.Helper()
	const mark = "twice-"
	last := path[len(path)-1]
	value := at(decode(line), path)
	tree := edit(decode(line), append(slices.Clone(path[:len(path)-1]), mark+last), func(any) (any, bool) { return value, true })
	text := string(encode(tree))
	if !strings.Contains(text, mark+last) {
		t.Fatalf("no member %s", last)
	}
	return []byte(strings.Replace(text, mark+last, last, 1))
}
