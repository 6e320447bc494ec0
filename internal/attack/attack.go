package attack

import (
	"context"
	"math"

	"ucan/smooth"
	"ucan/smooth/stats"
)

// Attempt is the worst point that was found in one certificate's region.
type Attempt struct {
	Index int `json:"idx"`
	// Class is the certified one, Rival the one that it was judged against, −1 for samples without
	// a vote.
	Class int `json:"class"`
	Rival int `json:"rival"`
	// How says what found the point, Share how far towards the boundary it lies (1).
	How   string  `json:"how"`
	Share float64 `json:"share"`
	// Votes and RivalVotes are those of N fresh samples, Margin their difference over N.
	N          int64   `json:"n"`
	Votes      int64   `json:"votes"`
	RivalVotes int64   `json:"rival_votes"`
	Margin     float64 `json:"margin"`
	// PValue is P[Bin(Votes+RivalVotes, 1/2) ≥ RivalVotes]; Flipped says that it is at most the
	// level that a single input has.
	PValue  float64 `json:"p_value"`
	Flipped bool    `json:"flipped"`

	// Y is the point.
	Y []float32 `json:"-"`
}

// Attack searches the region of a claim, one of a number of claims that are judged together.
func (a *Attacker) Attack(ctx context.Context, c Claim, of int) (Attempt, error) {
	found, err := a.search(ctx, c)
	if err != nil {
		return Attempt{}, err
	}
	counts, err := a.sample(ctx, c, found.y, 0, uint64(a.options.N))
	if err != nil {
		return Attempt{}, err
	}
	rival, _ := runnerUp(found.votes, c.Class)
	out := Attempt{Class: c.Class, Rival: rival, How: found.how, N: counts.N, Votes: counts.Votes(c.Class), Y: found.y}
	if out.RivalVotes = counts.Invalid; rival != int(smooth.NoVote) {
		out.RivalVotes = counts.Votes(rival)
	}
	out.Margin = float64(out.Votes-out.RivalVotes) / float64(out.N)
	if out.PValue, err = oneSided(out.RivalVotes, out.Votes); err != nil {
		return Attempt{}, err
	}
	out.Flipped = out.PValue <= a.options.share()/float64(max(of, 1))
	out.Share, err = c.share(found.y)
	return out, err
}

// oneSided is P[Bin(rival+own, 1/2) ≥ rival].
func oneSided(rival, own int64) (float64, error) {
	if rival+own == 0 {
		return 1, nil
	}
	return stats.BinomialSurvival(rival, rival+own, 0.5)
}

// share is how far towards the boundary y lies, 0 at x and 1 at the boundary.
func (c Claim) share(y []float32) (float64, error) {
	delta := make([]float64, len(y))
	for i := range y {
		delta[i] = float64(y[i]) - float64(c.X[i])
	}
	reach, err := c.Regions.MaxScale(delta)
	if err != nil || math.IsInf(reach, 1) || !(reach > 0) {
		return 0, err
	}
	return 1 / reach, nil
}
