// Package roast plans a day's batches on one drum roaster.
//
// A plan groups the orders of each coffee, splits them into batches that the drum can
// hold, and puts light roasts before dark ones, so that the smoke of a dark batch does
// not taint the next light one.
package roast

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"time"
)

// Limits of the drum, in kilograms of green coffee.
const (
	MinCharge = 3.0
	MaxCharge = 15.0
)

// Between two batches the drum has to come back to its charging temperature.
const betweenBatches = 4 * time.Minute

// Warming the empty drum before the first batch of the day.
const warmUp = 40 * time.Minute

// ErrTooLate is returned when the plan would end after closing time.
var ErrTooLate = errors.New("roast: the orders do not fit into the day")

// Degree tells how dark a coffee is roasted.
type Degree int

const (
	Light Degree = iota
	Medium
	Dark
)

// Duration is the time from charge to drop.
func (d Degree) Duration() time.Duration {
	return [...]time.Duration{9 * time.Minute, 11 * time.Minute, 13 * time.Minute}[d]
}

// WeightLoss is the share of the green weight that leaves as water and smoke.
func (d Degree) WeightLoss() float64 {
	return [...]float64{0.125, 0.148, 0.175}[d]
}

// Order asks for roasted coffee.
type Order struct {
	Coffee   string
	Degree   Degree
	Kilogram float64 // roasted weight
}

// Batch is one charge of the drum.
type Batch struct {
	Coffee string
	Degree Degree
	Green  float64 // kilograms of green coffee
	Start  time.Time
	End    time.Time
}

type recipe struct {
	coffee string
	degree Degree
}

// GreenFor returns the green weight that gives the wanted roasted weight.
func GreenFor(roasted float64, degree Degree) float64 {
	return roasted / (1 - degree.WeightLoss())
}

// Split divides a green weight into equal charges the drum can hold. A remainder below
// MinCharge is rounded up, because a nearly empty drum scorches the beans.
func Split(green float64) []float64 {
	if green <= 0 {
		return nil
	}
	n := int(math.Ceil(green / MaxCharge))
	each := math.Max(green/float64(n), MinCharge)
	charges := make([]float64, n)
	for i := range charges {
		charges[i] = each
	}
	return charges
}

// Plan returns the batches of a day that opens and closes at the given times.
func Plan(orders []Order, opens, closes time.Time) ([]Batch, error) {
	clock := opens.Add(warmUp)
	var batches []Batch
	for _, r := range sorted(orders) {
		green := GreenFor(total(orders, r), r.degree)
		for _, charge := range Split(green) {
			end := clock.Add(r.degree.Duration())
			if end.After(closes) {
				return batches, fmt.Errorf("%w: %s at %s", ErrTooLate, r.coffee, end.Format("15:04"))
			}
			batches = append(batches, Batch{r.coffee, r.degree, charge, clock, end})
			clock = end.Add(betweenBatches)
		}
	}
	return batches, nil
}

func total(orders []Order, r recipe) (sum float64) {
	for _, o := range orders {
		if o.Coffee == r.coffee && o.Degree == r.degree {
			sum += o.Kilogram
		}
	}
	return sum
}

// sorted lists each recipe once, light before dark, then by name.
func sorted(orders []Order) []recipe {
	seen := map[recipe]bool{}
	var found []recipe
	for _, o := range orders {
		r := recipe{o.Coffee, o.Degree}
		if !seen[r] {
			seen[r] = true
			found = append(found, r)
		}
	}
	sort.Slice(found, func(i, j int) bool {
		if found[i].degree != found[j].degree {
			return found[i].degree < found[j].degree
		}
		return found[i].coffee < found[j].coffee
	})
	return found
}
