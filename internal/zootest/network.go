package zootest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Network is a network namespace with one link to this machine, which stands for another machine.
type Network struct {
	// Name is the namespace's, Host this machine's address at the other end of the link.
	Name, Host string

	t    testing.TB
	link string
}

// NewNetwork makes the i-th namespace of a test, which ends with it. It skips the test where that
// is not permitted.
func NewNetwork(t testing.TB, i int) *Network {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("network namespaces are made by root on Linux only")
	}
	// Names and addresses (four for each link) that other test processes do not use.
	process := os.Getpid() % (64 * 256)
	address := func(host int) string { return fmt.Sprintf("10.%d.%d.%d", 200+i, process/64, process%64*4+host) }
	n := &Network{t: t, Name: fmt.Sprintf("ucan%d-%d", os.Getpid(), i), link: fmt.Sprintf("uc%d-%d", os.Getpid(), i), Host: address(1)}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", n.Name).Run() }) //nolint:noctx // after the test's context has ended
	for _, line := range []string{
		"netns add " + n.Name,
		"link add " + n.link + " type veth peer name eth0 netns " + n.Name,
		"address add " + n.Host + "/30 dev " + n.link,
		"link set " + n.link + " up",
		"-n " + n.Name + " address add " + address(2) + "/30 dev eth0",
		"-n " + n.Name + " link set eth0 up",
		"-n " + n.Name + " link set lo up",
	} {
		if err := n.ip(line); err != nil {
			t.Skipf("a network namespace cannot be made here: %v", err)
		}
	}
	return n
}

func (n *Network) ip(line string) error {
	out, err := exec.CommandContext(n.t.Context(), "ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Disconnect takes the link down: what is sent is lost, and neither side is told.
func (n *Network) Disconnect() { n.set("down") }

// Connect takes the link up again.
func (n *Network) Connect() { n.set("up") }

func (n *Network) set(state string) {
	n.t.Helper()
	if err := n.ip("link set " + n.link + " " + state); err != nil {
		n.t.Fatal(err)
	}
}

// Prefix is what stands before a command that is to run inside.
func (n *Network) Prefix() []string { return []string{"ip", "netns", "exec", n.Name} }
