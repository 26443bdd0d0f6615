package execsvc

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func detailed(t *testing.T, code codes.Code) error {
	t.Helper()
	found, err := status.New(code, "no").WithDetails(
		&errdetails.ErrorInfo{
			Reason: "QUEUE_FULL", Domain: "execsvc", Metadata: map[string]string{"execution_id": "e1", "state": "PAUSED"},
		},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "input.n", Reason: "WRONG_TYPE", Description: "expected a number"},
		}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.ResourceInfo{ResourceType: "execsvc.v1.Execution", ResourceName: "e2", Description: "gone"},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: "STATE", Subject: "e1", Description: "is PAUSED"},
		}},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "queue", Description: "full"}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return found.Err()
}

func TestEveryKindIsToldByErrorsIsAndByNoOther(t *testing.T) {
	all := []error{ErrInternal}
	for _, kind := range kinds {
		all = append(all, kind)
	}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		wanted, known := kinds[code]
		if !known {
			wanted = ErrInternal
		}
		wrapped := fmt.Errorf("while testing: %w", fromRPC(status.Error(code, "no")))
		for _, kind := range all {
			if is := errors.Is(wrapped, kind); is != (kind == wanted) {
				t.Errorf("%v: errors.Is(%v) is %v", code, kind, is)
			}
		}
		if errors.Is(wrapped, ErrDefinition) {
			t.Errorf("%v counts as a definition that cannot be read", code)
		}
	}
}

func TestContextErrorsAreTheStandardOnesAsWell(t *testing.T) {
	late, cancelled := fromRPC(status.Error(codes.DeadlineExceeded, "")), fromRPC(status.Error(codes.Canceled, ""))
	if !errors.Is(late, context.DeadlineExceeded) || errors.Is(late, context.Canceled) || !late.Timeout() {
		t.Errorf("%v is not simply context.DeadlineExceeded", late)
	}
	if !errors.Is(cancelled, context.Canceled) || errors.Is(cancelled, context.DeadlineExceeded) || cancelled.Timeout() {
		t.Errorf("%v is not simply context.Canceled", cancelled)
	}
	cause := errors.New("the user went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := contextError(ctx); !errors.Is(err, cause) || !errors.Is(err, ErrCancelled) {
		t.Errorf("%v does not tell why the context ended", err)
	}
}

func TestAnErrorHasAllItsDetails(t *testing.T) {
	var found *Error
	if !errors.As(fmt.Errorf("outside: %w", fromRPC(detailed(t, codes.ResourceExhausted))), &found) {
		t.Fatal("errors.As does not find it")
	}
	if found.Reason != "QUEUE_FULL" || found.Domain != "execsvc" || found.Code != codes.ResourceExhausted {
		t.Errorf("got %+v", found)
	}
	if found.ExecutionID() != "e1" || found.State() != StatePaused || found.RetryDelay != 1500*time.Millisecond {
		t.Errorf("got id %q, state %q, delay %v", found.ExecutionID(), found.State(), found.RetryDelay)
	}
	if want := (Problem{Path: "input.n", Reason: "WRONG_TYPE", Message: "expected a number"}); len(found.FieldViolations) != 1 ||
		found.FieldViolations[0] != want {
		t.Errorf("got violations %v", found.FieldViolations)
	}
	if found.Resource.Name != "e2" || found.Preconditions[0].Subject != "e1" || found.Quotas[0].Subject != "queue" {
		t.Errorf("got %+v, %+v, %+v", found.Resource, found.Preconditions, found.Quotas)
	}
	found.Metadata = nil
	if found.ExecutionID() != "e2" {
		t.Errorf("without metadata the resource names the execution, got %q", found.ExecutionID())
	}
	if got := found.Error(); got != "no [QUEUE_FULL]" {
		t.Errorf("got text %q", got)
	}
}

func TestStatusFromErrorStillGivesTheDetails(t *testing.T) {
	wrapped := fmt.Errorf("outside: %w", fromRPC(detailed(t, codes.ResourceExhausted)))
	found, ok := status.FromError(wrapped)
	if !ok || found.Code() != codes.ResourceExhausted || len(found.Details()) != 6 {
		t.Errorf("got %v, %v with %d details", ok, found, len(found.Details()))
	}
	_, err := DefinitionJSON(`{"nodes": 7}`).Message()
	found, ok = status.FromError(err)
	if !ok || found.Code() != codes.InvalidArgument || len(found.Details()) != 2 {
		t.Errorf("an error from before anything was sent: got %v, %v", ok, found)
	}
}

func TestCodesAreNamedAsInEveryLanguage(t *testing.T) {
	names := map[codes.Code]string{
		codes.OK: "OK", codes.Canceled: "CANCELLED", codes.InvalidArgument: "INVALID_ARGUMENT", codes.NotFound: "NOT_FOUND",
		codes.DataLoss: "DATA_LOSS", codes.Unknown: "UNKNOWN",
	}
	for code, want := range names {
		if got := CodeName(code); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOnlyABrokenConnectionIsOneToConnectAgainAfter(t *testing.T) {
	for _, lost := range []error{
		status.Error(codes.Unavailable, "any"), status.Error(codes.DeadlineExceeded, "any"),
		status.Error(codes.Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR"),
		status.Error(codes.Internal, "unexpected EOF"), status.Error(codes.Canceled, "CANCELLED"),
	} {
		if !fromRPC(lost).lostConnection() {
			t.Errorf("%v says nothing about the request", lost)
		}
	}
	for _, final := range []error{
		status.Error(codes.NotFound, "RST_STREAM"), status.Error(codes.Internal, "a bug"),
		status.Error(codes.Canceled, "grpc: the client connection is closing"), detailed(t, codes.ResourceExhausted),
	} {
		if fromRPC(final).lostConnection() {
			t.Errorf("%v would be repeated for ever", final)
		}
	}
}

func TestACallThatAServersCoreGaveUpIsUnavailableAndOneThatSomebodyGaveUpIsCancelled(t *testing.T) {
	said := status.Error(codes.Canceled, "CANCELLED")
	cut := fromRPC(said)
	if !errors.Is(cut, ErrUnavailable) || errors.Is(cut, ErrCancelled) || errors.Is(cut, context.Canceled) || cut.Reason != "" {
		t.Errorf("%v is not simply ErrUnavailable", cut)
	}
	if want := "the server gave the call up before it was read, as one does that closes or is overrun [UNAVAILABLE]"; cut.Error() != want {
		t.Errorf("got text %q", cut)
	}
	if !errors.Is(cut, said) || status.Code(cut) != codes.Unavailable {
		t.Errorf("behind it is %v, its status %v", errors.Unwrap(cut), cut.GRPCStatus())
	}
	for _, wished := range []error{
		status.Error(codes.Canceled, ""), status.Error(codes.Canceled, "grpc: the client connection is closing"),
		status.FromContextError(context.Canceled).Err(), status.Error(codes.Canceled, "the job was CANCELLED"),
		detailed(t, codes.Canceled),
	} {
		if found := fromRPC(wished); !errors.Is(found, ErrCancelled) || errors.Is(found, ErrUnavailable) || found.cutOff {
			t.Errorf("%v is no longer ErrCancelled", wished)
		}
	}
}
