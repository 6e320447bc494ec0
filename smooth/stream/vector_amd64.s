//go:build !purego

#include "textflag.h"

// Constants of a draw u: see layerMask and centre in ziggurat.go.
DATA cellMask<>+0(SB)/4, $0xffffff80
GLOBL cellMask<>(SB), RODATA|NOPTR, $4
DATA cellCentre<>+0(SB)/4, $0x40
GLOBL cellCentre<>(SB), RODATA|NOPTR, $4

// PAIR loads the layers (w, k) of the draws at offsets p and q of the words.
#define PAIR(p, q, x) \
	MOVBLZX p(SI), AX; \
	MOVBLZX q(SI), BX; \
	ANDL    $0x7f, AX; \
	ANDL    $0x7f, BX; \
	VMOVQ   (DI)(AX*8), x; \
	VMOVHPS (DI)(BX*8), x, x

// func firstTries(layers *[128]fastLayer, w *[64]uint64, o *[128]float32) (miss [2]uint64)
//
// Eight values a turn. The layers are loaded one by one: with the microcode
// that many processors have against the sampling of gathered data, VPGATHER takes
// three times as long. The cell lies under the density when |v| < k: v is never
// −2³¹ and k is below 2³¹, so that signed comparison does.
TEXT ·firstTries(SB), NOSPLIT, $0-40
	MOVQ         layers+0(FP), DI
	MOVQ         w+8(FP), SI
	MOVQ         o+16(FP), DX
	VPBROADCASTD cellMask<>(SB), Y14
	VPBROADCASTD cellCentre<>(SB), Y13
	MOVQ         $2, R9

half:
	MOVQ $8, CX
	XORQ R8, R8

eight:
	PAIR(0, 4, X1)
	PAIR(8, 12, X2)
	PAIR(16, 20, X3)
	PAIR(24, 28, X4)
	VMOVDQU     (SI), Y0
	VINSERTI128 $1, X3, Y1, Y1 // w0 k0 w1 k1 w4 k4 w5 k5
	VINSERTI128 $1, X4, Y2, Y2 // w2 k2 w3 k3 w6 k6 w7 k7
	VPAND       Y14, Y0, Y0
	VPOR        Y13, Y0, Y0    // v
	VSHUFPS     $0x88, Y2, Y1, Y3 // w0 … w7
	VSHUFPS     $0xdd, Y2, Y1, Y4 // k0 … k7
	VPABSD      Y0, Y5
	VPCMPGTD    Y5, Y4, Y5     // k > |v|
	VMOVMSKPS   Y5, AX
	VCVTDQ2PS   Y0, Y0
	VMULPS      Y3, Y0, Y0
	VMOVUPS     Y0, (DX)
	SHRQ        $8, R8
	SHLQ        $56, AX
	ORQ         AX, R8
	ADDQ        $32, SI
	ADDQ        $32, DX
	DECQ        CX
	JNZ         eight

	NOTQ R8
	DECQ R9
	JZ   last
	MOVQ R8, miss_0+24(FP)
	JMP  half

last:
	MOVQ R8, miss_1+32(FP)
	VZEROUPPER
	RET

// func affineVector(dst, base *float32, scale float32, n int)
TEXT ·affineVector(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         base+8(FP), SI
	VBROADCASTSS scale+16(FP), Y1
	MOVQ         n+24(FP), CX
	SHRQ         $3, CX
	JZ           done

loop:
	VMULPS  (DI), Y1, Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	DECQ    CX
	JNZ     loop

done:
	VZEROUPPER
	RET

// func affineFieldVector(dst, base, scale *float32, n int)
TEXT ·affineFieldVector(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ base+8(FP), SI
	MOVQ scale+16(FP), DX
	MOVQ n+24(FP), CX
	SHRQ $3, CX
	JZ   done

loop:
	VMOVUPS (DI), Y0
	VMULPS  (DX), Y0, Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	ADDQ    $32, SI
	ADDQ    $32, DX
	DECQ    CX
	JNZ     loop

done:
	VZEROUPPER
	RET

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
//
// The low half of extended control register 0: what the operating system saves.
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET
