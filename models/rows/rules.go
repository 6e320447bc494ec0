package rows

import (
	"math"

	"ucan/runtime/onnx"
)

// rules is the registry: one rule an operator. Whatever is not here is not proved.
func rules() map[string]rule {
	elementwise := rule{apply: elementwiseRule, needs: 1}
	folded := func(fold func(*call) *value) rule { return rule{apply: elementwiseRule, fold: fold, needs: 1} }
	unary := rule{apply: unaryRule, needs: 1}
	reduce := rule{apply: reduceRule, ranked: true, needs: 1}
	whole := rule{apply: constantOnlyRule, rows: true}
	all := map[string]rule{
		// Element by element (rules_elementwise.go).
		"Add": folded(foldBinary(onnx.Undefined, add)), "Sub": folded(foldBinary(onnx.Undefined, sub)),
		"Mul": folded(foldBinary(onnx.Undefined, multiply)), "Div": folded(foldBinary(onnx.Undefined, divide)),
		"Mod": folded(foldBinary(onnx.Undefined, modulo)), "Pow": elementwise, "PRelu": elementwise,
		"Min": folded(extreme(-1)), "Max": folded(extreme(1)), "Sum": elementwise, "Mean": elementwise,
		"Equal":          folded(compare(func(s int) bool { return s == 0 })),
		"Less":           folded(compare(func(s int) bool { return s < 0 })),
		"Greater":        folded(compare(func(s int) bool { return s > 0 })),
		"LessOrEqual":    folded(compare(func(s int) bool { return s <= 0 })),
		"GreaterOrEqual": folded(compare(func(s int) bool { return s >= 0 })),
		"And":            folded(foldBinary(onnx.Bool, func(a, b num, _ onnx.DType) num { return plain(a.c * b.c) })),
		"Or":             folded(foldBinary(onnx.Bool, func(a, b num, _ onnx.DType) num { return plain(max(a.c, b.c)) })),
		"Xor":            elementwise, "BitShift": elementwise, "BitwiseAnd": elementwise, "BitwiseOr": elementwise,
		"BitwiseXor": elementwise, "Where": {apply: elementwiseRule, fold: foldWhere, needs: 3}, "Clip": elementwise,

		"Not":   {apply: unaryRule, fold: foldUnary(func(a num) num { return truth(a.c == 0) }), needs: 1},
		"Neg":   {apply: unaryRule, fold: foldUnary(func(a num) num { return num{-a.n, -a.c, true} }), needs: 1},
		"Floor": {apply: unaryRule, fold: foldUnary(func(a num) num { return num{a.n, math.Floor(a.c), true} }), needs: 1},
		"Ceil":  {apply: unaryRule, fold: foldUnary(func(a num) num { return num{a.n, math.Ceil(a.c), true} }), needs: 1},
		"Cast":  {apply: unaryRule, fold: foldCast, needs: 1}, "CastLike": {apply: castLikeRule, needs: 2},
		"Identity": {apply: identityRule, shapes: []int{0}, needs: 1}, "Dropout": {apply: dropoutRule, needs: 1},

		// Moving elements (rules_shape.go, rules_repeat.go, rules_move.go, rules_gather.go).
		"Shape": {apply: shapeRule, raw: true, needs: 1}, "Size": {apply: sizeRule, raw: true, needs: 1},
		"Reshape": {apply: reshapeRule, ranked: true, shapes: []int{0, 1}, needs: 1}, "Flatten": {apply: flattenRule, ranked: true, shapes: []int{0}, needs: 1},
		"Squeeze": {apply: squeezeRule, ranked: true, shapes: []int{0}, needs: 1}, "Unsqueeze": {apply: unsqueezeRule, ranked: true, shapes: []int{0}, needs: 1},
		"Transpose": {apply: transposeRule, ranked: true, needs: 1}, "Expand": {apply: expandRule, ranked: true, shapes: []int{1}, needs: 2},
		"Tile": {apply: tileRule, ranked: true, shapes: []int{1}, needs: 2}, "ConstantOfShape": {apply: constantOfShapeRule, shapes: []int{0}, needs: 1},
		"Range": {apply: rangeRule, fold: foldRange, shapes: []int{0, 1, 2}}, "Constant": {apply: constantRule},
		"Concat": {apply: concatRule, fold: foldConcat, needs: 1}, "Split": {apply: splitRule, ranked: true, needs: 1},
		"Slice": {apply: sliceRule, ranked: true, fold: foldSlice, shapes: []int{1, 2}, needs: 1}, "Gather": {apply: gatherRule, fold: foldGather, needs: 2},
		"GatherElements": {apply: gatherElementsRule, rows: true, needs: 2}, "GatherND": {apply: gatherNDRule, rows: true, needs: 2},
		"ScatterElements": {apply: scatterElementsRule, rows: true, needs: 3}, "Scatter": {apply: scatterElementsRule, rows: true, needs: 3},
		"Pad": {apply: padRule, ranked: true, needs: 1}, "DepthToSpace": {apply: depthToSpaceRule, ranked: true, needs: 1},
		"SpaceToDepth": {apply: spaceToDepthRule, ranked: true, needs: 1}, "Trilu": {apply: triluRule, needs: 1}, "Compress": {apply: compressRule, rows: true, needs: 1},

		// Along axes (rules_reduce.go).
		"ReduceProd": {apply: reduceRule, ranked: true, fold: foldReduce(multiply), needs: 1},
		"ReduceSum":  {apply: reduceRule, ranked: true, fold: foldReduce(add), needs: 1},
		"ArgMax":     {apply: argRule, ranked: true, needs: 1}, "ArgMin": {apply: argRule, ranked: true, needs: 1}, "TopK": {apply: topKRule, ranked: true, needs: 1},
		"CumSum": {apply: cumulativeRule, needs: 1}, "CumProd": {apply: cumulativeRule, needs: 1},
		"Softmax": {apply: softmaxRule, ranked: true, needs: 1}, "LogSoftmax": {apply: softmaxRule, ranked: true, needs: 1}, "Hardmax": {apply: softmaxRule, ranked: true, needs: 1},
		"OneHot": {apply: oneHotRule, ranked: true, needs: 1}, "LRN": {apply: lrnRule, needs: 1}, "LpNormalization": {apply: alongAxisRule, ranked: true, needs: 1},
		"MeanVarianceNormalization": {apply: meanVarianceRule, ranked: true, needs: 1},

		// Linear maps, windows and normalisations (rules_linear.go, rules_conv.go, rules_norm.go).
		"MatMul": {apply: matMulRule, needs: 2}, "Gemm": {apply: gemmRule, needs: 2}, "Einsum": {apply: einsumRule, rows: true, needs: 1},
		"Det": {apply: detRule, rows: true, needs: 1}, "Conv": {apply: convRule, needs: 2}, "ConvTranspose": {apply: convTransposeRule, rows: true, needs: 2},
		"MaxPool": {apply: poolRule, ranked: true, needs: 1}, "AveragePool": {apply: poolRule, ranked: true, needs: 1},
		"LpPool": {apply: poolRule, ranked: true, needs: 1}, "GlobalAveragePool": {apply: globalPoolRule, ranked: true, needs: 1},
		"GlobalMaxPool": {apply: globalPoolRule, ranked: true, needs: 1}, "GlobalLpPool": {apply: globalPoolRule, ranked: true, needs: 1},
		"Resize": {apply: resizeRule, ranked: true, shapes: []int{3}, needs: 1}, "Upsample": {apply: resizeRule, ranked: true, needs: 1},
		"GridSample": {apply: gridSampleRule, rows: true, needs: 2}, "BatchNormalization": {apply: batchNormRule, needs: 1},
		"InstanceNormalization": {apply: perImageNormRule, needs: 1}, "GroupNormalization": {apply: perImageNormRule, needs: 1},
		"LayerNormalization": {apply: layerNormRule, ranked: true, needs: 1}, "RMSNormalization": {apply: layerNormRule, ranked: true, needs: 1},
		"LSTM": {apply: recurrentRule, rows: true, needs: 1}, "GRU": {apply: recurrentRule, rows: true, needs: 1}, "RNN": {apply: recurrentRule, rows: true, needs: 1},
		"Attention": {apply: attentionRule, rows: true, needs: 1},

		// Quantisation (rules_quant.go).
		"QuantizeLinear": {apply: quantiseRule, needs: 2}, "DequantizeLinear": {apply: quantiseRule, needs: 2},
		"QLinearConv": {apply: qLinearConvRule, needs: 4}, "QLinearMatMul": {apply: qLinearMatMulRule, rows: true, needs: 4},
		"ConvInteger": {apply: convIntegerRule, needs: 2}, "MatMulInteger": {apply: matMulIntegerRule, rows: true, needs: 2},
		"DynamicQuantizeLinear": {apply: quantisedWholeRule, rows: true},

		// Control flow (rules_control.go).
		"If": {apply: ifRule, raw: true}, "Loop": {apply: loopRule, raw: true}, "Scan": {apply: scanRule, raw: true},

		// Of rows, not followed: their extents depend on the data, or they compare rows.
		"NonZero": whole, "Unique": whole, "EyeLike": whole, "ScatterND": whole, "NonMaxSuppression": whole,
		"MaxUnpool": whole, "ReverseSequence": whole, "RoiAlign": whole, "MaxRoiPool": whole,

		// Traditional models (rules_ml.go).
		"ai.onnx.ml.TreeEnsembleClassifier": {apply: tabularRule, rows: true, needs: 1}, "ai.onnx.ml.TreeEnsembleRegressor": {apply: tabularRule, rows: true, needs: 1},
		"ai.onnx.ml.TreeEnsemble": {apply: tabularRule, rows: true, needs: 1}, "ai.onnx.ml.LinearClassifier": {apply: tabularRule, rows: true, needs: 1},
		"ai.onnx.ml.LinearRegressor": {apply: tabularRule, rows: true, needs: 1}, "ai.onnx.ml.SVMClassifier": {apply: tabularRule, rows: true, needs: 1},
		"ai.onnx.ml.SVMRegressor": {apply: tabularRule, rows: true, needs: 1}, "ai.onnx.ml.Scaler": {apply: featuresRule, rows: true, needs: 1},
		"ai.onnx.ml.Normalizer": {apply: featuresRule, rows: true, needs: 1}, "ai.onnx.ml.Imputer": {apply: featuresRule, rows: true, needs: 1},
		"ai.onnx.ml.Binarizer": unary, "ai.onnx.ml.LabelEncoder": unary,
		"ai.onnx.ml.ArrayFeatureExtractor": {apply: arrayFeatureRule, rows: true, needs: 2},
		"ai.onnx.ml.FeatureVectorizer":     {apply: featureVectorizerRule, rows: true, needs: 1},
		"ai.onnx.ml.OneHotEncoder":         {apply: oneHotEncoderRule, rows: true, needs: 1},

		// onnxruntime's own (rules_contrib.go).
		"com.microsoft.FusedMatMul": {apply: fusedMatMulRule, needs: 2, attributes: "alpha transA transB transBatchA transBatchB"},
		"com.microsoft.FusedGemm":   {apply: gemmRule, needs: 2, attributes: "alpha beta transA transB activation activation_alpha activation_beta activation_gamma"},
		"com.microsoft.FusedConv": {apply: fusedConvRule, needs: 2,
			attributes: "auto_pad dilations group kernel_shape pads strides activation activation_params"},
		"com.microsoft.Gelu":     {apply: unaryRule, needs: 1, attributes: "none"},
		"com.microsoft.FastGelu": {apply: elementwiseRule, needs: 1, attributes: "none"}, "com.microsoft.QuickGelu": {apply: unaryRule, needs: 1, attributes: "alpha"},
		"com.microsoft.BiasGelu":                         {apply: elementwiseRule, needs: 2, attributes: "none"},
		"com.microsoft.SkipLayerNormalization":           {apply: skipNormRule, needs: 2, attributes: "epsilon"},
		"com.microsoft.SkipSimplifiedLayerNormalization": {apply: skipNormRule, needs: 2, attributes: "epsilon"},
		"SimplifiedLayerNormalization":                   {apply: layerNormRule, ranked: true, needs: 1, attributes: "axis epsilon stash_type"},
		"com.microsoft.Attention": {apply: packedAttentionRule, rows: true, needs: 2,
			attributes: "num_heads unidirectional scale mask_filter_value qkv_hidden_sizes"},
		"com.microsoft.MultiHeadAttention":       {apply: multiHeadAttentionRule, rows: true, needs: 1, attributes: "num_heads unidirectional scale mask_filter_value"},
		"com.microsoft.EmbedLayerNormalization":  {apply: embedLayerNormRule, rows: true, needs: 1, attributes: "epsilon mask_index_type"},
		"com.microsoft.QLinearAdd":               {apply: qLinearBinaryRule, needs: 4, attributes: "none"},
		"com.microsoft.QLinearMul":               {apply: qLinearBinaryRule, needs: 4, attributes: "none"},
		"com.microsoft.QLinearSigmoid":           {apply: qLinearUnaryRule, needs: 1, attributes: "none"},
		"com.microsoft.QLinearLeakyRelu":         {apply: qLinearUnaryRule, needs: 1, attributes: "alpha"},
		"com.microsoft.QLinearGlobalAveragePool": {apply: qLinearGlobalPoolRule, ranked: true, needs: 1, attributes: "channels_last"},
		"com.microsoft.DynamicQuantizeMatMul":    {apply: quantisedWholeRule, rows: true, attributes: "none"},
		"com.microsoft.DynamicQuantizeLSTM":      {apply: quantisedWholeRule, rows: true, attributes: "none"},
	}
	for _, op := range []string{
		"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Gelu",
		"HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Reciprocal", "Relu", "Round", "Selu", "Shrink",
		"Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
	} {
		all[op] = unary
	}
	for _, op := range []string{
		"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSumSquare",
	} {
		all[op] = reduce
	}
	for op, r := range all {
		if r.attributes == "" {
			r.attributes = "*"
			all[op] = r
		}
	}
	return all
}
