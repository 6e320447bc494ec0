package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"ucan/internal/plain"
	"ucan/internal/redact"
)

// app is what the subcommands share: the streams, the effective configuration and the log.
type app struct {
	stdout, stderr io.Writer
	viper          *viper.Viper
	config         *configFile
	flags          *pflag.FlagSet // of the command that runs
	log            *slog.Logger
	processor      string // the kind of this machine's, as records name it
	started        bool   // the command line was understood and our code runs
	resumable      bool   // outputs were begun that --resume goes on with
	closers        []func() error
	global         globalOptions
	bindings       map[*cobra.Command]binding
	order          []*cobra.Command // of the bindings
	asked          *faults          // of the command that runs
}

func newApp(stdout, stderr io.Writer) *app {
	return &app{
		stdout: stdout,
		stderr: stderr,
		viper:  viper.New(),
		flags:  pflag.NewFlagSet("ucan", pflag.ContinueOnError),
		log:    slog.New(slog.DiscardHandler),

		processor: thisProcessor(),
		bindings:  map[*cobra.Command]binding{},
	}
}

// onClose registers f to run when the command ends; the last one registered runs first.
func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() error {
	var first error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i](); err != nil && first == nil {
			first = err
		}
	}
	a.closers = nil
	return first
}

// note tells the user something that is not a result; --quiet silences it.
func (a *app) note(format string, args ...any) {
	if !a.global.quiet {
		fmt.Fprintln(a.stderr, plain.Line(redact.Text(fmt.Sprintf(format, args...))))
	}
}

// warn tells the user something that may change how a result is read; --quiet does not silence it.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintln(a.stderr, "ucan: warning: "+plain.Line(redact.Text(fmt.Sprintf(format, args...))))
}

// json reports whether results are printed as one JSON document.
func (a *app) json() bool { return a.global.format == "json" }

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "ucan",
		Short: "Certify how robust an ONNX classifier is, and prove it",
		Long: `ucan certifies pretrained ONNX classifiers against adversarial perturbations by randomized smoothing: it classifies many noisy copies of an input, takes the majority, and proves with high probability that no
perturbation inside a region changes the answer. The noise may be isotropic or anisotropic.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDescriptions: false},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error { return a.start(cmd, args) },
	}
	setHelp(root)
	a.bindFlags(root, root.PersistentFlags(), &a.global)
	root.AddCommand(
		newCertifyCommand(a),
		newPredictCommand(a),
		newVerifyCommand(a),
		newMergeCommand(a),
		newCompareCommand(a),
		newRadiusCommand(a),
		newInspectCommand(a),
		newExportCommand(a),
		newHardenCommand(a),
		newGradCommand(a),
		newTrainCommand(a),
		newZooCommand(a),
		newWorkerCommand(a),
		newNPGCommand(a),
		newAuditCommand(a),
		newBenchCommand(a),
		newDemoCommand(a),
		newRuntimeCommand(a),
		newConfigCommand(a),
		newVersionCommand(a),
	)
	return root
}

// start reads the configuration for cmd (defaults, then the file, then the environment, then the
// flags) into its options.
func (a *app) start(cmd *cobra.Command, args []string) error {
	a.started = true
	a.flags = cmd.Flags()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if key, ok := settingOfFlag(f); ok {
			// BindPFlag fails only for a nil flag.
			_ = a.viper.BindPFlag(key, f)
		}
	})
	bindEnvironment(a.viper)
	a.config = readConfigFile(a.viper, a.viper.GetString("config"))
	a.asked = &faults{app: a, args: args, broken: map[*setting]bool{}, list: a.config.faults}
	lenient := cmd.Annotations[showsFaults] != ""
	if err := a.asked.err(); err != nil && !lenient {
		return err
	}
	a.asked.resolve(a.bindings[cmd.Root()])
	a.sayConfig()
	for _, name := range unknownVariables(os.Environ()) {
		a.warn("no setting has the variable %s; run \"ucan config\" to see those there are", name)
	}
	a.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: a.global.level, ReplaceAttr: hideSecrets}))
	if own, ok := a.bindings[cmd]; ok {
		a.asked.resolve(own)
	}
	if lenient {
		return nil
	}
	return a.asked.err()
}

// changed reports whether the user gave the value at the pointer, see [faults.changed].
func (a *app) changed(into any) bool { return a.asked.changed(into) }

// hideSecrets takes passwords out of whatever a log line says; libraries log errors of their own.
func hideSecrets(_ []string, attr slog.Attr) slog.Attr {
	switch attr.Value.Kind() {
	case slog.KindString:
		attr.Value = slog.StringValue(redact.Text(attr.Value.String()))
	case slog.KindAny:
		if err, ok := attr.Value.Any().(error); ok {
			attr.Value = slog.StringValue(redact.Text(err.Error()))
		}
	default:
	}
	return attr
}

// noArgs refuses positional arguments with the remedy, which cobra's own check lacks.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("read the command line of %q: unexpected argument %q; every input is given by a flag, see %q",
		cmd.CommandPath(), strings.Join(args, " "), cmd.CommandPath()+" --help")
}

// oneArgument asks for exactly one argument, which is named by what.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return usagef("read the command line of %q: %d arguments given; name %s", cmd.CommandPath(), len(args), what)
	}
}
