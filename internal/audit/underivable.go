package audit

import (
	"slices"
	"strings"

	"ucan/smooth"
	"ucan/smooth/certificate"
)

// open is a member of certificates of which no reader of the file alone can tell whether it is
// true.
type open struct {
	// Path names the member; "*" stands for one name or number, a last "**" for everything below.
	Path string
	// Where says for which certificates, "" for all; Applies decides it.
	Where   string
	Applies func(*certificate.Certificate) bool
	// Why says what cannot be known, and what a wrong value would do.
	Why string
	// Resample says that verify --resample compares it with the model and the data.
	Resample bool
}

// underivable lists all that verify does not find without the model and the data. A test alters
// every member of every kind of certificate, and accepts none that this list lacks.
func underivable() []open {
	failed := func(c *certificate.Certificate) bool { return c.Status == certificate.Failed }
	abstained := func(c *certificate.Certificate) bool { return c.Status == certificate.Abstained }
	adaptive := func(c *certificate.Certificate) bool { return c.Statistics.AdaptiveStatistics != nil }
	sampled := func(c *certificate.Certificate) bool { return c.Status != certificate.Failed }
	stage := func(c *certificate.Certificate) bool { return c.Statistics.TwoStage != nil }
	bundled := func(c *certificate.Certificate) bool { return isBundle(c.Noise.NPG) }
	selector := func(c *certificate.Certificate) bool { return len(c.Stages) > 0 }
	custom := func(c *certificate.Certificate) bool {
		return adaptive(c) && c.Statistics.Profile == certificate.CustomProfile
	}
	return []open{
		{Path: "run.**", Why: "how the run was made: no claim depends on it, and the id leaves it out"},
		{Path: "error", Where: "failed", Applies: failed, Why: "the reason why an input was not certified"},
		{Path: "input.source", Why: "the name of the data", Resample: true},
		{Path: "input.index", Why: "the place of the input in its data", Resample: true},
		{Path: "input.sha256", Why: "which input it is", Resample: true},
		{Path: "input.shape", Why: "another number of axes, as for its extents in the next line", Resample: true},
		{Path: "input.shape.*", Why: "how the coordinates are arranged, where their number stays the same and no pattern or basis depends on it", Resample: true},
		{Path: "input.box.*", Why: "another range of the data that caps the same axes at the same values: on it depends alm_capped alone", Resample: true},
		{Path: "input.label", Why: "another label with which correct stays the same", Resample: true},
		{Path: "model.name", Why: "the file's name"},
		{Path: "model.sha256", Why: "which model it is", Resample: true},
		{Path: "model.preprocessing.**", Why: "what is done to noisy inputs", Resample: true},
		{Path: "model.denoiser.**", Why: "which denoiser stands in front", Resample: true},
		{Path: "model.decision", Why: "how scores become a class", Resample: true},
		{Path: "model.classes", Why: "more classes, which have no votes", Resample: true},
		{Path: "statistics.selection.*", Where: "sampled", Applies: sampled, Why: "another split of the selection votes with the same winner"},
		{Path: "statistics.counts.*", Where: "sampled", Applies: sampled, Why: "which of the other classes had votes, where only one is bounded"},
		{Path: "statistics.rejected.*.*", Where: "adaptive", Applies: adaptive, Why: "another path below the boundary to the same votes, with the same levels rejected"},
		{Path: "statistics.cap", Where: "adaptive", Applies: adaptive, Why: "another cap whose boundary the recorded votes pass as well"},
		{Path: "statistics.alpha", Where: "adaptive", Applies: adaptive, Why: "another alpha whose boundary the recorded votes pass as well"},
		{Path: "statistics.grid.*", Where: "adaptive", Applies: adaptive, Why: "a radius smaller by less than 1e-9 of itself: its level is rounded up"},
		{Path: "statistics.levels.*", Where: "adaptive", Applies: adaptive, Why: "the last digits of a level, with the same radius"},
		{Path: "statistics.label_aware", Where: "adaptive", Applies: adaptive, Why: "whether the label or the leading class was tested, where it is the same class and both boundaries were passed"},
		{Path: "statistics.two_stage.*", Where: "two-stage", Applies: stage, Why: "other settings that give the same number of samples"},
		{Path: "statistics.alpha", Where: "abstained without a vote for the class", Applies: func(c *certificate.Certificate) bool { return abstained(c) && c.Statistics.K == 0 }, Why: "any alpha gives the bound 0"},
		{Path: "statistics.alpha", Where: "sampled", Applies: sampled, Why: "the last digits, where the bound is the same"},
		{Path: "statistics.b", Where: "custom profile", Applies: custom, Why: "another value whose boundary the recorded votes pass as well"},
		{Path: "statistics.growth", Where: "custom profile", Applies: custom, Why: "another value whose boundary the recorded votes pass as well"},
		{Path: "statistics.rho", Where: "custom profile", Applies: custom, Why: "another value whose boundary the recorded votes pass as well"},
		{Path: "statistics.gamma", Where: "custom profile", Applies: custom, Why: "when a run gives up, on which no claim depends"},
		{Path: "noise.norm", Where: "converted", Applies: func(c *certificate.Certificate) bool { return c.ConvertedFrom != "" }, Why: "which norm was asked for: all three radii stand in the certificate and are recomputed"},
		{Path: "noise.mu_field.**", Where: "sampled", Applies: sampled, Why: "the offset of the noise, which only the votes depend on; files, and all certificates of deployed noise together, are compared"},
		{Path: "noise.npg", Where: "deployed", Applies: func(c *certificate.Certificate) bool { return c.Guarantee == smooth.Deployed }, Why: "that a generator made the noise"},
		{Path: "noise.npg.kind", Where: "of a bundle", Applies: bundled, Why: "certification or per-input: both are made from the input"},
		{Path: "noise.npg.spec", Where: "of a bundle", Applies: bundled, Why: "the bundle's name"},
		{Path: "noise.npg.floored", Where: "of a bundle", Applies: bundled, Why: "that no scale lies at the floor: the bundle has the floor"},
		{Path: "noise.npg.ceiled", Where: "of a bundle", Applies: bundled, Why: "that no scale lies at the ceiling: the bundle has the ceiling"},
		{Path: "noise.npg.files.*.sha256", Why: "which bundle or file it was"},
		{Path: "stages.1.alpha", Where: "selector", Applies: selector, Why: "the last digits, where the sum and the bound are the same"},
		{Path: "stages.1.sets.*.*", Where: "selector", Applies: selector, Why: "the sets that were not chosen; all certificates of a file together are compared"},
		{Path: "guarantee", Where: "failed", Applies: failed, Why: "of an input that claims nothing"},
		{Path: "noise.**", Where: "failed", Applies: failed, Why: "the noise of an input that was never sampled and claims nothing"},
	}
}

// UnderivableHelp is the list for a command's help: the members alone, those first that --resample
// compares.
func UnderivableHelp() string {
	var compared, open []string
	for _, o := range underivable() {
		list := &open
		if o.Resample {
			list = &compared
		}
		*list = append(*list, o.Path)
	}
	return wrap("  compared with --resample: ", compared) + wrap("  always: the votes themselves; ", slices.Compact(open))
}

func wrap(first string, items []string) string {
	const width = 118
	var out strings.Builder
	line := first
	for i, item := range items {
		if i < len(items)-1 {
			item += ", "
		}
		if len([]rune(line))+len(item) > width {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line = "    "
		}
		line += item
	}
	return out.String() + line + "\n"
}
