// Package zootest helps tests of zoo runs: a throw-away Postgres server, where one is installed, a
// network that can be cut, and small or read-only file systems, where they may be mounted.
package zootest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoPostgres says that no server can be started here.
var ErrNoPostgres = errors.New("no Postgres server is installed (Debian: apt-get install postgresql)")

// Postgres is a throw-away server of its own data folder and port. Tests never install one.
type Postgres struct {
	// URL connects to its database as its superuser.
	URL  string
	Port int
	// Addresses are those it listens at, beside 127.0.0.1, from its next start on.
	Addresses []string

	folder string
	bin    string
	as     *syscall.SysProcAttr
}

// StartPostgres makes and starts a server, or fails with ErrNoPostgres. A server refuses to run as
// root; then the user postgres runs it.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	bin, err := findServer()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin}
	if p.folder, err = os.MkdirTemp("", "ucan-postgres-"); err != nil {
		return nil, err
	}
	if err = p.chooseUser(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.folder))
	}
	if p.Port, err = freePort(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.folder))
	}
	if err = p.initialise(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.folder))
	}
	p.URL = fmt.Sprintf("postgres://ucan:secret@127.0.0.1:%d/postgres?sslmode=disable", p.Port)
	if err = p.Start(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.folder))
	}
	return p, nil
}

func (p *Postgres) initialise(ctx context.Context) error {
	password := filepath.Join(p.folder, "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o644); err != nil { //nolint:gosec // of a throw-away server
		return err
	}
	if err := p.run(ctx, "initdb", "-D", p.data(), "-U", "ucan", "--auth=scram-sha-256", "--pwfile="+password, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return err
	}
	// Other network namespaces may connect, with the password.
	access, err := os.OpenFile(filepath.Join(p.data(), "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = access.WriteString("host all all 10.0.0.0/8 scram-sha-256\n")
	return errors.Join(err, access.Close())
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

// findServer looks on the path and in Debian's folders.
func findServer() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrNoPostgres
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func (p *Postgres) chooseUser() error {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return ErrNoPostgres
	}
	uid, uidErr := strconv.Atoi(account.Uid)
	gid, gidErr := strconv.Atoi(account.Gid)
	if err = errors.Join(uidErr, gidErr, os.Chown(p.folder, uid, gid)); err != nil {
		return err
	}
	p.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // small numbers
	return nil
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// run runs one of the server's programs. Output goes to a file, since a started server keeps it
// open.
func (p *Postgres) run(ctx context.Context, program string, args ...string) error {
	log := filepath.Join(p.folder, program+".log")
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	command.Dir, command.SysProcAttr, command.Stdout, command.Stderr = p.folder, p.as, f, f
	command.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	err = errors.Join(command.Run(), f.Close())
	if err != nil {
		text, _ := os.ReadFile(log)
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(text))
	}
	return nil
}

// Start starts the server and waits until it answers. Its data are not synced to the disk.
func (p *Postgres) Start(ctx context.Context) error {
	addresses := strings.Join(append([]string{"127.0.0.1"}, p.Addresses...), ",")
	options := fmt.Sprintf("-p %d -c listen_addresses=%s -c unix_socket_directories=%s -c fsync=off -c max_connections=200", p.Port, addresses, p.folder)
	return p.run(ctx, "pg_ctl", "start", "-w", "-t", "60", "-D", p.data(), "-l", filepath.Join(p.folder, "server.log"), "-o", options)
}

// Stop stops the server at once, cutting off every connection.
func (p *Postgres) Stop(ctx context.Context) error {
	return p.run(ctx, "pg_ctl", "stop", "-m", "immediate", "-w", "-t", "60", "-D", p.data())
}

// Close stops the server and removes its data.
func (p *Postgres) Close() error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	return errors.Join(p.Stop(ctx), os.RemoveAll(p.folder))
}

// Database makes an empty database and returns how to connect to it.
func (p *Postgres) Database(ctx context.Context, name string) (url string, err error) {
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://ucan:secret@127.0.0.1:%d/%s?sslmode=disable", p.Port, name), nil
}
