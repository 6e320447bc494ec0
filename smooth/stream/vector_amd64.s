//go:build !purego

#include "textflag.h"

// Constants of a draw u: see layerMask and centre in ziggurat.go.
DATA cellMask<>+0(SB)/4, $0xffffff00
GLOBL cellMask<>(SB), RODATA|NOPTR, $4
DATA cellCentre<>+0(SB)/4, $0x80
GLOBL cellCentre<>(SB), RODATA|NOPTR, $4

// PAIR loads the layers (w, k) of the draws at offsets p and q of the words.
#define PAIR(p, q, x) \
	MOVBLZX p(SI), AX; \
	MOVBLZX q(SI), BX; \
	VMOVQ   (DI)(AX*8), x; \
	VMOVHPS (DI)(BX*8), x, x

// func firstTries(layers *[128]fastLayer, w *words, o *float32, miss *misses, chunks int)
//
// Eight values a turn. The layers are loaded one by one: with the microcode
// that many processors have against the sampling of gathered data, VPGATHER takes
// three times as long. The cell lies under the density when |v| < k: v is never
// −2³¹ and k is below 2³¹, so that signed comparison does.
TEXT ·firstTries(SB), NOSPLIT, $0-40
	MOVQ         layers+0(FP), DI
	MOVQ         w+8(FP), SI
	MOVQ         o+16(FP), DX
	MOVQ         miss+24(FP), R10
	MOVQ         chunks+32(FP), R9
	VPBROADCASTD cellMask<>(SB), Y14
	VPBROADCASTD cellCentre<>(SB), Y13

chunk:
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
	MOVQ R8, (R10)
	ADDQ $8, R10
	DECQ R9
	JNZ  chunk
	VZEROUPPER
	RET

// func fillLanes(l *lanes, w *words, steps int)
TEXT ·fillLanes(SB), NOSPLIT, $0-24
	MOVQ    l+0(FP), SI
	MOVQ    w+8(FP), DI
	MOVQ    steps+16(FP), CX
	VMOVDQU (SI), Y0   // a
	VMOVDQU 32(SI), Y1 // b
	VMOVDQU 64(SI), Y2 // c
	VMOVDQU 96(SI), Y3 // d
	TESTQ   CX, CX
	JZ      full

step:
	VPADDQ  Y3, Y0, Y4
	VPSLLQ  $23, Y4, Y5
	VPSRLQ  $41, Y4, Y4
	VPOR    Y5, Y4, Y4
	VPADDQ  Y0, Y4, Y4  // rotl(a + d, 23) + a
	VMOVDQU Y4, (DI)
	VPSLLQ  $17, Y1, Y5 // t = b << 17
	VPXOR   Y0, Y2, Y2  // c ^= a
	VPXOR   Y1, Y3, Y3  // d ^= b
	VPXOR   Y2, Y1, Y1  // b ^= c
	VPXOR   Y3, Y0, Y0  // a ^= d
	VPXOR   Y5, Y2, Y2  // c ^= t
	VPSLLQ  $45, Y3, Y5
	VPSRLQ  $19, Y3, Y3
	VPOR    Y5, Y3, Y3  // rotl(d, 45)
	ADDQ    $32, DI
	DECQ    CX
	JNZ     step

full:
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
