package main

import (
	"context"
	"fmt"
	"io"
	goruntime "runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"ucan/internal/licenses"
	"ucan/runtime/library"
)

// version is ucan's release; a build from a tagged module reports its own.
const version = "0.1.0"

// versionOptions are those of version.
type versionOptions struct{ licenses bool }

func (v *versionOptions) declare(o *options) {
	o.on(&v.licenses, "version.licenses", "licenses", "print the licence of everything that is linked into the command")
}

func (*versionOptions) check(*faults) {}

func newVersionCommand(a *app) *cobra.Command {
	o := &versionOptions{}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of ucan, Go and onnxruntime, and the kind of processor; or the licences of what is linked",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.licenses {
				return runLicenses(a)
			}
			return runVersion(cmd.Context(), a)
		},
	}
	a.bind(cmd, o)
	return cmd
}

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}

// buildName names this program in certificates: its version, the compiler, the processor's
// architecture, whether mathematical functions fuse products and sums there and, where the build
// knows it, the revision. Programs of the same name compute the same numbers to the last bit.
func buildName() string {
	name := buildVersion() + " " + goruntime.Version() + " " + goruntime.GOARCH
	if cpu.X86.HasAVX && cpu.X86.HasFMA { // as package math asks before it picks its exponential
		name += "+fma"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOAMD64", "GOARM64", "GOPPC64", "GORISCV64": // levels whose compilers fuse products and sums
			name += " " + s.Value
		case "vcs.revision":
			name += " " + s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			if s.Value == "true" {
				name += " modified"
			}
		}
	}
	return name
}

func runVersion(ctx context.Context, a *app) error {
	config := a.runtimeConfig()
	where := "not found; the first command that needs it installs it"
	if found, _, locateErr := library.Locate(ctx, library.Options{Library: config.Library}); locateErr == nil {
		where = found.Version + " (" + found.Path + ")"
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]string{
			"ucan": buildVersion(), "go": goruntime.Version(), "platform": goruntime.GOOS + "/" + goruntime.GOARCH, "processor": a.processor, "onnxruntime": where,
		})
	}
	fmt.Fprintf(a.stdout, "ucan        %s\ngo          %s %s/%s\nprocessor   %s\nonnxruntime %s\n",
		buildVersion(), goruntime.Version(), goruntime.GOOS, goruntime.GOARCH, a.processor, where)
	return nil
}

func runLicenses(a *app) error {
	text, err := licenses.Text()
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, map[string]string{"licenses": text})
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}
