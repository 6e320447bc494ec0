package onnx

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Opsets that [Model.WithOpset] converts between.
const (
	minOpset = 7
	maxOpset = 22
)

// irForOpset is the oldest IR version whose readers know the opset.
func irForOpset(opset int64) int64 {
	switch {
	case opset <= 8:
		return 3
	case opset == 9:
		return 4
	case opset == 10:
		return 5
	case opset == 11:
		return 6
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	}
	return 10
}

// WithOpset returns a copy that imports the given version of the default operator set, with the
// nodes whose definition changed in between rewritten so that the model computes the same. It
// converts upwards only, from opset 7 on, to 22 at most; a model that is there already is returned
// as it is. It fails, naming the node, for the few that cannot be rewritten: BatchNormalization
// with spatial=0 or training outputs, Scan of opset 8, Upsample without constant scales,
// GroupNormalization across opset 21.
func (m *Model) WithOpset(version int64) (*Model, error) {
	have := m.Opset("")
	switch {
	case have == version:
		return m, nil
	case have < minOpset:
		return nil, fmt.Errorf("onnx: the model is of opset %d; only %d and newer can be converted", have, minOpset)
	case version < have:
		return nil, fmt.Errorf("onnx: cannot convert opset %d down to %d", have, version)
	case version > maxOpset:
		return nil, fmt.Errorf("onnx: cannot convert to opset %d; the newest known is %d", version, maxOpset)
	}
	return m.Edit(func(p *onnxpb.ModelProto) error {
		for _, f := range p.Functions {
			if opsetOf(f.OpsetImport, "") != version {
				return fmt.Errorf("onnx: cannot convert the model's own function %q to opset %d", f.GetName(), version)
			}
		}
		u := &upgrader{NodeWriter: NewNodeWriter(p.Graph), ranks: make(map[string]int), types: make(map[string]DType)}
		u.learn(p.Graph)
		for v := have + 1; v <= version; v++ {
			if err := u.convert(p.Graph, v); err != nil {
				return err
			}
		}
		setOpset(p, version)
		return nil
	})
}

// setOpset replaces every import of the default domain by one of the given version and raises the
// IR version as far as that needs.
func setOpset(p *onnxpb.ModelProto, version int64) {
	p.OpsetImport = filter(p.OpsetImport, func(o *onnxpb.OperatorSetIdProto) bool { return NormalDomain(o.GetDomain()) != "" })
	p.OpsetImport = append([]*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(version)}}, p.OpsetImport...)
	p.IrVersion = proto.Int64(max(p.GetIrVersion(), irForOpset(version), 4))
}

// upgrader rewrites nodes from one opset to the next. What it writes takes the place of the current
// node.
type upgrader struct {
	*NodeWriter
	ranks map[string]int   // of values whose shape is declared
	types map[string]DType // of values, as far as known
}

// learn collects declared shapes and types. Most operators pass on the type of their first input,
// which carries float16 and float64 through a graph.
func (u *upgrader) learn(g *onnxpb.GraphProto) {
	for _, v := range slices.Concat(g.Input, g.ValueInfo, g.Output) {
		i := infoOf(v)
		if i.HasShape {
			u.ranks[i.Name] = len(i.Shape)
		}
		if i.Type != Undefined {
			u.types[i.Name] = i.Type
		}
	}
	for _, t := range g.Initializer {
		u.types[t.GetName()] = TensorType(t)
	}
	for _, n := range g.Node {
		if len(n.Input) == 0 || n.GetOpType() == "Cast" {
			if a := FindAttr(n, "to"); a != nil && len(n.Output) > 0 {
				u.types[n.Output[0]] = DType(a.GetI())
			}
			continue
		}
		for _, o := range n.GetOutput() {
			if u.types[o] == Undefined {
				u.types[o] = u.types[n.Input[0]]
			}
		}
	}
}

