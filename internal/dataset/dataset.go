package dataset

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"ucan/smooth"
)

// Options configures how the inputs of a source are prepared. The zero value takes
// them as they are stored.
type Options struct {
	// Resize scales every image so that its shorter side has this many pixels,
	// keeping the aspect ratio, before the crop. 0 means no resizing.
	Resize int
	// Crop cuts the central square of this many pixels. 0 means no crop.
	Crop int
	// LabelMap, where not nil, translates the source's labels into the model's
	// classes; an input whose label it lacks is an [*ItemError].
	LabelMap LabelMap
	// Classes is the number of classes of the model, 0 when unknown. A label
	// that is not below it is an [*ItemError].
	Classes int
}

// Info describes a source.
type Info struct {
	// Name identifies the source in records, without any folder of this machine,
	// for example "mnist:t10k".
	Name string
	// Shape is the shape of one input in the source's layout, for images
	// (channels, height, width) after resizing and cropping.
	Shape []int
	// Resize and Crop are those of [Options].
	Resize, Crop int
	// Classes is the number of classes of the labels given out, 0 when unknown.
	Classes int
	// Labels are the names of the classes, where the source knows them.
	Labels []string
	// Columns names the values of one input, for tables.
	Columns []string
	// Image says whether the inputs are images in [0, 1].
	Image bool
	// Notes are remarks on what was left out of the source, one line each.
	Notes []string
	// Fingerprint is a SHA-256, in hexadecimal, over what identifies the stored
	// data (see [Open]); records use it to notice that the data changed.
	Fingerprint string

	// classTexts are the classes by their numbers as the data name them, where the data do; sorted
	// says that the numbers are the order of the names, for want of anything else.
	classTexts map[int]string
	sorted     bool
	// lone is the one folder that all images of a source without classes lie in, "" for none.
	lone string
}

// Range returns the smallest and the largest value that any coordinate may have: 0 and 1 for
// images. known is false for others, which have whatever values are stored.
func (i Info) Range() (low, high float64, known bool) { return 0, 1, i.Image }

// Item is one input.
type Item struct {
	// Index is the input's index in the whole source.
	Index int
	// X holds the values in the source's layout, finite, owned by the caller.
	X []float32
	// Shape is the shape of X, the same for all items of a source.
	Shape []int
	// Label is the class, −1 when unknown.
	Label int
	// SHA256 is the digest of X as little-endian float32 values in source layout.
	SHA256 [32]byte
}

// record is what a format yields for one input: an image or plain values.
type record struct {
	image  *bitmap
	values []float32
	shape  []int
	label  int
}

// backend is one open data set in some format. identify adds what the stored
// data are known by; load must be safe for concurrent use and gives the label,
// where it knows it, even along with an error.
type backend interface {
	len() int
	identify(ctx context.Context, f fingerprint) error
	load(ctx context.Context, i int) (record, error)
	close() error
}

// labelled is a backend that knows the labels of all inputs without reading them; nil where it has
// none.
type labelled interface {
	labels() []int
}

// Source is an open data set. Its methods are safe for concurrent use, but for
// Close, which must come last.
type Source struct {
	back backend
	opt  Options
	info Info
	// own and ownNames are the classes before the label map; 0 and nil when unknown.
	own      int
	ownNames []string
	byName   map[int]int // from labels of the data to classes of a model; nil: as they are
	lone     *int        // the class of all inputs without a label; nil: none
	stats    *Spec       // the data that [Source.Spread] measures in place of these; nil: none
	closed   bool
}

// Open opens the source that spec names (see [Usage]) and checks it as a whole.
//
// The fingerprint covers the contents of single files up to 256 MiB, samples
// of larger ones, and the names and sizes of the files of folders and archives.
//
// Errors match [ErrSpec] when the specification or an option is wrong or names
// nothing, and [ErrFormat] when the data are not what they should be; each says
// what to do. Call [Source.Close] after use.
func Open(ctx context.Context, spec string, opt Options) (*Source, error) {
	parsed, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	if err = opt.validate(); err != nil {
		return nil, fmt.Errorf("open data source %q: %w", spec, err)
	}
	s, err := openSpec(ctx, parsed, opt)
	if err != nil {
		return nil, fmt.Errorf("open data source %q: %w", spec, err)
	}
	return s, nil
}

func openSpec(ctx context.Context, spec Spec, opt Options) (*Source, error) {
	form, err := findForm(spec.Kind)
	if err != nil {
		return nil, err
	}
	spec, stats, err := spec.withoutStats()
	if err != nil {
		return nil, err
	}
	back, info, err := form.open(ctx, spec)
	if err != nil {
		return nil, err
	}
	s := &Source{back: back, opt: opt, info: info, stats: stats}
	if err := s.finish(ctx, spec); err != nil {
		return nil, errors.Join(err, back.close())
	}
	return s, nil
}

func (o Options) validate() error {
	if o.Resize < 0 || o.Resize > maxImageSide {
		return specErrorf("resize to %d: want a side from 1 to %d pixels, or 0 for none", o.Resize, maxImageSide)
	}
	if o.Crop < 0 || o.Crop > maxImageSide {
		return specErrorf("crop to %d: want a side from 1 to %d pixels, or 0 for none", o.Crop, maxImageSide)
	}
	if o.Classes < 0 {
		return specErrorf("%d classes: want 0 (unknown) or more", o.Classes)
	}
	return nil
}

