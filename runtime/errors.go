package runtime

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	// ErrClosed: a Runtime, Session or Tensor is used after Close.
	ErrClosed = errors.New("already closed")
	// ErrLibraryLoaded: another onnxruntime library is loaded in this process;
	// a process can hold one.
	ErrLibraryLoaded = errors.New("another onnxruntime library is already loaded")
	// ErrUnknownProvider: a provider name that this build of ucan does not
	// know (exit code 2).
	ErrUnknownProvider = errors.New("unknown execution provider")
	// ErrProvider: a provider could not be loaded, or not for the whole graph,
	// and fallback was not allowed (exit code 1).
	ErrProvider = errors.New("execution provider cannot be used")
	// ErrOptions: session options out of range (exit code 2).
	ErrOptions = errors.New("invalid session options")
	// ErrModel: onnxruntime does not accept the graph (exit code 1).
	ErrModel = errors.New("onnxruntime cannot load the model")
	// ErrTimeLimit: a run, or loading a model, took longer than its limit.
	ErrTimeLimit = errors.New("took longer than its limit")
	// ErrTensor: a tensor does not fit its shape, or the graph's input or
	// output it is given for.
	ErrTensor = errors.New("tensor does not fit")
)
