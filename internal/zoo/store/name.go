package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"ucan/internal/redact"
)

// ErrName marks a name that is no store's: wrong usage.
var ErrName = errors.New("no such kind of store")

// Name is where a store lies: a SQLite file or a Postgres database.
type Name struct {
	file string // absolute path of the SQLite file, "" for Postgres
	url  string // connection string of Postgres
}

// keywords matches libpq's other form of an address, which would make an odd name of a file.
var keywords = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|port|dbname|user|password|passfile|service|sslmode)\s*=`)

// ParseName reads sqlite:FILE, a bare path (which is the same) or postgres://…; "" stands for the
// default file. Errors match ErrName.
func ParseName(text string) (Name, error) {
	if text == "" {
		file, err := defaultFile()
		return Name{file: file}, err
	}
	if keywords.MatchString(text) {
		return Name{}, fmt.Errorf("%w: %q; give postgres://USER:PASSWORD@HOST/DATABASE instead of keywords", ErrName, redact.Address(text))
	}
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return Name{url: text}, checkURL(text)
	}
	scheme, file, found := strings.Cut(text, ":")
	switch {
	case !found || len(scheme) == 1: // a path, perhaps with a drive letter
		file = text
	case scheme != "sqlite":
		return Name{}, fmt.Errorf("%w: %q; give sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE", ErrName, redact.Address(text))
	}
	if file == "" || file == ":memory:" || strings.HasSuffix(file, string(filepath.Separator)) {
		return Name{}, fmt.Errorf("%w: %q names no file; give sqlite:FILE", ErrName, redact.Address(text))
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return Name{}, fmt.Errorf("find the store %q: %w", file, err)
	}
	return Name{file: absolute}, nil
}

// checkURL refuses addresses whose password holds characters that end it: another part of the
// password would be taken for the host or the database, and shown.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err == nil && u.User == nil {
		keys := ""
		for key := range u.Query() {
			keys += key
		}
		if strings.Contains(u.Path+u.Fragment+keys, "@") {
			err = ErrName
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %q cannot be read; give postgres://USER:PASSWORD@HOST:PORT/DATABASE, in which /, ?, #, @ and %% of the password are written %%2F, %%3F, %%23, %%40 and %%25", ErrName, redact.Address(text))
	}
	return nil
}

// defaultFile is the store that is used when none is named: zoo.db in the folder ucan of the user's
// data folder ($XDG_DATA_HOME, otherwise ~/.local/share; the system's own place on macOS and
// Windows).
func defaultFile() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ucan", "zoo.db"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the user's data folder: %w; name a store with --store sqlite:FILE", err)
	}
	return filepath.Join(home, dataFolder, "ucan", "zoo.db"), nil
}

// SQLite reports whether the store is a SQLite file.
func (n Name) SQLite() bool { return n.file != "" }

// File is the path of the SQLite file, "" for Postgres.
func (n Name) File() string { return n.file }

// URL is what opens the store again, password included: for handing it to a child process, never
// for printing.
func (n Name) URL() string {
	if n.SQLite() {
		return "sqlite:" + n.file
	}
	return n.url
}

// String names the store for people; it holds no password.
func (n Name) String() string {
	if n.SQLite() {
		return "sqlite:" + n.file
	}
	u, err := url.Parse(redact.Address(n.url))
	if err != nil {
		return "postgres"
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}
