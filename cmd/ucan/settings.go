package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"ucan/internal/dataset"

	"github.com/spf13/cast"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// kind is the type of a setting's value, and with it what a file in the current folder may do: see trust.go.
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
	set              func(value any) error // stores the value in force
	into             any                   // the pointer to where
}

func (s setting) variable() string {
	return "UCAN_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
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
		all := a.declared()
		for _, s := range undeclared() {
			if !slices.ContainsFunc(all, func(other setting) bool { return other.key == s.key }) {
				all = append(all, s)
			}
		}
		allSettings.list = all
	})
	return allSettings.list
}

// declared are the settings of all commands, each once, in the order of the commands.
func (a *app) declared() []setting {
	var all []setting
	seen := map[string]bool{}
	for _, cmd := range a.order {
		for _, s := range a.bindings[cmd].options.list {
			if !seen[s.key] {
				seen[s.key] = true
				all = append(all, *s)
			}
		}
	}
	return all
}

// row is a setting in the old table.
type row struct {
	key, flag, short string
	kind             kind
	value            any
	usage            string
}

// undeclared are the settings that no typed options declare yet.
func undeclared() []setting {
	var all []setting
	for _, r := range oldTable() {
		all = append(all, setting{key: r.key, flag: r.flag, short: r.short, kind: r.kind, value: r.value, usage: r.usage})
	}
	return all
}

