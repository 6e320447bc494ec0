// Package audit checks files of certificates. Package certificate checks what one certificate says
// of itself; this package adds what needs the generators of package npg, what several certificates
// of a file say together, and how fresh votes contradict a bound. [UnderivableHelp] lists what no
// reader of the file alone can find.
package audit
