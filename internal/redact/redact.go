// Package redact takes passwords, keys and tokens out of text that people will see: messages, logs,
// the printed configuration. It goes by form, since a mistyped address is as secret as a right one.
// Where it is in doubt it hides too much.
package redact

import (
	"regexp"
	"strings"
)

// Mask stands where a secret stood.
const Mask = "xxxxx"

// secretWord ends the name of a parameter whose value is secret.
const secretWord = `(?:pass(?:word|wd|phrase|code)|passwd|pwd|secret|token|signature|credentials?|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|account[_-]?key|authorization)`

var (
	// An address with a scheme, or with a mistyped one such as postgres:/ or postgres:///.
	address = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*:/+\S*`)
	// The same, escaped inside another address.
	escaped = regexp.MustCompile(`(?i)(%3A(?:%2F|/)+)[^\s&]*(%40|@)`)
	// A parameter of an address; & ends it.
	query = regexp.MustCompile(`(?i)([?&;](?:[\w.-]*` + secretWord + `|sig|key|auth|code|jwt|sas|pass|user(?:name)?:pass)=)[^&\s"'` + "`" + `]*`)
	// A parameter of a connection string or a command line: name=value or name: value, quoted or
	// not.
	parameter = regexp.MustCompile(`(?i)([\w.-]*` + secretWord + `|\bpass)(["']?\s*(?:=|:=)\s*|["']\s*:\s*|:\s+)` +
		`('(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.)*(?:"|$)|(?:bearer|basic|token|digest)\s+\S+|[^\s'"]\S*)`)
	// What Amazon's access keys look like, wherever they stand.
	amazonKey = regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b`)
	bearer    = regexp.MustCompile(`(?i)\b(bearer)\s+[\w.~+/=-]{8,}`)
)

// Text hides secrets in a message: in addresses (scheme://user:SECRET@host, also with a mistyped
// scheme), in their parameters (?password=SECRET), in connection strings (password=SECRET or
// 'SECRET'), and Amazon's key identifiers.
func Text(s string) string {
	if !strings.ContainsAny(s, ":=%") && !amazonKey.MatchString(s) {
		return s
	}
	s = address.ReplaceAllStringFunc(s, credentials)
	s = escaped.ReplaceAllString(s, "${1}"+Mask+"${2}")
	s = query.ReplaceAllString(s, "${1}"+Mask)
	s = parameter.ReplaceAllStringFunc(s, hideValue)
	s = bearer.ReplaceAllString(s, "${1} "+Mask)
	return amazonKey.ReplaceAllString(s, Mask)
}

// Address is [Text] for a whole value that should be the address of a service: spaces may then be
// part of the secret, and user:SECRET@host needs no scheme.
func Address(s string) string {
	if path, ok := strings.CutPrefix(s, "sqlite:"); ok && !strings.HasPrefix(path, "//") {
		return s // a file, whatever its name holds
	}
	at := strings.LastIndex(s, "@")
	if at < 0 {
		return Text(s)
	}
	scheme := regexp.MustCompile(`(?i)^\s*[a-z][a-z0-9+.-]*://+`).FindString(s)
	user, secret := cutSecret(s[len(scheme):at])
	switch {
	case strings.HasPrefix(strings.ToLower(scheme), "http"):
		return scheme + Mask + Text(s[at:])
	case !secret:
		return Text(s)
	}
	return scheme + user + ":" + Mask + Text(s[at:])
}

// placeholder stands in messages that say how an address is written.
const placeholder = "USER:PASSWORD@"

// credentials hides those of one address.
func credentials(s string) string {
	slash := strings.Index(s, ":/")
	end := slash + 1
	for end < len(s) && s[end] == '/' {
		end++
	}
	scheme, rest := s[:end], s[end:]
	if tail, ok := strings.CutPrefix(rest, placeholder); ok && !strings.Contains(tail, "@") {
		return s
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return scheme + withoutHost(rest)
	}
	if strings.HasPrefix(strings.ToLower(scheme), "http") { // a token may stand alone
		return scheme + Mask + rest[at:]
	}
	if user, secret := cutSecret(rest[:at]); secret {
		return scheme + user + ":" + Mask + rest[at:]
	}
	return s
}

// cutSecret cuts the name off NAME:SECRET.
func cutSecret(s string) (name string, ok bool) {
	lower := strings.ToLower(s)
	colon, encoded := strings.Index(lower, ":"), strings.Index(lower, "%3a")
	if encoded >= 0 && (colon < 0 || encoded < colon) {
		colon = encoded
	}
	if colon < 0 {
		return "", false
	}
	return s[:colon], true
}

// port is what may follow a host's colon.
var port = regexp.MustCompile("^[0-9]{0,5}(?:[/?#,\"'`)\\]};:.]|$)")

// withoutHost hides what follows NAME: where it can be no port: a password whose address was cut
// off behind it.
func withoutHost(s string) string {
	if strings.HasPrefix(s, "[") { // an IPv6 address
		return s
	}
	end := strings.IndexAny(s, "/?#")
	if end < 0 {
		end = len(s)
	}
	colon := strings.Index(s[:end], ":")
	if colon < 0 || port.MatchString(s[colon+1:]) {
		return s
	}
	return s[:colon+1] + Mask
}

// quoteEnd ends a quoted text that holds a parameter.
var quoteEnd = regexp.MustCompile(`"[:;,.)]*$`)

// hideValue hides the value of one parameter.
func hideValue(s string) string {
	m := parameter.FindStringSubmatch(s)
	tail := ""
	if !strings.HasPrefix(m[3], `"`) {
		tail = quoteEnd.FindString(m[3])
	}
	return m[1] + m[2] + Mask + tail
}