func (u *upgrader) convert(g *onnxpb.GraphProto, v int64) error {
	outer := *u.NodeWriter
	defer func() { u.graph, u.Nodes = outer.graph, outer.Nodes }()
	var nodes []*onnxpb.NodeProto
	for _, n := range g.Node {
		for _, sub := range subgraphs(n) {
			if err := u.convert(sub, v); err != nil {
				return err
			}
		}
		u.graph, u.Nodes = g, nil
		if NormalDomain(n.GetDomain()) == "" {
			if err := u.node(n, v); err != nil {
				return fmt.Errorf("onnx: convert %s to opset %d: %w", Describe(n), v, err)
			}
		}
		if u.Nodes == nil {
			u.Nodes = []*onnxpb.NodeProto{n}
		}
		nodes = append(nodes, u.Nodes...)
	}
	g.Node = nodes
	return nil
}

// node rewrites n in place, or writes its successors, for the changes that opset v made.
func (u *upgrader) node(n *onnxpb.NodeProto, v int64) error {
	op := n.GetOpType()
	if len(n.Input) == 0 || len(n.Output) == 0 {
		return nil // malformed, or a constant: nothing here changed
	}
	switch v {
	case 9:
		switch op {
		case "BatchNormalization":
			if AttrInt(n, "spatial", 1) != 1 {
				return fmt.Errorf("spatial=0 has no successor")
			}
			dropAttrs(n, "spatial")
		case "Upsample":
			return u.attrToInput(n, "scales", 1)
		case "Scan":
			return fmt.Errorf("its batched form has no successor")
		}
	case 10:
		switch op {
		case "Slice":
			for i, name := range []string{"starts", "ends", "axes"} {
				if err := u.attrToInput(n, name, i+1); err != nil {
					return err
				}
			}
		case "TopK":
			k := AttrInt(n, "k", 0)
			dropAttrs(n, "k")
			u.setInput(n, 1, u.ints("k", []int64{k}))
		case "Upsample":
			n.OpType = proto.String("Resize")
		}
	case 11:
		return u.to11(n, op)
	case 12:
		if op == "Dropout" {
			dropAttrs(n, "ratio") // no effect in inference
		}
	case 13:
		return u.to13(n, op)
	case 14:
		if op == "BatchNormalization" {
			for _, o := range n.GetOutput()[min(1, len(n.GetOutput())):] {
				if o != "" {
					return fmt.Errorf("its training outputs have no successor")
				}
			}
			n.Output = n.Output[:min(1, len(n.Output))]
		}
	case 16:
		if op == "RoiAlign" && FindAttr(n, "coordinate_transformation_mode") == nil {
			n.Attribute = append(n.Attribute, Str("coordinate_transformation_mode", "output_half_pixel").p)
		}
	case 18:
		return u.to18(n, op)
	case 20:
		if op == "GridSample" {
			switch AttrString(n, "mode", "bilinear") {
			case "bilinear":
				SetAttr(n, Str("mode", "linear"))
			case "bicubic":
				SetAttr(n, Str("mode", "cubic"))
			}
		}
	case 21:
		if op == "GroupNormalization" {
			return fmt.Errorf("its scale and bias were per group and are now per channel")
		}
	}
	return nil
}

func (u *upgrader) to11(n *onnxpb.NodeProto, op string) error {
	switch op {
	case "Clip":
		for i, name := range []string{"min", "max"} {
			if a := FindAttr(n, name); a != nil {
				u.setInput(n, i+1, u.float(name, n.Input[0], a.GetF()))
			}
		}
		dropAttrs(n, "min", "max")
	case "Pad":
		value := AttrFloat(n, "value", 0)
		if err := u.attrToInput(n, "pads", 1); err != nil {
			return err
		}
		if AttrString(n, "mode", "constant") == "constant" && value != 0 {
			u.setInput(n, 2, u.float("value", n.Input[0], value))
		}
		dropAttrs(n, "value")
	case "Resize":
		if len(n.Input) != 2 {
			return fmt.Errorf("it has %d inputs, not 2", len(n.Input))
		}
		n.Input = []string{n.Input[0], Store[float32](u.NodeWriter, u.Fresh("roi"), []int64{0}), n.Input[1]}
		SetAttr(n, Str("coordinate_transformation_mode", "asymmetric"))
		SetAttr(n, Str("nearest_mode", "floor"))
	case "Scatter":
		n.OpType = proto.String("ScatterElements")
	}
	return nil
}

