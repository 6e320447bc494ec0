//go:build !purego

#include "textflag.h"

// func applyVector(s *adamStep, w, grad, m, v *float32, n int)
//
// The order of operations is that of adamStep.scalar; nothing is fused.
TEXT ·applyVector(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ w+8(FP), DI
	MOVQ grad+16(FP), SI
	MOVQ m+24(FP), DX
	MOVQ v+32(FP), BX
	MOVQ n+40(FP), CX
	SHRQ $3, CX
	JZ   done

	VBROADCASTSS 0(AX), Y0  // scale
	VBROADCASTSS 4(AX), Y1  // keep1
	VBROADCASTSS 8(AX), Y2  // take1
	VBROADCASTSS 12(AX), Y3 // keep2
	VBROADCASTSS 16(AX), Y4 // take2
	VBROADCASTSS 20(AX), Y5 // unbias
	VBROADCASTSS 24(AX), Y6 // eps
	VBROADCASTSS 28(AX), Y7 // size
	VBROADCASTSS 32(AX), Y8 // shrink

loop:
	VMULPS  (SI), Y0, Y9    // g′ = scale·g
	VMULPS  (DX), Y1, Y10
	VMULPS  Y9, Y2, Y11
	VADDPS  Y11, Y10, Y10   // m
	VMOVUPS Y10, (DX)
	VMULPS  Y9, Y9, Y9
	VMULPS  Y9, Y4, Y9
	VMULPS  (BX), Y3, Y11
	VADDPS  Y9, Y11, Y11    // v
	VMOVUPS Y11, (BX)
	VSQRTPS Y11, Y11
	VMULPS  Y11, Y5, Y11
	VADDPS  Y6, Y11, Y11    // √v·unbias + eps
	VMULPS  Y10, Y7, Y10
	VDIVPS  Y11, Y10, Y10
	VMULPS  (DI), Y8, Y11
	VSUBPS  Y10, Y11, Y11
	VMOVUPS Y11, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DX
	ADDQ    $32, BX
	ADDQ    $32, DI
	DECQ    CX
	JNZ     loop

	VZEROUPPER

done:
	RET
