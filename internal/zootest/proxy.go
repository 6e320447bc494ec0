package zootest

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between a process and its database, and can be cut.
type Proxy struct {
	// URL connects to the database through the proxy.
	URL string

	target   string
	listener net.Listener
	mutex    sync.Mutex
	change   *sync.Cond
	conns    map[net.Conn]bool
	cut      bool // connections end, and new ones are refused
	silent   bool // nothing passes
}

// StartProxy starts a proxy for the database at the URL. It ends with the test.
func StartProxy(t testing.TB, database string) *Proxy {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u.Host, listener: listener, conns: map[net.Conn]bool{}}
	p.change = sync.NewCond(&p.mutex)
	u.Host = listener.Addr().String()
	p.URL = u.String()
	go p.accept()
	t.Cleanup(func() {
		p.Cut()
		_ = listener.Close()
	})
	return p
}

// Cut ends all connections, and lets no new one come about.
func (p *Proxy) Cut() { p.set(true, false) }

// Silence lets nothing pass any longer, while connections seem to live.
func (p *Proxy) Silence() { p.set(false, true) }

// Heal ends Cut and Silence. What was sent in the meantime arrives.
func (p *Proxy) Heal() { p.set(false, false) }

func (p *Proxy) set(cut, silent bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cut, p.silent = cut, silent
	if cut {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	p.change.Broadcast()
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		out, err := net.Dial("tcp", p.target) //nolint:noctx // of this machine
		if err != nil || !p.hold(in, out) {
			_ = in.Close()
			continue
		}
		go p.forward(in, out)
		go p.forward(out, in)
	}
}

// hold remembers a pair of connections, unless the proxy is cut.
func (p *Proxy) hold(in, out net.Conn) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.cut {
		_ = out.Close()
		return false
	}
	p.conns[in], p.conns[out] = true, true
	return true
}

// forward copies one direction until either side ends, which ends both.
func (p *Proxy) forward(from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		p.mutex.Lock()
		defer p.mutex.Unlock()
		delete(p.conns, from)
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !p.pass() || err != nil {
			return
		}
		if _, err = to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// pass waits while the proxy is silent, and is false when it is cut.
func (p *Proxy) pass() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for p.silent {
		p.change.Wait()
	}
	return !p.cut
}
