package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"ucan/internal/fault"
	"ucan/internal/plain"
	"ucan/internal/redact"
	"ucan/models"
)

// The exit codes of every subcommand (they are part of the command's contract).
const (
	exitDone        = 0   // done
	exitFailed      = 1   // failed while running: I/O, a malformed model, a provider that does not load, a session
	exitUsage       = 2   // wrong usage or configuration, or an output that exists
	exitRefused     = 3   // the model or the data cannot be certified soundly
	exitCheck       = 4   // a check found a false, altered or violated certificate
	exitInterrupted = 130 // interrupted; can be resumed
)

const exitCodesHelp = `Exit codes, the same for every command:

  0    done
  1    failed while running: a missing file, input or output, a malformed model, a provider that does not load, a session
  2    wrong usage or configuration: an unknown flag, key or name, a number out of range, an output that exists
  3    refused: the model or the data cannot be certified soundly; the message gives the reason
  4    a check found a false, altered or violated certificate
  130  interrupted; resume with --resume`

// usage marks err as a fault of usage, exit 2; nil stays nil.
func usage(err error) error { return fault.Mark(fault.Wrong, err) }

func usagef(format string, args ...any) error { return fault.Wrongf(format, args...) }

// refusef makes an error that says that going on would be unsound or pointless: exit 3.
func refusef(format string, args ...any) error { return fault.Refusedf(format, args...) }

// checkf makes an error that says that a check found something false: exit 4.
func checkf(format string, args ...any) error { return fault.Falsef(format, args...) }

// exitCode maps the outcome of run to the process's exit code. A cancelled ctx means that the user
// interrupted the run, whatever error that surfaced as.
func exitCode(ctx context.Context, err error) int {
	var refusal *models.Refusal
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, fs.ErrNotExist):
		return exitFailed // whatever the missing file is for
	case fault.Is(err, fault.Wrong):
		return exitUsage
	case ctx.Err() != nil, errors.Is(err, context.Canceled):
		return exitInterrupted
	case fault.Is(err, fault.False):
		return exitCheck
	case fault.Is(err, fault.Refused), errors.As(err, &refusal):
		return exitRefused
	default:
		return exitFailed
	}
}

// resumableError is the error of a command that had begun to write outputs, with which --resume
// goes on.
type resumableError struct{ error }

func (e resumableError) Unwrap() error { return e.error }

// errorLine renders err as the one line that a user sees; what is no text in it is escaped.
func errorLine(code int, err error) string {
	if err == nil {
		return ""
	}
	text := strings.TrimRight(strings.Join(strings.Fields(err.Error()), " "), ".")
	if code == exitInterrupted && !strings.Contains(text, "--resume") && !strings.HasPrefix(text, "interrupted: ") {
		text = "interrupted"
		if errors.As(err, new(resumableError)) {
			text = "interrupted: what was finished is saved; run the same command with --resume to go on"
		}
	}
	const most = 2000 // a message may quote a file
	if text = plain.Line(redact.Text(text)); len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return "ucan: " + text
}
