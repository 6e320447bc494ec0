package sequential_test

import (
	"fmt"

	"ucan/smooth/sequential"
	"ucan/smooth/stats"
)

// A certificate's adaptive claims are checked against the critical numbers, never
// by a Clopper–Pearson bound of the counts.
func ExampleVerify() {
	plan := sequential.Plan{
		Levels:  []float64{0.5, stats.NormalCDFUpper(1)},
		Alpha:   0.001,
		Profile: sequential.Default(),
		Mode:    sequential.Selected,
	}
	tables := sequential.NewTables()
	p, err := sequential.Verify(plan, tables, []sequential.Rejection{{Level: 0, N: 100, Failures: 4}, {Level: 1, N: 200, Failures: 8}})
	fmt.Printf("%.4f %v\n", p, err)
	_, err = sequential.Verify(plan, tables, []sequential.Rejection{{Level: 0, N: 100, Failures: 40}})
	fmt.Println(err)
	// Output:
	// 0.8413 <nil>
	// verify adaptive claims: level 0: 40 failures among 100 samples exceed the critical number 28
}

// An anytime run may be looked at whenever one likes, written down, and continued.
func ExampleAnytimePlan() {
	plan := sequential.AnytimePlan{Levels: []float64{0.5, 0.9}, Alpha: 0.001, Horizon: 10_000}
	run, err := plan.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	rejected, err := run.Observe(37, 2)
	fmt.Println(rejected, err)
	later, err := plan.Resume(run.Rejected(), 37, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	rejected, err = later.Observe(1234, 60)
	fmt.Println(rejected, err)
	// Output:
	// 1 <nil>
	// 2 <nil>
}

// How many fresh samples a pilot of 200 asks for.
func ExampleTwoStage() {
	two := sequential.DefaultTwoStage()
	for _, failures := range []int64{0, 20, 90, 150} {
		n, err := two.Size(failures)
		fmt.Println(failures, n, err)
	}
	// Output:
	// 0 17321 <nil>
	// 20 7122 <nil>
	// 90 5823 <nil>
	// 150 100 <nil>
}