// finish resolves what depends on both the format and the options.
func (s *Source) finish(ctx context.Context, spec Spec) error {
	classes, err := spec.intParam("classes", s.info.Classes, 1, math.MaxInt32)
	if err != nil {
		return err
	}
	s.own, s.ownNames, s.info.Classes = classes, s.info.Labels, classes
	if s.opt.LabelMap != nil {
		s.info.Classes, s.info.Labels = s.opt.Classes, nil
	}
	if s.back.len() == 0 {
		return formatErrorf("it holds no input")
	}
	f := newFingerprint()
	if err := s.back.identify(ctx, f); err != nil {
		return err
	}
	s.info.Fingerprint = f.String()
	s.info.Resize, s.info.Crop = s.opt.Resize, s.opt.Crop
	if !s.info.Image {
		if s.opt.Resize > 0 || s.opt.Crop > 0 {
			return specErrorf("resize and crop apply to images, and this source holds arrays; drop them, or store images")
		}
		return nil
	}
	return s.resolveShape(ctx)
}

// unlabelled says how many inputs have no label where others have one; "" where that is not known
// or all have one, or none. −1 is one where the label map or the model has a class for it.
func (s *Source) unlabelled() string {
	known, ok := s.back.(labelled)
	if !ok || s.lone != nil {
		return ""
	}
	labels := known.labels()
	missing, first := 0, 0
	for i, label := range slices.Backward(labels) {
		_, mapped := s.opt.LabelMap.ofNegative(label)
		if _, named := s.byName[label]; label < 0 && !mapped && !named {
			missing++
			first = i
		}
	}
	if missing == 0 || missing == len(labels) {
		return ""
	}
	have := "inputs have"
	if missing == 1 {
		have = "inputs has"
	}
	return fmt.Sprintf("%d of %d %s no label (the first is input %d)", missing, len(labels), have, first)
}

// resolveShape finds the shape of the inputs after resizing and cropping, from
// the first image that can be read.
func (s *Source) resolveShape(ctx context.Context) error {
	var first error
	for i := range s.back.len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := s.back.load(ctx, i)
		if err == nil {
			var img *bitmap
			if img, err = s.prepare(rec.image); err == nil {
				s.info.Shape = img.shape()
				return nil
			}
		}
		if first == nil {
			first = err
		}
		// A source that begins with this many unusable images will not recover.
		if i == 63 {
			break
		}
	}
	return formatErrorf("none of its first images can be used: %w", first)
}

// Len is the number of inputs, at least 1.
func (s *Source) Len() int { return s.back.len() }

// Info describes the source.
func (s *Source) Info() Info {
	info := s.info
	info.Shape, info.Labels = slices.Clone(info.Shape), slices.Clone(info.Labels)
	return info
}

// At reads the input with index i, 0 ≤ i < Len.
//
// When the input cannot be used the error is an [*ItemError], and Index and,
// where it is known, Label of the item are still set (otherwise −1). Any other
// error concerns the call: the context ended, or i is out of range.
func (s *Source) At(ctx context.Context, i int) (Item, error) {
	item := Item{Index: i, Label: -1}
	if err := ctx.Err(); err != nil {
		return item, err
	}
	if i < 0 || i >= s.back.len() {
		return item, fmt.Errorf("input %d of %s: out of range, it has inputs 0 to %d", i, s.info.Name, s.back.len()-1)
	}
	rec, err := s.back.load(ctx, i)
	item.Label = max(rec.label, -1)
	if err == nil {
		err = s.fill(&item, rec)
	}
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return item, ctxErr
		}
		item.X, item.Shape = nil, nil
		return item, &ItemError{Source: s.info.Name, Index: i, Err: err}
	}
	return item, nil
}

// fill converts a record into an item.
func (s *Source) fill(item *Item, rec record) error {
	item.X, item.Shape = rec.values, rec.shape
	if rec.image != nil {
		img, err := s.prepare(rec.image)
		if err != nil {
			return err
		}
		item.X, item.Shape = img.floats(), img.shape()
	}
	if !slices.Equal(item.Shape, s.info.Shape) {
		return fmt.Errorf("its shape is %v, that of the source %v; declare --resize and --crop to make all the same", item.Shape, s.info.Shape)
	}
	for j, v := range item.X {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("value %d is %v; only finite inputs can be certified", j, v)
		}
	}
	if err := s.checkLabel(item); err != nil {
		return err
	}
	item.SHA256 = smooth.InputID(item.X)
	return nil
}

// checkLabel translates the label and refuses one outside the classes.
func (s *Source) checkLabel(item *Item) error {
	if item.Label < 0 {
		if s.lone != nil {
			item.Label = *s.lone
		}
		if class, ok := s.byName[item.Label]; ok {
			item.Label = class
		}
		if class, ok := s.opt.LabelMap.ofNegative(item.Label); ok {
			item.Label = class
		}
		return s.checkClass(item.Label)
	}
	if s.own > 0 && item.Label >= s.own {
		return fmt.Errorf("its label is %d, outside the source's %d classes; give the right number with ?classes=", item.Label, s.own)
	}
	if s.opt.LabelMap != nil {
		to, err := s.opt.LabelMap.translate(item.Label, s.ownNames)
		if err != nil {
			return err
		}
		item.Label = to
	}
	if s.byName != nil {
		item.Label = s.byName[item.Label] // Under found a class for each
	}
	return s.checkClass(item.Label)
}

// checkClass refuses a label outside the model's classes.
func (s *Source) checkClass(label int) error {
	if s.opt.Classes > 0 && label >= s.opt.Classes {
		return fmt.Errorf("its label is %d, outside the model's %d classes; give a label map, or leave the input out", label, s.opt.Classes)
	}
	return nil
}

// Close releases the files of the source. Closing twice is harmless.
func (s *Source) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.back.close(); err != nil {
		return fmt.Errorf("close data source %s: %w", s.info.Name, err)
	}
	return nil
}
