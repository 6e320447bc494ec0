package queue

import (
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// workerProcesses is a set of worker processes of which every one that dies is replaced at once.
type workerProcesses struct {
	t         *testing.T
	url       string
	prefix    []string // stands before the worker's command
	env       []string
	mutex     sync.Mutex
	processes []*workerProcess
	codes     map[int]int // exits by code; −1 stands for a signal
	stopping  bool
	wait      sync.WaitGroup
	log       syncBuffer
}

type workerProcess struct {
	id      string
	process *exec.Cmd
}

type syncBuffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.String()
}

func startWorkers(t *testing.T, url string, n int, env ...string) *workerProcesses {
	return startBehind(t, nil, url, n, env...)
}

// startBehind is startWorkers for workers whose command stands behind another one.
func startBehind(t *testing.T, prefix []string, url string, n int, env ...string) *workerProcesses {
	c := &workerProcesses{t: t, url: url, prefix: prefix, env: env, processes: make([]*workerProcess, n), codes: map[int]int{}}
	for i := range c.processes {
		c.spawn(i)
	}
	t.Cleanup(c.stop)
	return c
}

// spawn starts the i-th process; it is called with the mutex held, or before anything else runs.
func (c *workerProcesses) spawn(i int) {
	m := &workerProcess{id: NewID()}
	line := append(slices.Clone(c.prefix), os.Args[0], "-test.run=^$")
	m.process = exec.Command(line[0], line[1:]...)
	m.process.Env = append(os.Environ(), append(c.env, workerVariable+"="+c.url, idVariable+"="+m.id)...)
	m.process.Stdout, m.process.Stderr = io.Discard, &c.log
	if err := m.process.Start(); err != nil {
		c.t.Error(err)
		return
	}
	c.processes[i] = m
	c.wait.Add(1)
	go func() {
		defer c.wait.Done()
		_ = m.process.Wait() // the code says it all
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.codes[m.process.ProcessState.ExitCode()]++
		if !c.stopping {
			c.spawn(i)
		}
	}()
}

// signal sends a signal to the i-th process and returns its name.
func (c *workerProcesses) signal(i int, s syscall.Signal) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_ = c.processes[i].process.Process.Signal(s) // it may have just ended
	return c.processes[i].id
}

// find is the place of the process of that name, −1 when it is gone.
func (c *workerProcesses) find(id string) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return slices.IndexFunc(c.processes, func(m *workerProcess) bool { return m.id == id })
}

// exits are the ends of processes so far, by code.
func (c *workerProcesses) exits() map[int]int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return maps.Clone(c.codes)
}

func (c *workerProcesses) stop() {
	c.mutex.Lock()
	c.stopping = true
	for _, m := range c.processes {
		_ = m.process.Process.Signal(syscall.SIGCONT)
		_ = m.process.Process.Kill()
	}
	c.mutex.Unlock()
	c.wait.Wait()
	if c.t.Failed() {
		c.t.Logf("the workers wrote:\n%s", c.log.String())
	}
}
