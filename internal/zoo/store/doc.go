// Package store keeps the runs of a zoo in one SQL database: what is to be done (the resolved run),
// what was done (a row for every finished shard and one for every certificate), what failed, and
// why. The queue's own tables lie in the same database, so that a shard's certificates and its
// completion commit together.
//
// The database is SQLite (one file on a local disk, any number of processes) or Postgres (any
// number of machines); both hold the same tables. A store is opened by its name: sqlite:FILE or
// postgres://USER:PASSWORD@HOST/DATABASE.
package store
