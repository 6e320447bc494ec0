package supervise

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"ucan/internal/zoo/queue"
)

// tailBytes is how much of a worker's log is kept.
const tailBytes = 64 << 10

// tail keeps the end of what is written to it, and hands on whole lines.
type tail struct {
	mutex sync.Mutex
	text  []byte
}

func (t *tail) add(line []byte) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(append(t.text, line...), '\n')
	if extra := len(t.text) - tailBytes; extra > 0 {
		if end := bytes.IndexByte(t.text[extra:], '\n'); end >= 0 {
			extra += end + 1
		}
		t.text = append([]byte(nil), t.text[extra:]...)
	}
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return string(bytes.ToValidUTF8(t.text, []byte("?")))
}

// last is the last line that is not empty.
func (t *tail) last() string {
	lines := bytes.Split(bytes.TrimSpace([]byte(t.String())), []byte("\n"))
	return string(lines[len(lines)-1])
}

// child is a worker process.
type child struct {
	id      string
	command *exec.Cmd
	stdin   io.Closer
	log     tail
	started time.Time
	ended   chan struct{} // closed when the process is gone and its log is read
	err     error         // of Wait
	overdue time.Duration // how long it was waited for before we killed it, or 0
}

// spawn starts a worker. Its standard input is a pipe that ends when this process dies, which
// stops the worker. It has a process group of its own, so that a terminal's Ctrl-C does not reach
// it.
func spawn(id string, command *exec.Cmd, line func(id, line string)) (*child, error) {
	c := &child{id: id, command: command, started: time.Now(), ended: make(chan struct{})}
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close())
	}
	c.stdin = stdin
	command.Stdout, command.Stderr = writer, writer
	ownGroup(command)
	if err = command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start a worker: %w", err), stdin.Close(), reader.Close(), writer.Close())
	}
	_ = writer.Close() // the child's copy is what counts
	go c.read(reader, line)
	return c, nil
}

// read follows the log until the process closed it, then waits for the process.
func (c *child) read(reader io.ReadCloser, line func(id, line string)) {
	defer close(c.ended)
	waited := make(chan struct{})
	go func() {
		c.err = c.command.Wait()
		close(waited)
		// A grandchild may hold the pipe open; the log of a dead worker is not waited for.
		time.AfterFunc(time.Second, func() { _ = reader.Close() })
	}()
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(make([]byte, 64<<10), 1<<20)
	for scanner.Scan() {
		c.log.add(scanner.Bytes())
		if line != nil {
			line(c.id, scanner.Text())
		}
	}
	_, _ = io.Copy(io.Discard, reader) // a line of more than a megabyte must not stop the worker
	<-waited
}

// stop asks the process to finish or release its shard, and kills it when it does not. It asks by
// the end of standard input alone: a worker may not catch signals yet, and a second signal may
// mean "die at once".
func (c *child) stop(patience time.Duration) {
	_ = c.stdin.Close()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.overdue = patience
		_ = c.command.Process.Kill()
		<-c.ended
	}
}

// cause is why the process ended; it is called after ended is closed.
func (c *child) cause() queue.Cause {
	state := c.command.ProcessState
	cause := queue.Cause{Kind: "exit", LogTail: c.log.String()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		cause.Kind = "killed"
		if c.overdue > 0 {
			cause.Message = fmt.Sprintf("its worker was asked to stop and killed when it had not done so within %v", c.overdue)
			return cause
		}
		cause.Message = fmt.Sprintf("its worker was ended by the signal %q", status.Signal())
		if status.Signal() == syscall.SIGKILL {
			cause.Message += " (by a person, or by the system for want of memory)"
		}
		return cause
	}
	cause.Message = fmt.Sprintf("its worker ended with code %d: %s", state.ExitCode(), c.log.last())
	return cause
}
