package tflite

import (
	"errors"
	"fmt"
	"math"
)

// ErrModel is the kind of every error of Parse.
var ErrModel = errors.New("tflite: not a usable model")

// Bounds of a network.
const (
	Inputs     = 8 // the features of mlrefill.Features
	MaxBytes   = 1 << 20
	maxLayers  = 16
	maxWidth   = 256
	maxTensors = 256
)

// Numbers of the TensorFlow Lite schema.
const (
	opFullyConnected = 9
	opLogistic       = 14
	opRelu           = 19

	typeFloat32    = 0
	activationNone = 0
	activationRelu = 1
)

// Network is a chain of dense layers.
type Network struct{ layers []layer }

type layer struct {
	in, out int
	weights []float32 // out rows of in; nil for an activation alone
	bias    []float32 // nil = 0
	act     func(float32) float32
}

func relu(x float32) float32     { return max(x, 0) }
func logistic(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// Predict returns the output for an input. ok is false when it is no number.
func (n *Network) Predict(x *[Inputs]float64) (y float64, ok bool) {
	var a, b [maxWidth]float32
	for i, v := range x {
		a[i] = float32(v)
	}
	from, to := &a, &b
	for i := range n.layers {
		n.layers[i].apply(from, to)
		from, to = to, from
	}
	y = float64(from[0])
	return y, !math.IsNaN(y) && !math.IsInf(y, 0)
}

func (l *layer) apply(x, y *[maxWidth]float32) {
	for o := range l.out {
		sum := x[o]
		if l.weights != nil {
			sum = 0
			if l.bias != nil {
				sum = l.bias[o]
			}
			for i, w := range l.weights[o*l.in : (o+1)*l.in] {
				sum += w * x[i]
			}
		}
		if l.act != nil {
			sum = l.act(sum)
		}
		y[o] = sum
	}
}

// reader takes a model apart.
type reader struct {
	flat
	ops     []int
	buffers []table
	tensors []table
}

// Parse reads a model, or says why it is none that can be used.
func Parse(b []byte) (*Network, error) {
	if len(b) > MaxBytes {
		return nil, refuse("%d bytes, at most %d", len(b), MaxBytes)
	}
	if len(b) < 8 || string(b[4:8]) != "TFL3" {
		return nil, refuse("it does not begin like a .tflite file")
	}
	r := &reader{flat: flat{b: b}}
	graph, err := r.graph()
	if err != nil {
		return nil, err
	}
	return r.network(graph)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrModel, fmt.Sprintf(format, args...))
}

func (r *reader) damaged() error { return refuse("it is cut off or damaged") }

// graph reads what the layers refer to.
func (r *reader) graph() (table, error) {
	model := r.root()
	for _, op := range r.tables(model, 1, maxTensors) {
		r.ops = append(r.ops, r.operator(op))
	}
	graphs := r.tables(model, 2, 1)
	r.buffers = r.tables(model, 4, maxTensors)
	if r.bad {
		return 0, r.damaged()
	}
	if len(graphs) != 1 {
		return 0, refuse("it has %d subgraphs, want one", len(graphs))
	}
	r.tensors = r.tables(graphs[0], 0, maxTensors)
	if r.bad {
		return 0, r.damaged()
	}
	return graphs[0], nil
}

// operator is the number of a builtin operator; old files have it in a byte.
func (r *reader) operator(t table) int {
	code := 0
	if at := r.field(t, 3); at != 0 {
		code = r.i32(at)
	}
	if at := r.field(t, 0); at != 0 {
		code = max(code, int(int8(uint8(r.u8(at)))))
	}
	return code
}

func (r *reader) network(graph table) (*Network, error) {
	inputs, outputs := r.ints(graph, 1, maxTensors), r.ints(graph, 2, maxTensors)
	steps := r.tables(graph, 3, maxLayers)
	if r.bad {
		return nil, r.damaged()
	}
	if len(inputs) != 1 || len(outputs) != 1 || len(steps) == 0 {
		return nil, refuse("want one input, one output and at least one layer")
	}
	at, width := inputs[0], Inputs
	if got, err := r.width(at); err != nil || got != Inputs {
		return nil, errors.Join(refuse("want an input of %d numbers", Inputs), err)
	}
	n := &Network{}
	for _, step := range steps {
		l, next, err := r.layer(step, at, width)
		if err != nil {
			return nil, err
		}
		n.layers = append(n.layers, l)
		at, width = next, l.out
	}
	if at != outputs[0] || width != 1 {
		return nil, refuse("want an output of one number at the end of the layers")
	}
	return n, nil
}

