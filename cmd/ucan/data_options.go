package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ucan/internal/dataset"
	"ucan/runtime/files"
)

// dataOptions say which inputs are read.
type dataOptions struct {
	spec        string
	options     dataset.Options
	selection   dataset.Selection
	maxFailures float64
	force       bool

	most     int // 0: all
	shard    string
	except   []string
	labelMap string
}

func (d *dataOptions) declare(o *options) {
	o.in(dataSection)
	d.selection = dataset.DefaultSelection()
	o.text(&d.spec, "data.source", "data", "", "data: "+dataset.Usage()).as("d").offers(sourceNames).orFiles()
	o.count(&d.selection.Skip, "data.skip", "skip", 0, 0, math.MaxInt32, "drop the first K inputs")
	o.count(&d.selection.Stride, "data.stride", "stride", 1, 1, math.MaxInt32, "then take every S-th input")
	o.count(&d.most, "data.max", "max", 0, 0, math.MaxInt32, "keep at most N of those (0: all)")
	o.text(&d.shard, "data.shard", "shard", "", "then keep every k-th, starting at the i-th: i/k with i = 0…k−1")
	o.words(&d.except, "data.except", "except", nil, "leave out the inputs of these shards, i/k[,…]: what a training must not see")
	o.count(&d.options.Resize, "data.resize", "resize", 0, 0, math.MaxInt32, "resize images so that the short side has this length, before any noise")
	o.count(&d.options.Crop, "data.crop", "crop", 0, 0, math.MaxInt32, "centre crop of this size, after resizing")
	o.text(&d.labelMap, "data.label_map", "label-map", "", "file that maps the data's labels to the model's classes, one pair per line")
	o.float(&d.maxFailures, "data.max_failures", "max-failures", 0.10, "stop when more than this share of the inputs failed")
	o.on(&d.force, "data.force", "force", "certify although the clean check speaks against it (recorded)")
}

func sourceNames() []string { return dataset.Complete("") }

func (d *dataOptions) check(f *faults) {
	if d.spec == "" {
		f.add(&d.spec, "no data given; name a source, such as mnist:DIR or digits")
	}
	if d.most > 0 {
		d.selection.Max = d.most
	}
	if d.shard != "" {
		shard, shards, err := dataset.ParseShard(d.shard)
		if err != nil {
			f.add(&d.shard, "%w", err)
		} else {
			d.selection.Shard, d.selection.Shards = shard, shards
		}
	}
	if len(d.except) > 0 {
		var err error
		if d.selection.Except, err = dataset.ParseExcept(d.except); err != nil {
			f.add(&d.except, "%w", err)
		}
	}
	if d.labelMap != "" {
		var err error
		if d.options.LabelMap, err = readLabelMap(d.labelMap); err != nil {
			f.add(&d.labelMap, "%w", err)
		}
	}
	if !(d.maxFailures >= 0 && d.maxFailures <= 1) {
		f.add(&d.maxFailures, "%v is out of range: give a fraction between 0 and 1", d.maxFailures)
	}
}

// labels is the label map in one form, for comparing runs; "" without one.
func (d *dataOptions) labels() string {
	var pairs []string
	for name, class := range d.options.LabelMap {
		pairs = append(pairs, fmt.Sprintf("%q:%d", name, class))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// selected is the number of inputs of the selection over all its shards, out of a source of so
// many. Alpha is shared among them.
func (d *dataOptions) selected(inputs int) (int64, error) {
	whole := d.selection
	whole.Shard, whole.Shards = 0, 1
	indices, err := whole.Indices(inputs)
	if err != nil {
		return 0, usage(err)
	}
	if len(indices) > math.MaxInt32 {
		return 0, usagef("share alpha: %d inputs are too many; certify them in parts", len(indices))
	}
	return int64(len(indices)), nil
}

func readLabelMap(path string) (dataset.LabelMap, error) {
	file, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	labels, err := dataset.ReadLabelMap(file)
	return labels, errors.Join(err, file.Close())
}
