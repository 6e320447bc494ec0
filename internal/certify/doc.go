// Package certify turns settings and files into certificates. It is shared by the commands and by
// the workers of a zoo, so that the same settings and seed give the same certificates whoever runs
// them.
//
// The steps, in order:
//
//   - [Open] makes a [Setup]: a model on its sessions beside the data that it classifies.
//   - [Setup.CheckClean] and [Setup.CheckRows] refuse pairs for which a certificate would be
//     worthless or false.
//   - [Setup.NoiseSource] and [Setup.Certifier] turn [Noise] and [Statistics] into a [Certifier].
//   - [Certifier.Run] goes over a [Loop] of inputs and hands each finished certificate on.
package certify
