// Package certificate is the JSON certificate of ucan, schema
// "ucan.certificate/1": one self-contained object an input, written and read a
// line at a time, that anyone can check without the model.
//
// Check recomputes every number that follows from others (the id, the class and
// its votes from the counts, p_lower, the radius at λ, the ℓ1, ℓ2 and ℓ∞ radii,
// the volume, status, predict, correct) and names each that differs. FromCounts
// derives the certificate of the same votes at another α, norm or bound. Contains
// asks whether a perturbation lies in the certified region.
//
// Reading is strict: unknown, repeated, missing or differently cased members,
// numbers that are no float64 and arrays without end are errors, so that two
// readers never see two certificates in one line.
package certificate
