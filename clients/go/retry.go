package execsvc

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// maxAttempts at one unary call, the first included. gRPC allows no more in a service config.
	maxAttempts = 5
	// initialDelay is the wait before the second attempt.
	initialDelay = 100 * time.Millisecond
	// maxDelay is the longest wait between two attempts; a server's own retry delay may be longer.
	maxDelay = 5 * time.Second
)

// timing is where time and chance come from.
type timing struct {
	now    func() time.Time
	chance func() float64 // 0 to 1, evenly
	// sleep waits; it returns the context's error if that is done earlier.
	sleep func(ctx context.Context, delay time.Duration) error
}

func systemTiming() timing {
	return timing{now: time.Now, chance: rand.Float64, sleep: sleep}
}

func sleep(ctx context.Context, delay time.Duration) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// delay is how long to wait after failed attempt number attempt, from 1: doubling, and half of it chance.
func (t timing) delay(attempt int, err *Error) time.Duration {
	delay := min(maxDelay, initialDelay<<min(attempt-1, 20))
	return max(time.Duration(float64(delay)*(1+t.chance())/2), err.RetryDelay)
}

// repeats says who repeats a unary call while the server is unavailable.
type repeats int

const (
	// neverRepeated: it is not safe.
	neverRepeated repeats = iota
	// repeatedByGRPC: one of safeMethods. gRPC does not take a call that a server's core cut off for one to repeat: that
	// is left to this client.
	repeatedByGRPC
	repeatedByClient
)

// after tells whether this client may repeat a call that failed so.
func (r repeats) after(err *Error) bool {
	if r == repeatedByGRPC {
		return err.cutOff
	}
	return r == repeatedByClient && err.Is(ErrUnavailable)
}

// retry repeats one unary call while the server is unavailable, a few times, within the context's deadline.
type retry struct {
	timing  timing
	repeats repeats
	attempt int
}

func (r *retry) delayAfter(ctx context.Context, err *Error) (time.Duration, error) {
	if ctx.Err() != nil && err.Is(ErrUnavailable) {
		return 0, contextError(ctx)
	}
	r.attempt++
	if !r.repeats.after(err) || r.attempt >= maxAttempts {
		return 0, err
	}
	delay := r.timing.delay(r.attempt, err)
	// Waiting past the deadline would trade what the server says for a mere "too late".
	if deadline, limited := ctx.Deadline(); limited && delay >= deadline.Sub(r.timing.now()) {
		return 0, err
	}
	return delay, nil
}

// reconnect repeats a stream, or a call that belongs to one, through outages of any number up to a length.
//
// Progress is any answer of the server. What gives up is giveUpAfter without, counted from the first failure.
type reconnect struct {
	timing       timing
	giveUpAfter  time.Duration // 0: never
	attempt      int
	failingSince time.Time // zero: it is not failing
	calmSince    time.Time
}

func newReconnect(t timing, giveUpAfter time.Duration) *reconnect {
	return &reconnect{timing: t, giveUpAfter: giveUpAfter, calmSince: t.now()}
}

// progress notes an answer of the server; advanced: it brought something new. Only that, or a connection that lasts,
// lets waits start small again: a server that accepts and drops at once must not be hammered.
func (r *reconnect) progress(advanced bool) {
	now := r.timing.now()
	if !r.failingSince.IsZero() {
		r.failingSince = time.Time{}
		r.calmSince = now
	}
	if advanced || now.Sub(r.calmSince) > maxDelay {
		r.attempt = 0
	}
}

func (r *reconnect) delayAfter(ctx context.Context, err *Error) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, contextError(ctx)
	}
	if !err.lostConnection() {
		return 0, err
	}
	now := r.timing.now()
	if r.failingSince.IsZero() {
		r.failingSince = now
	}
	r.attempt++
	delay := r.timing.delay(r.attempt, err)
	if r.giveUpAfter > 0 {
		left := r.giveUpAfter - now.Sub(r.failingSince)
		if left <= 0 {
			return 0, err
		}
		// A last attempt is made right at the end.
		delay = min(delay, left)
	}
	return delay, nil
}
