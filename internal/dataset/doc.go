// Package dataset reads labelled inputs from disk for certification.
//
// A [Source] is opened from a specification such as "mnist:DIR" or
// "tar:FILE?labels=CSV" and gives random access to its inputs by a stable
// index: the same file gives the same index, label and bytes on every machine,
// whatever was read before. Sources may be shared by any number of goroutines.
//
// # Layout and scale
//
// Images are float32 in [0, 1], channels first (C, H, W): a stored byte b
// becomes float32(b)/255. Arrays (npy, npz, csv) are as stored, rounded to
// float32; arrays of integers carry no scale, so they need one (?scale=1/255).
// Resizing and cropping happen only when [Options] declare them, on the stored
// bytes and before anything else: a certificate is about the tensor after them.
//
// # Faults
//
// What is wrong with the whole source (a truncated file, a wrong magic number,
// a label file of another data set) is an error of [Open]. What is wrong with
// one input (an unreadable image, a label outside the classes) is an
// [*ItemError] of [Source.At], after which the run may go on. Headers are
// checked against the size of the file before anything is allocated.
package dataset
