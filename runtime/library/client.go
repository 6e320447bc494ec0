package library

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errNoClient: a package client is not on this machine.
var errNoClient = errors.New("not installed")

// fetchByClient downloads a pinned package into dir by the package client it
// belongs to, with whatever index, proxy and certificates the client is
// configured for, and returns the file.
func fetchByClient(ctx context.Context, p pin, dir string, o Options) (string, error) {
	var commands [][]string
	switch p.Client {
	case "pip":
		args := []string{
			"download", "--quiet", "--only-binary=:all:", "--no-deps", "--no-cache-dir", "--no-input",
			"--disable-pip-version-check", "--python-version", "3.12", "--implementation", "cp", "--abi", "cp312",
			"--platform", p.Platform, "--dest", dir, p.Package + "==" + p.Version,
		}
		// -I keeps the current folder, the user's packages and PYTHON* variables
		// out of what Python imports. pip as a program of its own has no such
		// option; it comes last, for a pip among the user's packages.
		for _, c := range [][]string{{"python3", "-I", "-m", "pip"}, {"python", "-I", "-m", "pip"}, {"py", "-I", "-m", "pip"}, {"pip3"}, {"pip"}} {
			commands = append(commands, append(c, args...))
		}
	case "npm":
		// npm looks for a project's settings in the folders above, up to the
		// first that has a package.json.
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}\n"), 0o600); err != nil {
			return "", err
		}
		commands = [][]string{{
			"npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, p.Package + "@" + p.Version,
		}}
	}
	err := fmt.Errorf("%s: %w", p.Client, errNoClient)
	for _, c := range commands {
		exe, lerr := program(c[0])
		if lerr != nil {
			continue
		}
		o.say("fetching %s %s (%.0f MB) by %s", p.Package, p.Version, float64(p.Bytes)/1e6, p.Client)
		err = download(ctx, exe, c[1:], dir, p, o)
		if !errors.Is(err, errNoClient) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, p.File)
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("it did not deliver %s", p.File)
	}
	return file, nil
}

// download runs a package client and reports how far it is by the size of
// what lies in dir, where it is made to keep its temporary files too.
func download(ctx context.Context, exe string, args []string, dir string, p pin, o Options) error {
	cmd := isolated(ctx, exe, args, dir)
	cmd.Env = append(cmd.Env, "TMPDIR="+dir, "TMP="+dir, "TEMP="+dir)
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr

	finished := make(chan struct{})
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		const step = 1e6 // bytes worth a line
		for said := int64(0); ; {
			select {
			case <-finished:
				return
			case <-tick.C:
				if n := min(folderSize(dir), p.Bytes); n >= said+step {
					said = n
					o.say("fetching %s: %.0f of %.0f MB", p.Package, float64(n)/1e6, float64(p.Bytes)/1e6)
				}
			}
		}
	}()
	err := cmd.Run()
	close(finished)
	<-reported
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	reason := lastLine(stderr.String())
	if strings.Contains(reason, "No module named pip") {
		return errNoClient
	}
	if reason == "" {
		reason = err.Error()
	}
	return errors.New(reason)
}

// lastLine is the last line that says something, without the client's prefix.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	for _, prefix := range []string{"ERROR: ", "npm error ", "npm ERR! "} {
		line = strings.TrimPrefix(line, prefix)
	}
	const most = 300
	if len(line) > most {
		line = line[:most] + "…"
	}
	return line
}

// folderSize is the total size of the files below a folder that is being
// written to.
func folderSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go while a client works
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
