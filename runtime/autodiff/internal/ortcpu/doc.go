// Package ortcpu rewrites gradient graphs for onnxruntime's CPU provider. It names what is
// particular to that provider: its layout of blocks of channels, and the order in which it runs
// nodes. The rules of package autodiff are about mathematics.
//
// Both rewriters take a graph and return one that computes the same outputs. [Rewrite] applies them
// one after the other.
//
// # Blocks of channels
//
// The provider computes convolutions of constant weights in a layout of its own: a value [N, C, H,
// W] is held as [N, C/B, H, W, B], with B = 8 or 16 channels side by side. It moves a graph there
// by itself, but only where the weights are constants. Weights that are inputs of the graph leave
// everything in the plain layout, at twice the time. The operators of the layout (domain
// com.microsoft.nchwc) need no constants and can be named in a graph. The rewriter does so, and
// brings weights to blocks inside the graph.
//
// It pays where convolutions and what lies between them stay in blocks: each change of layout is a
// copy. Operators that do not know the layout get what they read through ReorderOutput, once for
// each value. That happens only to values that a plain operator reads.
//
// It is correct because it keeps one invariant: every value that it has passed exists under its
// plain name, or in blocks under the name that layout.blocks records, or both, and both hold the
// same numbers. Every case of layout.convert writes a node, or several, that computes from blocks
// what the plain operator computes: element by element operators do not see the order of elements,
// pooling and convolutions have counterparts in the layout, and the moves are spelled out at each
// of them. A case that does not apply changes nothing, and the node is copied as it is. A wrong
// guess about what pays costs time, never a result.
//
// The graph holds operators that other runtimes lack, and B is that of the machine ([ReadLayout]):
// it is made for the process that runs it, and never written to a file.
//
// # Order of nodes
//
// onnxruntime does not run nodes in the order of the file: see [schedule]. The rewriter writes them
// in an order from which the provider's search finds the wanted one. It pays in memory, and in
// copies of what a convolution could add to in place. It is correct because the result is a
// permutation that keeps every node behind those that it reads.
package ortcpu
