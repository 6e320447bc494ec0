// Package harden takes a classifier that was never trained under noise to one that can be
// certified. It measures the classifier under the noise, tries what may stand in front of it or
// change its weights, keeps the best by a stated rule, and certifies inputs before and after that
// neither the training nor the choice has seen.
//
// Every step is a command of ucan, which the record keeps word for word, so that each can be
// repeated alone. A run that was stopped goes on behind the last finished step, and steps that can
// be resumed themselves go on where they stopped.
//
//	split.go   which inputs train, choose and certify
//	budget.go  how the time is shared out
//	rule.go    which candidate is taken
//	record.go  what is kept between runs
//	step.go    the commands
//	run.go     their order
//	table.go   what is left for people to look at
package harden