func oldTable() []row {
	return []row{

		{"runtime.workers", "workers", "w", kindInt, 0, "sessions that run side by side (0: measured)"},
		{"runtime.run_limit", "run-limit", "", kindFloat, 0.0, "seconds of processor time that one run of the model may take, and its trial (0: fifty times what was measured, at least 60; 10 and more for a file's first trial)"},
		{"runtime.batch", "batch", "", kindInt, 0, "samples a session classifies at once (0: measured)"},

		{"model.file", "model", "m", kindString, "", "ONNX file to certify"},
		{"model.mean", "mean", "", kindFloats, nil, "per-channel mean: f sees (x·scale − mean)/std"},
		{"model.std", "std", "", kindFloats, nil, "per-channel standard deviation"},
		{"model.scale", "scale", "", kindFloat, nil, "factor applied before mean and std (255 for models fed raw bytes)"},
		{"model.layout", "layout", "", kindString, "", "layout of the model's input: nchw, nhwc or flat"},
		{"model.input", "input", "", kindString, "", "name of the input that carries the image"},
		{"model.output", "output", "", kindString, "", "name of the output that carries the scores"},
		{"model.decision", "decision", "", kindString, "", "how scores become a class: argmax, argmin, threshold[:T] or label"},
		{"model.fix", "fix", "", kindStrings, nil, "constant for a second input, NAME=VALUE (repeatable)"},
		{"model.denoiser", "denoiser", "", kindString, "", "ONNX denoiser to put in front of the model"},

		{"data.source", "data", "d", kindString, "", "data: " + dataset.Usage()},
		{"data.skip", "skip", "", kindInt, 0, "drop the first K inputs"},
		{"data.stride", "stride", "", kindInt, 1, "then take every S-th input"},
		{"data.max", "max", "", kindInt, 0, "keep at most N of those (0: all)"},
		{"data.shard", "shard", "", kindString, "", "then keep every k-th, starting at the i-th: i/k with i = 0…k−1"},
		{"data.resize", "resize", "", kindInt, 0, "resize images so that the short side has this length, before any noise"},
		{"data.crop", "crop", "", kindInt, 0, "centre crop of this size, after resizing"},
		{"data.label_map", "label-map", "", kindString, "", "file that maps the data's labels to the model's classes, one pair per line"},
		{"data.max_failures", "max-failures", "", kindFloat, 0.10, "stop when more than this share of the inputs failed"},
		{"data.force", "force", "", kindBool, false, "certify although the clean check speaks against it (recorded)"},

		{"noise.family", "noise", "", kindString, "gaussian", "noise family"},
		{"noise.norm", "norm", "", kindString, "", "norm of the reported radius: l1, l2 or linf (default: the family's own)"},
		{"noise.sigma", "sigma", "s", kindFloat, nil, "standard deviation of the noise per coordinate, on the data's scale"},
		{"noise.lambda", "lambda", "", kindFloat, nil, "raw scale of the family, instead of --sigma"},
		{"noise.param", "param", "", kindStrings, nil, "parameters of the family, k=1,j=0"},
		{"noise.arithmetic", "arithmetic", "", kindString, "float32", "float32, which assumes real arithmetic; or lattice, exact for 8-bit images (gaussian, laplace, uniform, pareto)"},
		{"noise.sigma_field", "sigma-field", "", kindString, "", ".npy file with one scale per coordinate"},
		{"noise.mu_field", "mu-field", "", kindString, "", ".npy file with one offset per coordinate"},
		{"noise.npg", "npg", "", kindString, "", "noise parameter generator: pattern:l2,kappa=1,iota=0.5 (pixels), pattern:dct,kappa=16,gamma=3,iota=0.25 (frequencies), a bundle's folder, a .npy field, an .onnx file, or MU.onnx,SIGMA.onnx"},
		{"noise.floor", "floor", "", kindFloat, nil, "least scale of a generator given as .npy or .onnx files (default 0.001)"},
		{"noise.ceiling", "ceiling", "", kindFloat, nil, "largest scale of a generator given as .npy or .onnx files (default: none)"},
		{"noise.fixed_mean", "fixed-mean", "", kindBool, false, "no offset (μ = 0) from a generator given as .onnx files"},

		{"statistics.n0", "n0", "", kindInt, 100, "samples that choose the class"},
		{"statistics.n", "n", "n", kindInt, 100000, "samples that estimate its probability"},
		{"statistics.adaptive", "adaptive", "", kindString, "off", "stop sampling early: off, strict, default or fast; two-stage lets n0 samples decide how many; --n is then the cap"},
		{"statistics.kappa", "kappa", "", kindFloat, 5000, "scale of the number of samples of --adaptive two-stage"},
		{"statistics.grid", "grid", "", kindFloats, nil, "radii that an adaptive run tests (default: the family's, at p = Φ(0), Φ(0.5), … Φ(3.5))"},
		{"statistics.label_aware", "label-aware", "", kindBool, false, "test the label instead of selecting a class: the same curve for fewer samples"},
		{"statistics.bound", "bound", "", kindString, "one", "one: p_B ≤ 1 − p_A; two: bound every other class as well, at alpha in all"},
		{"statistics.joint", "joint", "", kindBool, false, "let alpha hold for all certificates of the selection together"},
		{"statistics.from_counts", "from-counts", "", kindString, "", "recompute the certificates of this file at another --alpha, --norm or --bound, without a model; trying m alphas and keeping the best costs a factor m"},
		{"statistics.alpha", "alpha", "", kindFloat, 0.001, "probability that a certificate is wrong"},
		{"seed", "seed", "", kindString, "", "seed of the noise (default: a random one, printed and stored)"},

		{"verify.resample", "resample", "", kindInt, 0, "draw this many fresh samples of every certified input and compare"},
		{"predict.pin", "pin", "", kindString, "", "answer with exactly the noise that the certificates of this file store, input by input"},
		{"predict.pin_data", "pin-data", "", kindString, "", "with --pin, the data that were certified, to say whether those of --data lie inside the regions"},

		{"compare.isotropic", "isotropic", "", kindStrings, nil, "files under isotropic noise, whose best at each radius is what the others are compared with"},
		{"compare.common", "common", "", kindBool, false, "compare on the inputs that all files hold, instead of refusing files with other inputs"},
		{"compare.least", "least", "", kindFloat, 0.1, "give ratios only where the file that is compared with certifies this fraction of the inputs"},
		{"compare.training", "training", "", kindString, "", "training data: a third table leaves out the inputs that never vary there"},
		{"compare.training_max", "training-max", "", kindInt, 0, "look at the first N of the training data (0: all)"},
		{"compare.plots", "plots", "", kindOutput, "", "draw the curves into PREFIX-l2.png and PREFIX-alm.png, of this PREFIX"},

		{"bench.rounds", "rounds", "", kindInt, 9, "rounds to measure"},
		{"demo.out", "out", "o", kindOutput, "", "folder for the demonstration's files (default: a fresh temporary one)"},

		{"radius.dim", "dim", "", kindInt, 0, "number of input coordinates"},
		{"radius.p_lower", "p-lower", "", kindFloat, nil, "lower bound on the top class's probability"},
		{"radius.p_upper", "p-upper", "", kindFloat, nil, "upper bound on every other class's probability"},
		{"radius.method", "method", "", kindString, "", "level-set or differential, where a family has both (default: the larger radius)"},
		{"radius.rows", "rows", "", kindString, "", "answer a table of questions: a file of JSON lines, or - for standard input"},
		{"radius.list", "list", "", kindBool, false, "list the families with their parameters, defaults and norms"},

		{"grad.out", "out", "o", kindOutput, "", "write the gradient graph to this ONNX file"},
		{"grad.wrt", "wrt", "", kindStrings, []string{"input"}, "inputs or initialisers to differentiate by; input stands for every real-valued input"},
		{"grad.loss", "loss", "", kindString, "cross-entropy", "what to differentiate: cross-entropy, logit:K or linear"},
		{"inspect.gradients", "gradients", "", kindBool, false, "say whether the model can be differentiated, what is in the way, and how large the gradient graph is"},
		{"inspect.check", "check", "", kindBool, false, "with --gradients, compare the gradient with central differences on random directions"},

		{"train.arch", "arch", "", kindString, "", "architecture to train from new weights: mnist-cnn, resnet20, resnet110, vit-tiny or mlp"},
		{"train.init", "init", "", kindString, "", "ONNX file or bundle to begin with instead: fine-tune its weights"},
		{"train.batch_norm", "batch-norm", "", kindBool, false, "with --init, train with batch normalisations behind the convolutions, folded away at the end: for noise unlike that which the model knows"},
		{"train.out", "out", "o", kindOutput, "", "bundle to write: a folder with the model, its record, log and checkpoints"},
		{"train.resume", "resume", "", kindBool, false, "go on with the training in the bundle; begins it where there is none"},
		{"train.epochs", "epochs", "", kindInt, 0, "passes over the data (0: 20 for a base classifier)"},
		{"train.batch", "batch", "b", kindInt, 128, "images a step"},
		{"train.lr", "lr", "", kindFloat, nil, "learning rate at its peak (default: 0.1 for sgd, 0.001 for adamw; a tenth of that with --init)"},
		{"train.optimizer", "optimizer", "", kindString, "", "sgd or adamw (default: sgd for networks with batch normalisation, otherwise adamw)"},
		{"train.momentum", "momentum", "", kindFloat, 0.9, "momentum of sgd, taken after Nesterov"},
		{"train.weight_decay", "weight-decay", "", kindFloat, nil, "weight decay (default: 0.0005 for sgd, 0.01 for adamw)"},
		{"train.schedule", "schedule", "", kindString, "cosine", "how the learning rate moves: constant, step (a tenth at 1/2 and 3/4), cosine or onecycle"},
		{"train.warmup", "warmup", "", kindFloat, 0.0, "epochs of linear rise to the learning rate"},
		{"train.clip", "clip", "", kindFloat, 0.0, "largest norm of all gradients together (0: any)"},
		{"train.ema", "ema", "", kindFloat, 0.0, "decay of the moving average of weights, such as 0.999; the average is then what is kept (0: none)"},
		{"train.augment", "augment", "", kindStrings, nil, "none, or a list of crop (pad by 4 zeros, cut at random), reflect (the same with mirrored borders) and flip (default: crop,flip for colour images, none for others)"},
		{"train.smoothing", "label-smoothing", "", kindFloat, 0.0, "share of the label's probability spread over all classes"},
		{"train.draws", "draws", "", kindInt, 1, "noise draws for each image of a step"},
		{"train.consistency", "consistency", "", kindFloat, 0.0, "weight of the consistency term (needs --draws 2 or more)"},
		{"train.consistency_entropy", "consistency-entropy", "", kindFloat, 0.5, "weight of the mean prediction's entropy within that term"},
		{"train.val", "val", "", kindString, "", "data to validate on"},
		{"train.val_skip", "val-skip", "", kindInt, 0, "drop the first K inputs of --val"},
		{"train.val_max", "val-max", "", kindInt, 250, "validate on at most N images, at even distances (0: all)"},
		{"train.validation", "hold-out", "", kindInt, 0, "without --val, hold out N images of the training data, drawn by the seed, for validation"},
		{"train.val_samples", "val-samples", "", kindInt, 16, "noise draws an image of the validation's estimate"},
		{"train.val_every", "val-every", "", kindInt, 1, "validate every so many epochs (0: only at the end)"},
		{"train.patience", "patience", "", kindInt, 0, "stop after so many validations without a better one (0: never)"},
		{"train.keep", "keep", "", kindString, "best", "weights to keep: best (of the validations) or last"},
		{"train.checkpoint_every", "checkpoint-every", "", kindInt, 200, "steps between checkpoints"},
		{"train.log_every", "log-every", "", kindInt, 0, "write a line of the log every so many steps, beside those of epochs"},
		{"train.weights", "weights", "", kindString, "inputs", "how changing weights reach the runtime: inputs, constants (a new session every step) or measure"},

		{"npg.kind", "kind", "", kindString, "", "generator: pattern, dataset, certification or per-input"},
		{"npg.basis", "basis", "", kindString, "pixel", "basis of the scale field: pixel or dct"},
		{"npg.joint", "joint", "", kindBool, false, "train the classifier along, under the noise that is being learned"},
		{"npg.joint_rate", "joint-rate", "", kindFloat, 1.0, "learning rate of the classifier over that of the generator"},
		{"npg.volume", "volume", "", kindString, "logmean", "what rewards noise: min, mean, logmean (ALM) or area (the ALM radius itself)"},
		{"npg.volume_weight", "volume-weight", "", kindFloat, 0.5, "weight of the volume beside the cross-entropy"},
		{"npg.reg", "reg", "", kindFloat, 0.0, "weight of the root mean square of the scale, which punishes noise"},
		{"npg.floor", "floor", "", kindFloat, 0.05, "least scale"},
		{"npg.ceiling", "ceiling", "", kindFloat, 1.0, "largest scale"},
		{"npg.start", "start", "", kindFloat, nil, "scale at the beginning (default: --target-sigma, otherwise the geometric mean of floor and ceiling)"},
		{"npg.target_sigma", "target-sigma", "", kindFloat, nil, "hold a mean of every input's scale at this value"},
		{"npg.target_mean", "target-mean", "", kindString, "mean", "which mean --target-sigma holds: mean or logmean"},
		{"npg.fixed_mean", "fixed-mean", "", kindBool, false, "no offset: μ = 0"},
		{"npg.mu_scale", "mu-scale", "", kindFloat, 0.25, "bound on the offset of every coordinate"},
		{"npg.target_norm", "target-norm", "", kindString, "", "norm that estimates are made in: l1, l2 or linf (default: the family's own)"},

		{"show.out", "out", "o", kindOutput, "", "folder for the sheets, the fields and the index"},
		{"check.samples", "samples", "", kindInt, 100, "noisy copies of an input that abstention is judged on"},

		{"output.tsv", "out", "o", kindOutput, "", "write one row per input to this file"},
		{"output.jsonl", "json", "", kindOutput, "", "write one certificate per line to this file"},
		{"output.plot", "plot", "", kindOutput, "", "draw the certified-accuracy curve into this .png or .svg file"},
		{"output.radii", "radii", "", kindFloats, nil, "radii at which the summary gives certified accuracy (default: round numbers up to the largest certified radius)"},
		{"output.resume", "resume", "", kindBool, false, "continue the run whose outputs these are"},
	}
}