func (u *upgrader) to13(n *onnxpb.NodeProto, op string) error {
	switch op {
	case "Squeeze", "Unsqueeze", "ReduceSum":
		return u.attrToInput(n, "axes", 1)
	case "Split":
		return u.attrToInput(n, "split", 1)
	case "Softmax", "LogSoftmax", "Hardmax":
		axis := AttrInt(n, "axis", 1)
		rank, known := u.ranks[n.GetInput()[0]]
		if axis == -1 || known && int(axis) == rank-1 {
			SetAttr(n, Int("axis", -1))
			return nil
		}
		// Before opset 13 everything from axis on was one dimension.
		x, y := n.GetInput()[0], n.GetOutput()[0]
		shape, flat, soft := u.Fresh(y+"_shape"), u.Fresh(y+"_flat"), u.Fresh(y+"_soft")
		u.Node("", "Shape", []string{x}, []string{shape})
		u.Node("", "Flatten", []string{x}, []string{flat}, Int("axis", axis))
		u.Node("", op, []string{flat}, []string{soft}, Int("axis", -1)).Name = n.Name
		u.Node("", "Reshape", []string{soft, shape}, []string{y})
	}
	return nil
}

func (u *upgrader) to18(n *onnxpb.NodeProto, op string) error {
	switch op {
	case "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare":
		return u.attrToInput(n, "axes", 1)
	case "Split":
		if len(n.Input) < 2 || n.Input[1] == "" {
			SetAttr(n, Int("num_outputs", int64(len(n.Output))))
		}
	}
	return nil
}

// attrToInput turns an attribute of numbers into a constant input; a missing attribute leaves the
// input out.
func (u *upgrader) attrToInput(n *onnxpb.NodeProto, name string, at int) error {
	a := FindAttr(n, name)
	if a == nil {
		return nil
	}
	switch a.GetType() {
	case onnxpb.AttributeProto_FLOATS:
		u.setInput(n, at, Store(u.NodeWriter, u.Fresh(name), []int64{int64(len(a.Floats))}, a.Floats...))
	case onnxpb.AttributeProto_INTS, onnxpb.AttributeProto_UNDEFINED:
		u.setInput(n, at, u.ints(name, a.Ints))
	default:
		return fmt.Errorf("attribute %q is not a list of numbers", name)
	}
	dropAttrs(n, name)
	return nil
}

func (u *upgrader) setInput(n *onnxpb.NodeProto, at int, name string) {
	for len(n.Input) <= at {
		n.Input = append(n.Input, "")
	}
	n.Input[at] = name
}

func (u *upgrader) ints(base string, v []int64) string {
	return Store(u.NodeWriter, u.Fresh(base), []int64{int64(len(v))}, v...)
}

// float adds a scalar of the type of the value like: float32 unless something else is known of it.
func (u *upgrader) float(base, like string, v float32) string {
	name := u.Fresh(base)
	switch u.types[like] {
	case Double:
		return Store(u.NodeWriter, name, nil, float64(v))
	case Float16:
		return Store(u.NodeWriter, name, nil, HalfFromFloat32(v))
	}
	return Store(u.NodeWriter, name, nil, v)
}

func dropAttrs(n *onnxpb.NodeProto, names ...string) {
	n.Attribute = filter(n.Attribute, func(a *onnxpb.AttributeProto) bool { return !slices.Contains(names, a.GetName()) })
}
