package ortcpu

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// channelsLast is ReorderOutput's other form. What fills one block is in that order already.
func (l *layout) channelsLast(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	if !l.held(x) || !slices.Equal(onnx.AttrInts(n, "perm"), []int64{0, 2, 3, 1}) {
		return false
	}
	if d := l.values[x].Dims; d[1] == l.block {
		l.reshape(l.blocks[x], out, out+"/shape", d[0], d[2], d[3], d[1])
	} else {
		l.emit(domain, "ReorderOutput", out, []string{l.blocks[x]}, onnx.Int("channels", d[1]), onnx.Int("channels_last", 1))
	}
	l.plain[out] = true
	return true
}

// regroup is a Reshape of what is held in blocks that leaves rows and columns as they are and moves
// whole blocks between batch and channels: nothing moves in memory.
func (l *layout) regroup(n *onnxpb.NodeProto) bool {
	x, out := n.GetInput()[0], n.GetOutput()[0]
	from, ok := l.dims(x)
	to, fits := l.dims(out)
	if !ok || !fits || !l.held(x) || !slices.Equal(from[2:], to[2:]) || from[0]*from[1] != to[0]*to[1] {
		return false
	}
	l.hold(out, l.reshape(l.blocks[x], out+inBlocksTag, out+"/shape", to...))
	return true
}

// concat puts values held in blocks side by side along the channels.
func (l *layout) concat(n *onnxpb.NodeProto) bool {
	out := n.GetOutput()[0]
	if _, ok := l.dims(out); !ok || onnx.AttrInt(n, "axis", 0) != 1 {
		return false
	}
	var inputs []string
	for _, u := range n.GetInput() {
		if _, ok := l.dims(u); !ok || !l.held(u) {
			return false
		}
		inputs = append(inputs, l.blocks[u])
	}
	l.copyOf(n, "", inputs)
	return true
}

// findInterleaved lists the concatenations along the channels whose one reader is a DepthToSpace
// that interleave can do without them.
func (l *layout) findInterleaved(nodes []*onnxpb.NodeProto) {
	concats := make(map[string][]string)
	for _, n := range nodes {
		switch n.GetOpType() {
		case "Concat":
			if out := n.GetOutput()[0]; onnx.AttrInt(n, "axis", 0) == 1 && l.readers[out] == 1 {
				concats[out] = n.GetInput()
			}
		case "DepthToSpace":
			s := onnx.AttrInt(n, "blocksize", 0)
			parts := concats[n.GetInput()[0]]
			if onnx.AttrString(n, "mode", "DCR") != "DCR" || int64(len(parts)) != s*s {
				continue
			}
			first, ok := l.dims(parts[0])
			for _, p := range parts {
				ok = ok && slices.Equal(l.values[p].Dims, first)
			}
			if ok {
				l.parts[n.GetInput()[0]] = parts
			}
		}
	}
}

// interleave puts parts [N, C, h, w] between each other: those of one row side by side, a block of
// channels at a time, then whole rows.
func (l *layout) interleave(n *onnxpb.NodeProto) bool {
	parts, out := l.parts[n.GetInput()[0]], n.GetOutput()[0]
	if parts == nil {
		return false
	}
	s := onnx.AttrInt(n, "blocksize", 0)
	d := l.values[parts[0]].Dims
	places := d[0] * d[1] / l.block * d[2]
	each := constant(l, out+"/each", []int64{2}, places*d[3], l.block)
	row := constant(l, out+"/row", []int64{2}, places, d[3]*s*l.block)
	var rows []string
	for a := range s {
		var columns []string
		for e := range s {
			name := fmt.Sprintf("%s/part%d.%d", out, a, e)
			columns = append(columns, l.emit("", "Reshape", name, []string{l.toBlocks(parts[a*s+e]), each}))
		}
		joined := l.emit("", "Concat", fmt.Sprintf("%s/columns%d", out, a), columns, onnx.Int("axis", 1))
		rows = append(rows, l.emit("", "Reshape", fmt.Sprintf("%s/row%d", out, a), []string{joined, row}))
	}
	joined := l.emit("", "Concat", out+"/rows", rows, onnx.Int("axis", 1))
	l.hold(out, l.reshape(joined, out+inBlocksTag, out+"/shape", d[0], d[1], d[2]*s, d[3]*s))
	return true
}
