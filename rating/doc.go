// Package rating turns usage into money: price rules on one side, what a call
// used on the other, a rated charge as the answer.
//
// Money is a whole number of [Nano], 10⁻⁹ of one unit of a currency. There is
// no float anywhere and no conversion between currencies, so sums do not depend
// on their order. Each line item is rounded once, half to even, and a total is
// the sum of its items, so that a bill adds up exactly.
//
// A [Price] is a version: it holds from its EffectiveFrom on and never changes
// after that. A [Book] is a set of versions and answers which one rates a model
// at an instant: the same on every node that knows the same versions.
//
// Tiers make the price of a token depend on how many were used before. Since
// nodes learn of usage in any order, quantities are what is kept, and the
// amount is a function of their sum ([Price.Bill]); what [Price.Rate] says of a
// single event in a tier is provisional.
//
// The package is pure: no clock, no I/O, no goroutine, nothing durable. Its
// values may be shared as long as nobody changes them.
package rating
