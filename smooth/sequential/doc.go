// Package sequential certifies with as many samples as an input needs, and no
// more, at exactly the error probability of a fixed number.
//
// # The problem
//
// Fixed-n certification spends 100,000 samples on every input. Looking at the
// counts on the way and stopping when they suffice would save nearly all of
// them, but applying Clopper–Pearson at each look is wrong: the chance of a
// false certificate grows with every look (to about 19 times alpha at 102
// looks; the tests of this package show it).
//
// # Words
//
//   - A level is a probability p_j. Rejecting H_j: p_A ≤ p_j certifies every
//     radius up to R(p_j). Levels rise; the first is usually 1/2, radius zero.
//   - A look is a number of samples n_k at which the counts may be examined. A
//     schedule of looks is fixed before the first sample.
//   - A failure is a sample that did not vote for the tested class, for whatever
//     reason. The critical number c_jk is the largest number of failures among
//     the first n_k samples at which H_j is rejected.
//   - Futility is stopping because the next level looks out of reach.
//
// # Why it is valid
//
// The critical numbers of one level are computed by dynamic programming over
// the exact distribution of the failure count (a group-sequential test with a
// spending function, Lan and DeMets 1983), so the probability of ever crossing
// them when p_A ≤ p_j is at most alpha, all looks together. Levels are tested in
// order and a level counts only when all before it are rejected: the first
// false claim is the crossing of one fixed level, so alpha needs no correction
// for the number of levels (fixed-sequence testing). The critical numbers are
// computed as if futility did not exist; stopping early, for any reason and
// even a reason that knows the label, only removes chances to reject.
//
// The probability a certificate may quote is p_j of the last rejected level. A
// Clopper–Pearson bound of the counts at which the run stopped is not valid.
//
// # Use
//
// A [Plan] says what is to be tested; [NewRun] makes the state machine, which
// draws no samples itself: [Run.Next] says how many are wanted, [Run.Observe]
// takes the failures among them. [Verify] replays the claims of a certificate.
// [Anytime] is an alternative without a schedule that can always be continued,
// and [TwoStage] chooses a fixed number for a continuous radius.
//
// Tables of critical numbers take milliseconds each and are kept in a [Tables]
// value, safe for concurrent use and shared by all inputs of a run.
package sequential
