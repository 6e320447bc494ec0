// Package rows proves that the rows of a batch are independent: each answer depends on its own row
// alone.
//
// # The claim
//
// A graph maps a batch x of N rows to an output y of N rows. [Prove] answers Proved
// only if there is one function F with
//
//	yᵢ = F(xᵢ)  for every N ≥ 1, every batch x and every row i,
//
// as far as the definitions of the operators go. Samples that share a batch then get
// independent answers, wherever they stand in it and whatever stands beside them, and the
// size of the batch changes nothing. What a kernel makes of an operator is another matter:
// rounding may depend on the batch, which a proof over definitions does not see.
//
// A proof for a graph with a fixed batch B says the same for N = B only.
//
// A batch of one row needs no proof: its answer depends on that row alone.
//
// # What is tracked
//
// Nothing runs. Each tensor v of the graph is described by one of four statements about
// all N and all x:
//
//   - constant: v is the same tensor for all N and x.
//   - sized: v depends on N alone, and its elements are known as a·N + b.
//   - rows(axis, outer, inner): along one axis, v has outer·N·inner indices. Index
//     (u·N + i)·inner + w belongs to row i, for u < outer and w < inner, and there is one
//     function G with v's slice of those indices = G(xᵢ), for all N, x and i. The other
//     extents of v depend neither on N nor on x. outer and inner stay 1 until a Reshape
//     merges the batch with its neighbours, as attention does with its heads.
//   - mixed: nothing is known. The first operator that made it so is kept.
//
// The input is rows(0, 1, 1) with G the identity. Shapes are part of the description:
// an extent is a·N + b, or unknown but the same for all N and x.
//
// # Why it is sound
//
// Every operator has a rule ([Operators] lists them), which is a lemma: if the inputs
// satisfy their statements, the outputs satisfy those that the rule gives them. The
// lemmas are of few kinds.
//
//   - An operator that computes each element, or each slice along an axis, from those of
//     the same index keeps rows along that axis. Element by element, the axes of all rows
//     operands must meet when shapes are aligned from the right, and a constant must have
//     extent 1 there: one of extent N would give each position another function.
//   - An operator that combines the elements along some axes (reductions, Softmax,
//     products, normalisations, windows) keeps rows along the others.
//   - A Reshape keeps rows if the elements of row i still are whole blocks of one axis,
//     which is arithmetic on extents: see reshaped.
//   - A deterministic operator on constants gives a constant.
//   - An operator that reads only extents (Shape, Size) gives a sized tensor.
//   - A condition, a trip count or a shape must be constant, or a shape sized; otherwise
//     all rows share a decision that one of them makes.
//
// By induction over the nodes, in the order in which they run, every statement holds;
// bodies of Loop and Scan are iterated to a statement that they keep, bodies of If are
// joined, and local functions are followed call by call. The output's statement
// rows(0, 1, 1) is the claim. Whatever has no rule is mixed: an unknown operator,
// a newer operator set, an attribute that no rule covers. So an omission costs speed,
// never soundness.
//
// The rules are guarded by tests: each has a case, graphs that mix rows must not be
// proved, and random graphs that are proved must give the same rows in onnxruntime in
// other batches, at other places.
package rows