// findSetting returns the setting with the key; unknown keys are errors of the programmer.
func findSetting(key string) setting {
	for _, s := range settings() {
		if s.key == key {
			return s
		}
	}
	panic("ucan: no setting has the key " + key)
}

const (
	keyAnnotation     = "ucan_key"
	sectionAnnotation = "ucan_section"
)

// addSettings defines the flags of the settings with the keys.
func addSettings(flags *pflag.FlagSet, keys ...string) {
	for _, key := range keys {
		for _, s := range undeclared() {
			if s.key == key {
				addFlag(flags, s)
			}
		}
	}
}

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

// unknownVariables returns the names of UCAN_* variables that no setting has.
func unknownVariables(environ []string) []string {
	known := variablesOfTests()
	for _, s := range settings() {
		known = append(known, s.variable())
	}
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "UCAN_") && !slices.Contains(known, name) && !strings.HasPrefix(name, "UCAN_PROBE") {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// originDefault is the origin of a value that nobody gave.
const originDefault = "default"

// origin says where the value of the setting came from: flag, variable, file or default.
func origin(v *viper.Viper, flags *pflag.FlagSet, file configFile, s setting) string {
	if f := flags.Lookup(s.flag); f != nil && f.Changed {
		return "flag --" + s.flag
	}
	if os.Getenv(s.variable()) != "" {
		return "variable " + s.variable()
	}
	if path := file.of(s.key); path != "" {
		return "file " + path
	}
	return originDefault
}
