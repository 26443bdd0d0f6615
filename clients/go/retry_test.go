package execsvc

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// clock is time that passes when the test says so.
type clock struct{ at time.Time }

func newClock() *clock { return &clock{at: time.Unix(1_000, 0)} }

func (c *clock) timing(chance float64) timing {
	return timing{now: func() time.Time { return c.at }, chance: func() float64 { return chance }, sleep: sleep}
}

var unavailable = &Error{Code: codes.Unavailable, Message: "away"}

func TestWaitsDoubleUpToALimitAndHalfOfEachIsChance(t *testing.T) {
	highest, lowest := newClock().timing(1), newClock().timing(0)
	for attempt, want := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5000: 5000} {
		if got := highest.delay(attempt, unavailable); got != want*time.Millisecond {
			t.Errorf("attempt %d: got %v, want %d ms", attempt, got, want)
		}
		if got := lowest.delay(attempt, unavailable); got != want*time.Millisecond/2 {
			t.Errorf("attempt %d: got %v, want half of %d ms", attempt, got, want)
		}
	}
	if got := highest.delay(1, &Error{Code: codes.Unavailable, RetryDelay: 7 * time.Second}); got != 7*time.Second {
		t.Errorf("the server's own delay is the least, got %v", got)
	}
}

func TestACallIsRepeatedOnlyIfUnavailableAndOnlySoOften(t *testing.T) {
	repeated := &retry{timing: newClock().timing(1), repeats: repeatedByClient}
	for range maxAttempts - 1 {
		if _, err := repeated.delayAfter(t.Context(), unavailable); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := repeated.delayAfter(t.Context(), unavailable); err != unavailable {
		t.Errorf("got %v after the last attempt", err)
	}
	if _, err := (&retry{timing: newClock().timing(1)}).delayAfter(t.Context(), unavailable); err == nil {
		t.Error("a call that is not repeatable was repeated")
	}
	missing := &Error{Code: codes.NotFound}
	if _, err := (&retry{timing: newClock().timing(1), repeats: repeatedByClient}).delayAfter(t.Context(), missing); err != missing {
		t.Errorf("got %v for an answer", err)
	}
}

func TestWhatGRPCRepeatsIsRepeatedHereOnlyWhereTheServersCoreGaveItUp(t *testing.T) {
	cut := fromRPC(status.Error(codes.Canceled, "CANCELLED"))
	for _, repeats := range []repeats{repeatedByGRPC, repeatedByClient} {
		repeated := &retry{timing: newClock().timing(1), repeats: repeats}
		for _, want := range []time.Duration{100, 200, 400, 800} {
			if got, err := repeated.delayAfter(t.Context(), cut); err != nil || got != want*time.Millisecond {
				t.Errorf("got %v, %v, want %d ms", got, err, want)
			}
		}
		if _, err := repeated.delayAfter(t.Context(), cut); err != cut {
			t.Errorf("got %v after the last attempt", err)
		}
	}
	if _, err := (&retry{timing: newClock().timing(1), repeats: repeatedByGRPC}).delayAfter(t.Context(), unavailable); err != unavailable {
		t.Errorf("got %v for what gRPC has repeated already", err)
	}
	if _, err := (&retry{timing: newClock().timing(1), repeats: neverRepeated}).delayAfter(t.Context(), cut); err != cut {
		t.Errorf("got %v for what is never repeated", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	repeated := &retry{timing: newClock().timing(1), repeats: repeatedByClient}
	if _, err := repeated.delayAfter(ctx, cut); !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v for a call whose caller gave up as well", err)
	}
}

func TestACallIsNotRepeatedPastItsDeadline(t *testing.T) {
	clock := newClock()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	defer cancel()
	deadline, _ := ctx.Deadline()
	clock.at = deadline.Add(-50 * time.Millisecond)
	if _, err := (&retry{timing: clock.timing(1), repeats: repeatedByClient}).delayAfter(ctx, unavailable); err != unavailable {
		t.Errorf("got %v: what the server said is worth more than a mere deadline", err)
	}
}

func TestAStreamGivesUpAfterAnOutageNotAfterAttempts(t *testing.T) {
	clock := newClock()
	policy := newReconnect(clock.timing(1), 10*time.Second)
	for range 9 {
		if _, err := policy.delayAfter(t.Context(), unavailable); err != nil {
			t.Fatal(err)
		}
		clock.at = clock.at.Add(time.Second)
	}
	delay, err := policy.delayAfter(t.Context(), unavailable)
	if err != nil || delay != time.Second {
		t.Errorf("the last attempt is right at the end: got %v, %v", delay, err)
	}
	clock.at = clock.at.Add(time.Second)
	if _, err := policy.delayAfter(t.Context(), unavailable); err != unavailable {
		t.Errorf("got %v after ten seconds", err)
	}
}

func TestAnAnswerEndsAnOutageButOnlyNewsMakeWaitsSmall(t *testing.T) {
	clock := newClock()
	policy := newReconnect(clock.timing(1), 10*time.Second)
	next := func() time.Duration {
		delay, err := policy.delayAfter(t.Context(), unavailable)
		if err != nil {
			t.Fatal(err)
		}
		return delay
	}
	next()
	next()
	clock.at = clock.at.Add(9 * time.Second)
	policy.progress(false)
	if delay := next(); delay != 400*time.Millisecond {
		t.Errorf("a server that accepts and drops was tried again after %v", delay)
	}
	policy.progress(true)
	if delay := next(); delay != 100*time.Millisecond {
		t.Errorf("after news the wait was %v", delay)
	}
}

func TestAContextThatIsDoneEndsEveryPolicy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, policy := range []policy{newReconnect(newClock().timing(1), 0), &retry{timing: newClock().timing(1), repeats: repeatedByClient}} {
		if _, err := policy.delayAfter(ctx, unavailable); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if err := sleep(ctx, time.Hour); !errors.Is(err, ErrCancelled) {
		t.Errorf("got %v from a sleep", err)
	}
}
