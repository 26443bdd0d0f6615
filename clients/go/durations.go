package execsvc

import (
	"math"
	"math/big"
	"regexp"
	"time"
)

var (
	span  = regexp.MustCompile(`^([0-9]{1,20}(?:\.[0-9]{1,20})?)(us|ms|s|m|h)$`)
	units = map[string]time.Duration{
		"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	}
)

// nanoseconds reads a span in any of its forms, without the limits of time.Duration; nil where it is none.
func nanoseconds(value any) *big.Int {
	switch value := value.(type) {
	case time.Duration:
		return big.NewInt(int64(value))
	case string:
		found := span.FindStringSubmatch(value)
		if found == nil {
			return nil
		}
		number, ok := new(big.Rat).SetString(found[1])
		if !ok {
			return nil
		}
		number.Mul(number, new(big.Rat).SetInt64(int64(units[found[2]])))
		return new(big.Int).Quo(number.Num(), number.Denom())
	case bool, nil:
		return nil
	}
	number, whole := readNumber(value)
	if whole != nil {
		return new(big.Int).Mul(whole, big.NewInt(int64(time.Second)))
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return nil
	}
	nanos, _ := big.NewFloat(math.RoundToEven(number * 1e9)).Int(nil)
	return nanos
}
