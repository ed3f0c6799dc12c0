// Package tflite reads small dense networks out of .tflite files, so that a
// forecaster can be trained in TensorFlow and dropped in: float32, chains of
// FULLY_CONNECTED, RELU and LOGISTIC, eight inputs (mlrefill.Features) and one
// output. Anything else is refused with an error that says what it is.
//
// A file is a FlatBuffer, and is not trusted: every offset, length and shape is
// checked against the bytes there are before it is followed, sizes are bounded,
// and weights must be finite. (The usual FlatBuffers runtime follows offsets
// unchecked and panics, which is why this package reads tables itself: it needs
// no more of the format than vtables, vectors and scalars.)
//
// A [Network] never changes once it is read and may be used by many goroutines.
package tflite