// layer reads an operator that takes the tensor at, of a width, and returns the
// tensor it makes.
func (r *reader) layer(t table, at, width int) (l layer, next int, err error) {
	index := 0
	if p := r.field(t, 0); p != 0 {
		index = r.u32(p)
	}
	in, out := r.ints(t, 1, 4), r.ints(t, 2, 4)
	if r.bad || index >= len(r.ops) {
		return l, 0, r.damaged()
	}
	if len(in) == 0 || len(out) != 1 || in[0] != at {
		return l, 0, refuse("its layers are no chain")
	}
	l = layer{in: width, out: width}
	switch code := r.ops[index]; code {
	case opRelu:
		l.act = relu
	case opLogistic:
		l.act = logistic
	case opFullyConnected:
		if err := r.dense(t, in, &l); err != nil {
			return l, 0, err
		}
	default:
		return l, 0, refuse("operator %d is not one of FULLY_CONNECTED, RELU and LOGISTIC", code)
	}
	if got, err := r.width(out[0]); err != nil || got != l.out {
		return l, 0, errors.Join(refuse("a layer of %d numbers makes a tensor of %d", l.out, got), err)
	}
	return l, out[0], nil
}

func (r *reader) dense(t table, in []int, l *layer) error {
	if len(in) < 2 || len(in) > 3 {
		return refuse("a dense layer has %d inputs", len(in))
	}
	shape, err := r.shape(in[1])
	if err != nil {
		return err
	}
	if len(shape) != 2 || shape[1] != l.in || shape[0] < 1 || shape[0] > maxWidth {
		return refuse("a dense layer over %d numbers has weights of shape %v", l.in, shape)
	}
	l.out = shape[0]
	if l.weights, err = r.constant(in[1], l.out*l.in); err != nil {
		return err
	}
	if len(in) == 3 && in[2] >= 0 {
		if l.bias, err = r.constant(in[2], l.out); err != nil {
			return err
		}
	}
	options := r.sub(t, 4)
	if p := r.field(options, 0); p != 0 {
		switch code := r.u8(p); code {
		case activationNone:
		case activationRelu:
			l.act = relu
		default:
			return refuse("fused activation %d is not RELU", code)
		}
	}
	if p := r.field(options, 1); p != 0 && r.u8(p) != 0 {
		return refuse("its weights are shuffled")
	}
	if r.bad {
		return r.damaged()
	}
	return nil
}

// shape is that of a float32 tensor.
func (r *reader) shape(tensor int) ([]int, error) {
	if tensor < 0 || tensor >= len(r.tensors) {
		return nil, r.damaged()
	}
	t := r.tensors[tensor]
	if p := r.field(t, 1); p != 0 && r.u8(p) != typeFloat32 {
		return nil, refuse("a tensor is not of float32")
	}
	shape := r.ints(t, 0, 4)
	if r.bad {
		return nil, r.damaged()
	}
	return shape, nil
}

// width is the numbers of one row of a tensor.
func (r *reader) width(tensor int) (int, error) {
	shape, err := r.shape(tensor)
	if err != nil {
		return 0, err
	}
	if len(shape) == 0 {
		return 0, refuse("a tensor has no shape")
	}
	return shape[len(shape)-1], nil
}

// constant reads n numbers out of the buffer of a tensor.
func (r *reader) constant(tensor, n int) ([]float32, error) {
	if _, err := r.shape(tensor); err != nil {
		return nil, err
	}
	buffer := 0
	if p := r.field(r.tensors[tensor], 2); p != 0 {
		buffer = r.u32(p)
	}
	if r.bad || buffer >= len(r.buffers) {
		return nil, r.damaged()
	}
	list := r.floats(r.buffers[buffer], 0, n)
	if r.bad {
		return nil, refuse("a tensor of %d numbers has not so many", n)
	}
	for _, v := range list {
		if v != v || math.IsInf(float64(v), 0) {
			return nil, refuse("a weight is %v", v)
		}
	}
	return list, nil
}
